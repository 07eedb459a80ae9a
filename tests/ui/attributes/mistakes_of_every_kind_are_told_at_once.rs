//! Mistakes that the macro sees, types without a column, keys, expressions, and options of tables: all at once, as far as
//! one does not depend on another.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
struct Event {
    #[key]
    id: Option<String>,
    #[olap(codec = 5)]
    user: String,
    elapsed: Duration,
    #[olap(materialized = "toDate(att)")]
    day: NaiveDate,
    #[olap(low_cardinality)]
    at: DateTime<Utc>,
    #[olap(ttl = "at + INTERVAL 1 DAY", narrowed = true)]
    note: String,
}

#[derive(OlapRecord)]
struct Visit {
    #[key]
    id: String,
    #[olap(codec = 5)]
    user: String,
    #[olap(default = "usr")]
    name: String,
}

#[pipeline]
static VISITS: OlapTable<Visit> = OlapTable::new("visits").order_by(&["usr"]);

#[pipeline]
static NUMBER: u32 = 5;

fn main() {}
