//! At least one field of the key comes with the record.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
pub struct Event {
    pub at: DateTime<Utc>,
    #[key]
    #[olap(materialized = "toDate(at)")]
    pub day: NaiveDate,
}

#[derive(OlapRecord)]
pub struct Nothing {}

#[derive(OlapRecord)]
pub struct Skipped {
    #[key]
    #[serde(skip)]
    pub id: String,
}

fn main() {}
