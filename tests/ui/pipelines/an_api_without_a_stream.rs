//! An API has to send its records somewhere, whichever way it is declared.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
pub struct Event {
    #[key]
    pub id: String,
    pub user: String,
    pub note: Option<String>,
}

#[pipeline]
pub static ALONE: IngestApi<Event> = IngestApi::new("alone");

#[pipeline]
pub static EVENTS: IngestPipeline<Event> = IngestPipeline::new("events").ingest_api(true);

fn main() {}
