//! Each attribute is for the types that have that form.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
struct Order {
    #[key]
    id: String,
    #[olap(compact)]
    number: u64,
    #[olap(timezone = "Europe/Berlin")]
    day: NaiveDate,
    #[olap(fixed = 3)]
    count: u8,
    #[olap(nested)]
    tags: Vec<String>,
    #[olap(decimal(9, 2))]
    price: f64,
}

fn main() {}
