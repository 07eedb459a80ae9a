//! A struct without the derive is no record type.

use moose_runtime::prelude::*;

pub struct Event {
    pub id: String,
}

#[pipeline]
static EVENTS: IngestPipeline<Event> = IngestPipeline::new("events").stream(true);

fn main() {}
