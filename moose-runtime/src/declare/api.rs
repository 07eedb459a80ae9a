//! The declaration of an ingest API.

#[cfg(feature = "runtime")]
use crate::record::ErasedBatch;
use crate::record::OlapRecord;

use super::{
    Stream, check,
    message::Message,
    record::Record,
    spec::{ApiSpec, Resource, Spec},
};

/// `POST /ingest/<name>`: takes records `R`, checks them, and appends them to a stream.
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
/// # #[pipeline]
/// # static AUDIT: Stream<Event> = Stream::new("audit");
/// #[pipeline]
/// static AUDIT_API: IngestApi<Event> = IngestApi::new("audit").destination(&AUDIT);
/// ```
#[derive(Debug)]
#[must_use = "a declaration stands in a static under `#[pipeline]`"]
pub struct IngestApi<R> {
    pub(super) spec: ApiSpec,
    /// False for a member of a pipeline that was not asked for.
    pub(super) declared: bool,
    #[cfg_attr(not(feature = "runtime"), expect(dead_code, reason = "only the runtime makes batches"))]
    record: Record<R>,
}

impl<R: OlapRecord> IngestApi<R> {
    /// An API at `/ingest/<name>`; it needs a [`destination`](Self::destination).
    #[track_caller]
    pub const fn new(name: &'static str) -> Self {
        check::name("an API", name);
        Self { spec: ApiSpec { name, stream: None }, declared: true, record: Record::new() }
    }

    /// The stream that takes the records. It must be declared too.
    #[track_caller]
    pub const fn destination(mut self, stream: &'static Stream<R>) -> Self {
        if !stream.declared {
            Message::new("API `")
                .text(self.spec.name)
                .text("` names the stream of pipeline `")
                .text(stream.spec.name)
                .text("`, which has none: add `.stream(true)` to the pipeline")
                .fail();
        }
        if self.spec.stream.is_some() {
            Message::new("API `").text(self.spec.name).text("` has two destinations: it takes one stream").fail();
        }
        self.spec.stream = Some(stream.spec.name);
        self
    }

    /// Name of the API.
    pub const fn name(&self) -> &'static str {
        self.spec.name
    }
}

impl<R> IngestApi<R> {
    /// The check of the finished declaration, called by the code that `#[pipeline]` generates.
    #[doc(hidden)]
    #[track_caller]
    pub const fn __finished(&self) {
        if self.spec.stream.is_none() {
            Message::new("API `")
                .text(self.spec.name)
                .text("` has no stream: add `.destination(&…)` with the `Stream` that takes its records")
                .fail();
        }
    }
}

impl<R> Resource for IngestApi<R> {
    fn spec(&self) -> Spec {
        Spec { api: Some(self.spec), ..Spec::NOTHING }
    }

    #[cfg(feature = "runtime")]
    fn new_batch(&self) -> Box<dyn ErasedBatch> {
        self.record.new_batch()
    }
}
