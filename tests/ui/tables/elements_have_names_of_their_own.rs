//! Indexes, projections and constraints have names, each once.

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
static TABLE_0: OlapTable<Event> = OlapTable::new("table_0").index(Index::new("by user", "user", "minmax"));

#[pipeline]
static TABLE_1: OlapTable<Event> = OlapTable::new("table_1").index(Index::new("twice", "user", "minmax")).index(Index::new("twice", "count", "minmax"));

#[pipeline]
static TABLE_2: OlapTable<Event> = OlapTable::new("table_2").projection("twice", "SELECT user ORDER BY user").projection("twice", "SELECT id ORDER BY user");

#[pipeline]
static TABLE_3: OlapTable<Event> = OlapTable::new("table_3").constraint("same", "count > 0").assume("same", "count < 10");

#[pipeline]
static TABLE_4: OlapTable<Event> = OlapTable::new("table_4").index(Index::new("_stream_offset_range", "user", "minmax"));

#[pipeline]
static TABLE_5: OlapTable<Event> = OlapTable::new("table_5").index(Index::new("", "user", "minmax"));

#[pipeline]
static TABLE_6: OlapTable<Event> = OlapTable::new("table_6").index(Index::new("flat", "user", "minmax").granularity(0));

fn main() {}
