use std::collections::VecDeque;

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
struct Event {
    #[key]
    id: String,
    elapsed: std::time::Duration,
    labels: VecDeque<String>,
}

fn main() {}
