//! Names become tables, topics, directories and URLs.

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
pub struct Event {
    #[key]
    pub id: String,
    pub user: String,
    pub note: Option<String>,
}

#[pipeline]
pub static HYPHEN: IngestPipeline<Event> = IngestPipeline::new("user-events").stream(true);

#[pipeline]
pub static EMPTY: OlapTable<Event> = OlapTable::new("");

#[pipeline]
pub static DIGIT: Stream<Event> = Stream::new("2nd");

fn main() {}
