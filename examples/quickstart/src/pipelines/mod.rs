//! What comes in and where it goes.

use moose_runtime::prelude::*;

/// One product event.
#[derive(OlapRecord)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    #[key]
    pub id: String,
    pub user_id: String,
    pub timestamp: DateTime<Utc>,
    pub event_type: String,
}

// 1. everything at once: POST /ingest/events -> stream `events` -> table `events`
#[pipeline]
pub static EVENTS: IngestPipeline<Event> = IngestPipeline::new("events").ingest_api(true).stream(true).table(true);

// 2. a table and a stream that fills it
#[pipeline]
pub static AUDIT_TABLE: OlapTable<Event> = OlapTable::new("audit");
#[pipeline]
pub static AUDIT_STREAM: Stream<Event> = Stream::new("audit").destination(&AUDIT_TABLE);

// 3. an API in front of that stream
#[pipeline]
pub static AUDIT_API: IngestApi<Event> = IngestApi::new("audit").destination(&AUDIT_STREAM);
