//! What a pipeline consists of has to be said.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
pub struct Event {
    #[key]
    pub id: String,
    pub user: String,
    pub note: Option<String>,
}

#[pipeline]
pub static EVENTS: IngestPipeline<Event> = IngestPipeline::new("events");

fn main() {}
