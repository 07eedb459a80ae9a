//! The declaration of a stream.

use std::time::Duration;

#[cfg(feature = "runtime")]
use crate::record::ErasedBatch;
use crate::record::{OlapRecord, RecordColumns};

use super::{
    OlapTable, check,
    message::Message,
    record::Record,
    spec::{MAX_DESTINATIONS, Resource, Spec, StreamSpec},
};

/// A durable stream of records `R`, which fills the tables that it names.
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
/// # static AUDIT_TABLE: OlapTable<Event> = OlapTable::new("audit");
/// #[pipeline]
/// static AUDIT: Stream<Event> = Stream::new("audit").partitions(4).destination(&AUDIT_TABLE);
/// ```
#[derive(Debug)]
#[must_use = "a declaration stands in a static under `#[pipeline]`"]
pub struct Stream<R> {
    pub(super) spec: StreamSpec,
    /// False for a member of a pipeline that was not asked for.
    pub(super) declared: bool,
    #[cfg_attr(not(feature = "runtime"), expect(dead_code, reason = "only the runtime makes batches"))]
    pub(super) record: Record<R>,
}

impl<R: OlapRecord> Stream<R> {
    /// A stream of one partition that keeps records until every destination has them.
    #[track_caller]
    pub const fn new(name: &'static str) -> Self {
        check::name("a stream", name);
        let spec = StreamSpec {
            name,
            partitions: 1,
            record_key: R::KEY,
            retention: None,
            retention_bytes: None,
            destinations: [None; MAX_DESTINATIONS],
        };
        Self { spec, declared: true, record: Record::new() }
    }

    /// Number of partitions (default 1). Records of one key stay in order; partitions are synced concurrently.
    #[track_caller]
    pub const fn partitions(mut self, partitions: u16) -> Self {
        // In the provenance columns the largest number means "no partition".
        if partitions == 0 || partitions == u16::MAX {
            Message::new("stream `").text(self.spec.name).text("` must have from 1 to 65534 partitions").fail();
        }
        self.spec.partitions = partitions;
        self
    }

    /// The columns that make a record's key, instead of those with `#[key]`: records of one key go to one partition and
    /// stay in order, and on Kafka it is the message's key.
    #[track_caller]
    pub const fn record_key(mut self, columns: &'static [&'static str]) -> Self {
        check::key("record_key", columns, <R::Columns as RecordColumns<R>>::COLUMNS);
        self.spec.record_key = columns;
        self
    }

    /// How long records are kept; never deleted before every destination has them.
    #[track_caller]
    pub const fn retention(mut self, age: Duration) -> Self {
        if age.is_zero() {
            Message::new("the retention of stream `").text(self.spec.name).text("` is zero: leave it out").fail();
        }
        self.spec.retention = Some(age);
        self
    }

    /// How many bytes of records a partition keeps; records that a destination lacks are never deleted.
    #[track_caller]
    pub const fn retention_bytes(mut self, bytes: u64) -> Self {
        if bytes == 0 {
            Message::new("the retention_bytes of stream `")
                .text(self.spec.name)
                .text("` are zero: leave them out")
                .fail();
        }
        self.spec.retention_bytes = Some(bytes);
        self
    }

    /// A table that the stream fills; may be called several times. The table must be declared too.
    #[track_caller]
    pub const fn destination(mut self, table: &'static OlapTable<R>) -> Self {
        if !table.declared {
            Message::new("stream `")
                .text(self.spec.name)
                .text("` names the table of pipeline `")
                .text(table.spec.name)
                .text("`, which has none: add `.table(true)` to the pipeline")
                .fail();
        }
        self.spec.expect_room_for(table.spec.name);
        if let Some(spec) = self.spec.with_destination(table.spec.name) {
            self.spec = spec;
        }
        self
    }

    /// Name of the stream.
    pub const fn name(&self) -> &'static str {
        self.spec.name
    }

    /// Columns of the record's key; none where records have no key.
    pub const fn key(&self) -> &'static [&'static str] {
        self.spec.record_key
    }
}

impl<R> Stream<R> {
    /// The check of the finished declaration, called by the code that `#[pipeline]` generates.
    #[doc(hidden)]
    pub const fn __finished(&self) {}
}

impl<R> Resource for Stream<R> {
    fn spec(&self) -> Spec {
        Spec { stream: Some(self.spec), ..Spec::NOTHING }
    }

    #[cfg(feature = "runtime")]
    fn new_batch(&self) -> Box<dyn ErasedBatch> {
        self.record.new_batch_with_key(self.spec.record_key)
    }
}
