//! Versions, signs, deletions and sums have types that merging can work with.

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
static TABLE_0: OlapTable<Event> = OlapTable::new("table_0").engine(Engine::replacing().version("user"));

#[pipeline]
static TABLE_1: OlapTable<Event> = OlapTable::new("table_1").engine(Engine::replacing().version("price"));

#[pipeline]
static TABLE_2: OlapTable<Event> = OlapTable::new("table_2").engine(Engine::replacing().version("version").is_deleted("sign"));

#[pipeline]
static TABLE_3: OlapTable<Event> = OlapTable::new("table_3").engine(Engine::collapsing("count"));

#[pipeline]
static TABLE_4: OlapTable<Event> = OlapTable::new("table_4").engine(Engine::versioned_collapsing("sign", "note"));

#[pipeline]
static TABLE_5: OlapTable<Event> = OlapTable::new("table_5").engine(Engine::summing().columns(&["user"]));

fn main() {}
