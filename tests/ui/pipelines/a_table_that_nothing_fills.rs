//! A pipeline's table is filled by its stream.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
pub struct Event {
    #[key]
    pub id: String,
    pub user: String,
    pub note: Option<String>,
}

#[pipeline]
pub static EVENTS: IngestPipeline<Event> = IngestPipeline::new("events").table(true);

fn main() {}
