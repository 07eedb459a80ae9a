//! All metrics.
//!
//! Labels are declared names (API, stream, table) and ClickHouse error codes, so every label set is bounded.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// Label of everything counted at an ingest API.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ApiLabel {
    /// Name of the API.
    pub api: String,
}

/// Label of everything counted at a table.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct TableLabel {
    /// Name of the table.
    pub table: String,
}

/// Label of everything counted at a materialized view.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ViewLabel {
    /// Name of the view, with its database.
    pub view: String,
}

/// Label of a partition's way into its table.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct LagLabel {
    /// Name of the stream.
    pub stream: String,
    /// Name of the table.
    pub table: String,
    /// Partition of the stream.
    pub partition: u16,
}

/// Label of a reader of a stream.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ReaderLabel {
    /// Name of the stream.
    pub stream: String,
    /// Its group: application and table.
    pub reader: String,
}

/// Label of a retried INSERT.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct RetryLabel {
    /// Name of the table.
    pub table: String,
    /// ClickHouse error code, or 0 where the failure was not ClickHouse's answer.
    pub code: u32,
}

/// Label of the bytes that a stream holds.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct StreamLabel {
    /// Name of the stream.
    pub stream: String,
}

/// All metrics of a process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Records answered with "accepted".
    pub accepted: Family<ApiLabel, Counter>,
    /// Records answered with an error of their own.
    pub rejected: Family<ApiLabel, Counter>,
    /// Records that ClickHouse confirmed.
    pub inserted: Family<TableLabel, Counter>,
    /// Records of a resent range that the table had already.
    pub deduplicated: Family<TableLabel, Counter>,
    /// Records that can't be stored in their table and are kept with the reason.
    pub dead_lettered: Family<TableLabel, Counter>,
    /// Records that a table has and a view behind it may lack.
    pub views_in_doubt: Family<ViewLabel, Counter>,
    /// Failed INSERTs that are sent again.
    pub retries: Family<RetryLabel, Counter>,
    /// Rows per INSERT.
    pub batch_rows: Family<TableLabel, Histogram>,
    /// Bytes per INSERT, as encoded.
    pub batch_bytes: Family<TableLabel, Histogram>,
    /// Time from sending an INSERT, or the end of one that was sent ahead, to its answer.
    pub insert_duration: Family<TableLabel, Histogram>,
    /// Records in the stream that are not in the table yet.
    pub lag_records: Family<LagLabel, Gauge>,
    /// Age of the oldest of them.
    pub lag_duration: Family<LagLabel, Gauge<f64, AtomicU64>>,
    /// Records that are kept for a reader which is not declared.
    pub undeclared_lag: Family<ReaderLabel, Gauge>,
    /// Bytes that a stream holds on disk.
    pub stream_bytes: Family<StreamLabel, Gauge>,
}

fn rows_histogram() -> Histogram {
    Histogram::new([1.0, 10.0, 100.0, 1_000.0, 10_000.0, 50_000.0, 99_999.0, 100_000.0])
}

fn bytes_histogram() -> Histogram {
    Histogram::new([1e3, 1e4, 1e5, 1e6, 4e6, 16e6, 64e6])
}

fn duration_histogram() -> Histogram {
    Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0])
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("moose");
        let metrics = Self {
            accepted: Family::default(),
            rejected: Family::default(),
            inserted: Family::default(),
            deduplicated: Family::default(),
            dead_lettered: Family::default(),
            views_in_doubt: Family::default(),
            retries: Family::default(),
            batch_rows: Family::new_with_constructor(rows_histogram as fn() -> Histogram),
            batch_bytes: Family::new_with_constructor(bytes_histogram as fn() -> Histogram),
            insert_duration: Family::new_with_constructor(duration_histogram as fn() -> Histogram),
            lag_records: Family::default(),
            lag_duration: Family::default(),
            undeclared_lag: Family::default(),
            stream_bytes: Family::default(),
            registry: Registry::default(),
        };
        registry.register("records_accepted", "Records answered as accepted", metrics.accepted.clone());
        registry.register("records_rejected", "Records answered with an error", metrics.rejected.clone());
        registry.register("records_inserted", "Records confirmed by ClickHouse", metrics.inserted.clone());
        registry.register(
            "records_deduplicated",
            "Records of a resent range that the table already had",
            metrics.deduplicated.clone(),
        );
        registry.register(
            "records_dead_lettered",
            "Records that can't be stored and are kept as dead letters",
            metrics.dead_lettered.clone(),
        );
        registry.register(
            "views_in_doubt",
            "Records that a table has and a view behind it may lack",
            metrics.views_in_doubt.clone(),
        );
        registry.register("insert_retries", "Failed INSERTs that are sent again, by code", metrics.retries.clone());
        registry.register("batch_rows", "Rows per INSERT", metrics.batch_rows.clone());
        registry.register_with_unit("batch", "Encoded bytes per INSERT", Unit::Bytes, metrics.batch_bytes.clone());
        registry.register_with_unit(
            "insert",
            "Time from sending an INSERT to its answer",
            Unit::Seconds,
            metrics.insert_duration.clone(),
        );
        registry.register("lag_records", "Records not in the table yet", metrics.lag_records.clone());
        registry.register_with_unit(
            "lag",
            "Age of the oldest record that is not in the table yet",
            Unit::Seconds,
            metrics.lag_duration.clone(),
        );
        registry.register(
            "undeclared_lag_records",
            "Records that are kept for a reader which is not declared",
            metrics.undeclared_lag.clone(),
        );
        registry.register_with_unit("stream", "Bytes that a stream holds", Unit::Bytes, metrics.stream_bytes.clone());
        Self { registry, ..metrics }
    }
}

impl Metrics {
    /// The metrics as OpenMetrics text.
    pub fn render(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
