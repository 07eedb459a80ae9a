//! Expressions of a field name columns of its record, and not the field itself.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
pub struct Event {
    #[key]
    pub id: String,
    pub at: DateTime<Utc>,
    #[olap(materialized = "toDate(att)")]
    pub day: NaiveDate,
    #[olap(default = "cound + 1")]
    pub count: u32,
    #[olap(alias = "lower(name)")]
    pub name: String,
    #[olap(ttl = "now() + INTERVAL 1 DAY")]
    pub note: String,
    #[olap(ephemeral = "concat(id, 'x'")]
    pub raw: String,
    #[olap(alias = "raw || id")]
    pub both: String,
}

fn main() {}
