//! Rows are not sorted or divided by what is summed.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
pub struct Event {
    #[key]
    pub id: String,
    pub user: String,
    pub at: DateTime<Utc>,
    pub price: f64,
    pub count: u32,
    pub sign: i8,
    pub version: u64,
    pub deleted: u8,
    pub note: Option<String>,
    #[olap(alias = "lower(user)")]
    pub shown: String,
    #[olap(ephemeral)]
    pub raw: String,
    #[olap(materialized = "toDate(at)")]
    pub day: NaiveDate,
}

#[pipeline]
static TABLE_0: OlapTable<Event> = OlapTable::new("table_0").order_by(&["user", "count"]).engine(Engine::summing().columns(&["count"]));

#[pipeline]
static TABLE_1: OlapTable<Event> = OlapTable::new("table_1").partition_by("count").engine(Engine::summing().columns(&["count"]));

fn main() {}
