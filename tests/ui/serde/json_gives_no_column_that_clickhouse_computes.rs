//! What ClickHouse computes has no name in JSON and no value when it is missing.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
pub struct Event {
    #[key]
    pub id: String,
    #[serde(alias = "l")]
    #[olap(alias = "lower(id)")]
    pub lower: String,
    #[serde(default)]
    #[olap(materialized = "upper(id)")]
    pub upper: String,
}

fn main() {}
