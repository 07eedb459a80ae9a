//! A decimal has as many digits as ClickHouse has decimals for.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
struct Order {
    #[key]
    id: String,
    #[olap(decimal(77, 2))]
    amount: Decimal,
    #[olap(decimal(9, 10))]
    tax: Decimal,
    #[olap(decimal = 9)]
    fee: Decimal,
}

fn main() {}
