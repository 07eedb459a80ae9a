//! What decides where a row is stored gives the same value when the row is sent again.

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
static TABLE_0: OlapTable<Event> = OlapTable::new("table_0").partition_by("toDate(now())");

#[pipeline]
static TABLE_1: OlapTable<Event> = OlapTable::new("table_1").order_by(&["rand()", "id"]);

#[pipeline]
static TABLE_2: OlapTable<Event> = OlapTable::new("table_2").index(Index::new("drawn", "user || toString(generateUUIDv4())", "minmax"));

#[pipeline]
static TABLE_3: OlapTable<Event> = OlapTable::new("table_3").sample_by("rand32()");

fn main() {}
