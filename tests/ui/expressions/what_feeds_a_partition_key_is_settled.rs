//! A partition key does not depend on what ClickHouse makes up, by way of other columns either.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
pub struct Event {
    #[key]
    pub id: String,
    #[olap(materialized = "now()")]
    pub stored_at: DateTime<Utc>,
    #[olap(materialized = "toDate(stored_at)")]
    pub stored_on: NaiveDate,
    /// Sent with each record, so its default is for others.
    #[olap(default = "now()")]
    pub at: DateTime<Utc>,
}

#[pipeline]
static DIRECT: OlapTable<Event> = OlapTable::new("direct").partition_by("toYYYYMM(stored_at)");

#[pipeline]
static INDIRECT: OlapTable<Event> = OlapTable::new("indirect").partition_by("stored_on");

#[pipeline]
static RIGHT: OlapTable<Event> = OlapTable::new("right").partition_by("toYYYYMM(at)");

fn main() {}
