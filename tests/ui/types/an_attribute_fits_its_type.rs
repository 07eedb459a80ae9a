//! An attribute that chooses the column fits the field's type.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
struct Event {
    #[key]
    id: String,
    #[olap(precision = 6)]
    number: u32,
    #[olap(low_cardinality)]
    day: NaiveDate,
}

fn main() {}
