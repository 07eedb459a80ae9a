//! Names that begin with `_stream_` are those of the hidden columns.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
pub struct Event {
    #[key]
    pub id: String,
    pub _stream_name: String,
}

#[pipeline]
static EVENTS: OlapTable<Event> = OlapTable::new("events");

fn main() {}
