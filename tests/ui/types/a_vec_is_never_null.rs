//! An array can't be NULL.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
struct Event {
    #[key]
    id: String,
    tags: Option<Vec<String>>,
}

fn main() {}
