//! An engine names stored columns of the record.

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
static TABLE_0: OlapTable<Event> = OlapTable::new("table_0").engine(Engine::replacing().version("versoin"));

#[pipeline]
static TABLE_1: OlapTable<Event> = OlapTable::new("table_1").engine(Engine::replacing().version("version").is_deleted("removed"));

#[pipeline]
static TABLE_2: OlapTable<Event> = OlapTable::new("table_2").engine(Engine::summing().columns(&["count", "amount"]));

#[pipeline]
static TABLE_3: OlapTable<Event> = OlapTable::new("table_3").engine(Engine::collapsing("Sign_"));

#[pipeline]
static TABLE_4: OlapTable<Event> = OlapTable::new("table_4").engine(Engine::coalescing().columns(&["nothing_like_it"]));

#[pipeline]
static TABLE_5: OlapTable<Event> = OlapTable::new("table_5").engine(Engine::coalescing().columns(&["shown"]));

fn main() {}
