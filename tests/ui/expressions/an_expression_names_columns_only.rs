//! Expressions name columns of the record, after renaming.

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
static TABLE_0: OlapTable<Event> = OlapTable::new("table_0").partition_by("toYYYYMM(timestamp)");

#[pipeline]
static TABLE_1: OlapTable<Event> = OlapTable::new("table_1").partition_by("toYYYYMM(att)");

#[pipeline]
static TABLE_2: OlapTable<Event> = OlapTable::new("table_2").ttl("aat + INTERVAL 30 DAY");

#[pipeline]
static TABLE_3: OlapTable<Event> = OlapTable::new("table_3").index(Index::new("by_user", "lower(usr)", "bloom_filter(0.01)"));

#[pipeline]
static TABLE_4: OlapTable<Event> = OlapTable::new("table_4").projection("per_user", "SELECT userId, count() GROUP BY userId");

#[pipeline]
static TABLE_5: OlapTable<Event> = OlapTable::new("table_5").constraint("priced", "prize > 0");

#[pipeline]
static TABLE_6: OlapTable<Event> = OlapTable::new("table_6").assume("counted", "counts > 0");

#[pipeline]
static TABLE_7: OlapTable<Event> = OlapTable::new("table_7").order_by(&["toDate(att)", "id"]);

#[pipeline]
static TABLE_8: OlapTable<Event> = OlapTable::new("table_8").sample_by("cityHash64(userr)");

fn main() {}
