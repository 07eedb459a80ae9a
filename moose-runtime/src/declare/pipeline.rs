//! The declaration of an API, a stream and a table at once.

#[cfg(feature = "runtime")]
use crate::record::ErasedBatch;
use crate::record::OlapRecord;

use super::{
    IngestApi, OlapTable, Stream, check,
    message::Message,
    spec::{Resource, Spec},
};

/// An API, a stream and a table of records `R` under one name; any of them can be left out.
///
/// ```
/// # use moose_runtime::prelude::*;
/// # #[derive(OlapRecord)]
/// # pub struct Event {
/// #     #[key]
/// #     id: String,
/// #     #[serde(rename = "userId")]
/// #     user_id: String,
/// #     timestamp: DateTime<Utc>,
/// # }
/// #[pipeline]
/// static EVENTS: IngestPipeline<Event> =
///     IngestPipeline::new("events").ingest_api(true).stream(true).table(true);
/// ```
///
/// Instead of `true`, each can be given with options, and then also with a name of its own:
///
/// ```
/// # use moose_runtime::prelude::*;
/// # #[derive(OlapRecord)]
/// # pub struct Event {
/// #     #[key]
/// #     id: String,
/// #     #[serde(rename = "userId")]
/// #     user_id: String,
/// #     timestamp: DateTime<Utc>,
/// # }
/// #[pipeline]
/// static EVENTS: IngestPipeline<Event> = IngestPipeline::new("events")
///     .ingest_api(true)
///     .stream_with(Stream::new("events").partitions(4))
///     .table_with(OlapTable::new("events").order_by(&["userId"]));
/// ```
///
/// The fields are public, so that other declarations can name them: `.destination(&EVENTS.stream)`.
#[derive(Debug)]
#[must_use = "a declaration stands in a static under `#[pipeline]`"]
pub struct IngestPipeline<R> {
    name: &'static str,
    /// The API, which sends to [`stream`](Self::stream).
    pub api: IngestApi<R>,
    /// The stream, which fills [`table`](Self::table).
    pub stream: Stream<R>,
    /// The table.
    pub table: OlapTable<R>,
}

impl<R: OlapRecord> IngestPipeline<R> {
    /// A pipeline without any member yet.
    #[track_caller]
    pub const fn new(name: &'static str) -> Self {
        check::name("a pipeline", name);
        let mut pipeline =
            Self { name, api: IngestApi::new(name), stream: Stream::new(name), table: OlapTable::new(name) };
        pipeline.api.declared = false;
        pipeline.stream.declared = false;
        pipeline.table.declared = false;
        pipeline
    }

    /// Whether records come in at `POST /ingest/<name>`.
    pub const fn ingest_api(mut self, wanted: bool) -> Self {
        self.api.declared = wanted;
        self
    }

    /// Whether there is a stream.
    pub const fn stream(mut self, wanted: bool) -> Self {
        self.stream.declared = wanted;
        self
    }

    /// Whether there is a table, filled by the stream.
    pub const fn table(mut self, wanted: bool) -> Self {
        self.table.declared = wanted;
        self
    }

    /// The stream, with options of its own.
    pub const fn stream_with(mut self, stream: Stream<R>) -> Self {
        self.stream = stream;
        self
    }

    /// The table, with options of its own.
    pub const fn table_with(mut self, table: OlapTable<R>) -> Self {
        self.table = table;
        self
    }

    /// Name of the pipeline.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<R> IngestPipeline<R> {
    /// The check of the finished declaration, called by what `#[pipeline]` generates.
    #[doc(hidden)]
    #[track_caller]
    pub const fn __finished(&self) {
        let pipeline = Message::new("pipeline `").text(self.name);
        match (self.api.declared, self.stream.declared, self.table.declared) {
            (false, false, false) => {
                pipeline.text("` declares nothing: add `.ingest_api(true).stream(true).table(true)`").fail();
            }
            (true, false, _) => pipeline.text("` has an API without a stream: add `.stream(true)`").fail(),
            (false, false, true) => pipeline
                .text("` has a table and no stream that fills it: add `.stream(true)`, or declare an `OlapTable`")
                .fail(),
            (_, true, _) => {}
        }
        if self.table.declared {
            self.table.__finished();
            self.stream.spec.expect_room_for(self.table.spec.name);
        }
    }
}

impl<R> Resource for IngestPipeline<R> {
    fn spec(&self) -> Spec {
        let table = self.table.declared.then_some(self.table.spec);
        let stream = self.stream.declared.then(|| match table {
            // A finished declaration always has room for it.
            Some(table) => self.stream.spec.with_destination(table.name).unwrap_or(self.stream.spec),
            None => self.stream.spec,
        });
        let api = self.api.declared.then(|| {
            let mut api = self.api.spec;
            api.stream = stream.map(|stream| stream.name);
            api
        });
        Spec { table, stream, api, dropped_table: None }
    }

    #[cfg(feature = "runtime")]
    fn new_batch(&self) -> Box<dyn ErasedBatch> {
        self.stream.record.new_batch_with_key(self.stream.spec.record_key)
    }
}
