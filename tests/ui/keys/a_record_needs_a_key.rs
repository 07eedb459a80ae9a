//! Rows are sorted, so a record has a key.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
struct Event {
    id: String,
}

fn main() {}
