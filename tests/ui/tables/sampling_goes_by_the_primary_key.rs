//! What is sampled by is in the primary key and an unsigned integer.

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
static TABLE_0: OlapTable<Event> = OlapTable::new("table_0").sample_by("cityHash64(user)");

#[pipeline]
static TABLE_1: OlapTable<Event> = OlapTable::new("table_1").order_by(&["count", "user"]).primary_key(&["count"]).sample_by("user");

#[pipeline]
static TABLE_2: OlapTable<Event> = OlapTable::new("table_2").order_by(&["user", "id"]).sample_by("user");

fn main() {}
