//! A stream names each table once, and an API one stream.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
pub struct Event {
    #[key]
    pub id: String,
}

#[pipeline]
static TABLE: OlapTable<Event> = OlapTable::new("table");

#[pipeline]
static TWICE: Stream<Event> = Stream::new("twice").destination(&TABLE).destination(&TABLE);

#[pipeline]
static STREAM: Stream<Event> = Stream::new("stream");

#[pipeline]
static TWO: IngestApi<Event> = IngestApi::new("two").destination(&STREAM).destination(&STREAM);

#[pipeline]
static BYTES: Stream<Event> = Stream::new("bytes").retention_bytes(0);

fn main() {}
