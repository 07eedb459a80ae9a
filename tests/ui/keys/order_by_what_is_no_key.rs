//! A sorting key names columns of the record that are never NULL, each once.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
pub struct Event {
    #[key]
    pub id: String,
    pub user: String,
    pub note: Option<String>,
}

#[pipeline]
pub static UNKNOWN: OlapTable<Event> = OlapTable::new("unknown").order_by(&["user", "time"]);

#[pipeline]
pub static NULLABLE: OlapTable<Event> = OlapTable::new("nullable").order_by(&["note"]);

#[pipeline]
pub static TWICE: IngestPipeline<Event> = IngestPipeline::new("twice")
    .stream(true)
    .table_with(OlapTable::new("twice").order_by(&["user", "user"]));

fn main() {}
