//! Specs: the content of each kind of declaration, as constants.
#![expect(clippy::indexing_slicing, reason = "const code has no iterators")]

use std::{fmt, time::Duration};

use crate::record::ColumnSpec;
#[cfg(feature = "runtime")]
use crate::record::ErasedBatch;

use super::{
    element::{Constraint, Few, Index, Projection},
    engine::Engine,
    message::Message,
    text,
};

/// Maximum number of tables that one stream can fill.
pub(super) const MAX_DESTINATIONS: usize = 8;

/// A declaration without its record type: what the registry holds.
pub trait Resource: Sync {
    /// What is declared.
    fn spec(&self) -> Spec;

    /// An empty batch of the declaration's record type.
    #[cfg(feature = "runtime")]
    fn new_batch(&self) -> Box<dyn ErasedBatch>;
}

/// The names of what is declared: `Resource(stream events, table events)`.
impl fmt::Debug for dyn Resource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spec { table, stream, api, dropped_table } = self.spec();
        let names = [
            api.map(|spec| format!("API {}", spec.name)),
            stream.map(|spec| format!("stream {}", spec.name)),
            table.map(|spec| format!("table {}", spec.name)),
            dropped_table.map(|name| format!("dropped table {name}")),
        ];
        write!(formatter, "Resource({})", names.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

/// The resources of one declaration; up to three for an [`IngestPipeline`](super::IngestPipeline).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spec {
    /// The table.
    pub table: Option<TableSpec>,
    /// The stream.
    pub stream: Option<StreamSpec>,
    /// The API.
    pub api: Option<ApiSpec>,
    /// Name of a table that may be dropped.
    pub dropped_table: Option<&'static str>,
}

impl Spec {
    /// A declaration of nothing.
    pub(super) const NOTHING: Self = Self { table: None, stream: None, api: None, dropped_table: None };
}

/// A declared table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TableSpec {
    /// Name of the table.
    pub name: &'static str,
    /// The record's columns.
    pub columns: &'static [ColumnSpec],
    /// Table engine.
    pub engine: Engine,
    /// Sorting key: names of columns, or ClickHouse expressions over them.
    pub order_by: &'static [&'static str],
    /// Primary key; empty means the sorting key.
    pub primary_key: &'static [&'static str],
    /// Partition key, a ClickHouse expression.
    pub partition_by: Option<&'static str>,
    /// The expression that `SAMPLE` uses, a ClickHouse expression.
    pub sample_by: Option<&'static str>,
    /// When rows expire, a ClickHouse `TTL` clause.
    pub ttl: Option<&'static str>,
    pub(super) indexes: Few<Index>,
    pub(super) projections: Few<Projection>,
    pub(super) constraints: Few<Constraint>,
    /// Settings of the table, name and value.
    pub settings: &'static [(&'static str, &'static str)],
    /// The cluster on whose servers the table is created.
    pub cluster: Option<&'static str>,
    /// Whether the table has the provenance columns, which say from which record a row comes.
    pub provenance: bool,
    /// Comment of the table.
    pub comment: Option<&'static str>,
    /// The name that the table had before.
    pub renamed_from: Option<&'static str>,
    /// Names of columns that may be dropped with their values.
    pub dropped: &'static [&'static str],
}

/// A declared stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamSpec {
    /// Name of the stream and of its topic.
    pub name: &'static str,
    /// Number of partitions.
    pub partitions: u16,
    /// Columns of the record's key.
    pub record_key: &'static [&'static str],
    /// Records older than this may be deleted once every table has them.
    pub retention: Option<Duration>,
    /// The oldest records beyond this many bytes in a partition may be deleted once every table has them.
    pub retention_bytes: Option<u64>,
    pub(super) destinations: [Option<&'static str>; MAX_DESTINATIONS],
}

impl StreamSpec {
    /// Names of the tables that the stream fills.
    pub fn destinations(&self) -> impl Iterator<Item = &'static str> {
        self.destinations.into_iter().flatten()
    }

    /// The same stream with one more table to fill; `None` if it fills that one already, or can have no more.
    pub(super) const fn with_destination(mut self, table: &'static str) -> Option<Self> {
        let mut index = 0;
        while index < MAX_DESTINATIONS {
            match self.destinations[index] {
                Some(name) if text::equal(name, table) => return None,
                Some(_) => index += 1,
                None => {
                    self.destinations[index] = Some(table);
                    return Some(self);
                }
            }
        }
        None
    }

    /// Fails the compilation if [`with_destination`](Self::with_destination) would return `None`.
    #[track_caller]
    pub(super) const fn expect_room_for(&self, table: &'static str) {
        if self.with_destination(table).is_none() {
            Message::new("stream `")
                .text(self.name)
                .text("` can't fill table `")
                .text(table)
                .text("`: it is named twice, or after 8 others, which is as many as a stream can fill")
                .fail();
        }
    }
}

/// A declared API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiSpec {
    /// Name of the API: `POST /ingest/<name>`.
    pub name: &'static str,
    /// Name of the stream that takes the records; `None` in an unfinished declaration.
    pub stream: Option<&'static str>,
}
