//! Keys of a map are what JSON can give as text.

use std::collections::BTreeMap;

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
struct Order {
    #[key]
    id: String,
    amounts: BTreeMap<Option<String>, u64>,
}

fn main() {}
