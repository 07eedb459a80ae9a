//! A column is chosen once.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
struct Order {
    #[key]
    id: String,
    #[olap(compact, precision = 6)]
    at: DateTime<Utc>,
    #[olap(low_cardinality, timezone = "UTC")]
    kind: String,
}

fn main() {}
