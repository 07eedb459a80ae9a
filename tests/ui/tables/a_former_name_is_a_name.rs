//! Former names and clusters are names.

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
static TABLE_0: OlapTable<Event> = OlapTable::new("table_0").renamed_from("old events");

#[pipeline]
static TABLE_1: OlapTable<Event> = OlapTable::new("table_1").renamed_from("");

#[pipeline]
static TABLE_2: OlapTable<Event> = OlapTable::new("table_2").cluster(" ");

#[pipeline]
static TABLE_3: OlapTable<Event> = OlapTable::new("table_3").comment("fine").settings(&[("index granularity", "1")]);

#[pipeline]
static TABLE_4: OlapTable<Event> = OlapTable::new("table_4").settings(&[("replicated_deduplication_window", "0")]);

fn main() {}
