//! Quotes and parentheses have their partners, and nothing hides the rest of the statement.

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
static TABLE_0: OlapTable<Event> = OlapTable::new("table_0").partition_by("toYYYYMM(at");

#[pipeline]
static TABLE_1: OlapTable<Event> = OlapTable::new("table_1").ttl("at) + INTERVAL 1 DAY");

#[pipeline]
static TABLE_2: OlapTable<Event> = OlapTable::new("table_2").constraint("quoted", "user != 'nobody");

#[pipeline]
static TABLE_3: OlapTable<Event> = OlapTable::new("table_3").constraint("commented", "count > 0 -- always");

#[pipeline]
static TABLE_4: OlapTable<Event> = OlapTable::new("table_4").index(Index::new("ended", "user; SELECT 1", "minmax"));

#[pipeline]
static TABLE_5: OlapTable<Event> = OlapTable::new("table_5").partition_by("  ");

fn main() {}
