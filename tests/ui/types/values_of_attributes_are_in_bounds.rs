//! Values of attributes are such as ClickHouse takes.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
struct Order {
    #[key]
    #[olap(fixed = 0)]
    id: String,
    #[olap(timezone = "it's noon")]
    at: DateTime<Utc>,
    #[olap(aggregate = "smu")]
    total: u64,
    #[olap(precision = "6")]
    time: NaiveTime,
}

fn main() {}
