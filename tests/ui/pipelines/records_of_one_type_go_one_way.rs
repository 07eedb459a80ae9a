//! API, stream and table are of one record type, which derives `OlapRecord`.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
pub struct Event {
    #[key]
    pub id: String,
}

#[derive(OlapRecord)]
pub struct Other {
    #[key]
    pub id: String,
}

pub struct Plain;

#[pipeline]
static TABLE: OlapTable<Event> = OlapTable::new("table");

#[pipeline]
static STREAM: Stream<Other> = Stream::new("stream").destination(&TABLE);

#[pipeline]
static API: IngestApi<Event> = IngestApi::new("api").destination(&STREAM);

#[pipeline]
static PLAIN: OlapTable<Plain> = OlapTable::new("plain");

fn main() {}
