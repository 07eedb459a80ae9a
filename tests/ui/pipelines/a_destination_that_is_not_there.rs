//! A pipeline has only the parts that were asked for.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
pub struct Event {
    #[key]
    pub id: String,
    pub user: String,
    pub note: Option<String>,
}

#[pipeline]
pub static EVENTS: IngestPipeline<Event> = IngestPipeline::new("events").stream(true);

#[pipeline]
pub static MORE: Stream<Event> = Stream::new("more").destination(&EVENTS.table);

#[pipeline]
pub static TWICE: IngestApi<Event> = IngestApi::new("twice").destination(&EVENTS.stream).destination(&EVENTS.stream);

fn main() {}
