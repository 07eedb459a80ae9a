//! Of a type that is not ours and not the user's a buffer can be named.

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
