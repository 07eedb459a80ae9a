//! A decimal says how many digits it has, before and after its point.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
struct Order {
    #[key]
    id: String,
    amount: Decimal,
}

fn main() {}
