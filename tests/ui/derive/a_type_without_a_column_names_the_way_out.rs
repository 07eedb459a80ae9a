use std::collections::HashMap;

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
struct Event {
    #[key]
    id: String,
    amount: u128,
    labels: HashMap<String, String>,
}

fn main() {}
