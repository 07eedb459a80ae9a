//! Options of an engine are for that engine.

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
static TABLE_0: OlapTable<Event> = OlapTable::new("table_0").engine(Engine::summing().version("version"));

#[pipeline]
static TABLE_1: OlapTable<Event> = OlapTable::new("table_1").engine(Engine::merge_tree().is_deleted("deleted"));

#[pipeline]
static TABLE_2: OlapTable<Event> = OlapTable::new("table_2").engine(Engine::replacing().is_deleted("deleted"));

#[pipeline]
static TABLE_3: OlapTable<Event> = OlapTable::new("table_3").engine(Engine::replacing().columns(&["count"]));

#[pipeline]
static TABLE_4: OlapTable<Event> = OlapTable::new("table_4").engine(Engine::summing().columns(&[]));

#[pipeline]
static TABLE_5: OlapTable<Event> = OlapTable::new("table_5").engine(Engine::summing().columns(&["count", "count"]));

#[pipeline]
static TABLE_6: OlapTable<Event> = OlapTable::new("table_6").engine(Engine::versioned_collapsing("sign", "sign"));

#[pipeline]
static TABLE_7: OlapTable<Event> = OlapTable::new("table_7").engine(Engine::merge_tree().replicated_at("/tables/events", ""));

fn main() {}
