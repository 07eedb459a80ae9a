//! What is not stored can't be sorted, divided, kept or checked by.

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
static TABLE_0: OlapTable<Event> = OlapTable::new("table_0").partition_by("shown");

#[pipeline]
static TABLE_1: OlapTable<Event> = OlapTable::new("table_1").order_by(&["raw", "id"]);

#[pipeline]
static TABLE_2: OlapTable<Event> = OlapTable::new("table_2").constraint("shown", "notEmpty(shown)");

#[pipeline]
static TABLE_3: OlapTable<Event> = OlapTable::new("table_3").index(Index::new("by_raw", "raw", "minmax"));

#[pipeline]
static TABLE_4: OlapTable<Event> = OlapTable::new("table_4").ttl("toDateTime(raw) + INTERVAL 1 DAY");

fn main() {}
