//! A type without a column is answered with those that have one and with the way out.

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
