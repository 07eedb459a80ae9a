use moose_runtime::prelude::*;

#[derive(OlapRecord)]
struct Event {
    id: String,
}

fn main() {}
