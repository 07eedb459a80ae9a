//! A key keeps its values, so none of its columns has a time to live.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
pub struct Event {
    #[key]
    pub id: String,
    pub at: DateTime<Utc>,
    #[olap(ttl = "at + INTERVAL 1 DAY")]
    pub note: String,
}

#[pipeline]
static SORTED: OlapTable<Event> = OlapTable::new("sorted").order_by(&["lower(note)", "id"]);

#[pipeline]
static DIVIDED: OlapTable<Event> = OlapTable::new("divided").partition_by("note");

fn main() {}
