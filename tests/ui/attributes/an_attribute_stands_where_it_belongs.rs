//! What is the struct's, the field's and the table's.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
#[key]
#[olap(engine = "ReplacingMergeTree")]
#[olap(codec = "ZSTD")]
#[olap(order_by("id"))]
pub struct Event {
    #[key]
    #[olap(crate = "moose_runtime")]
    pub id: String,
    #[olap(dropped("old"))]
    pub user: String,
    #[olap(key)]
    pub kind: String,
    #[key(1)]
    pub second: u8,
    #[key]
    #[key]
    pub third: u8,
}

fn main() {}
