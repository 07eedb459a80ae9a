//! A struct in a record derives `OlapType`.

use moose_runtime::prelude::*;

struct Address {
    street: String,
}

#[derive(OlapRecord)]
struct Person {
    #[key]
    id: String,
    address: Address,
}

fn main() {}
