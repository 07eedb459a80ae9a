//! The one table of metrics, from which they are registered and `docs/metrics.md` is generated.

use std::{
    sync::atomic::AtomicU64,
    time::{SystemTime, UNIX_EPOCH},
};

use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Metric, Registry, Unit},
};

use super::labels::{
    ApiLabel, Declared, HoldLabel, Labels as _, LagLabel, LetterLabel, ReaderLabel, RejectionLabel, RetryLabel,
    StreamLabel, TableLabel, ViewLabel,
};

/// What every name begins with.
pub(super) const PREFIX: &str = "moose";

/// A gauge of seconds.
pub type Seconds = Gauge<f64, AtomicU64>;

/// Makes [`Metrics`] out of the table: a metric's sentence is its help, and its unit is what its name ends with.
macro_rules! metrics {
    ($( $(#[doc = $help:literal])+ $name:ident: $kind:ident<$labels:ident> $(= $new:expr)?; )+) => {
        /// All metrics of a process, each under its exported name without `moose_` and the `_total` of counters.
        #[derive(Debug)]
        pub struct Metrics {
            registry: Registry,
            $( $(#[doc = $help])+ pub(crate) $name: Family<$labels, $kind>, )+
        }

        impl Default for Metrics {
            fn default() -> Self {
                let mut registry = Registry::with_prefix(PREFIX);
                $(
                    let $name: Family<$labels, $kind> = metrics!(@family $($new)?);
                    register(&mut registry, stringify!($name), concat!($($help),+), $name.clone());
                )+
                Self { registry, $( $name ),+ }
            }
        }

        impl Metrics {
            /// Makes every series whose labels are known, so that it is there before its first event.
            fn make_zeros(&self, declared: &Declared) {
                $(
                    for label in $labels::known(declared) {
                        drop(self.$name.get_or_create(&label));
                    }
                )+
            }
        }

        /// The table as it is documented.
        #[cfg(test)]
        pub(super) const TABLE: &[Row] = &[
            $( Row {
                name: stringify!($name),
                help: concat!($($help),+),
                kind: stringify!($kind),
                labels: $labels::LABELS,
            } ),+
        ];
    };
    (@family) => { Family::default() };
    (@family $new:expr) => { Family::new_with_constructor($new) };
}

metrics! {
    /// Records answered as accepted.
    records_accepted: Counter<ApiLabel>;
    /// Records answered with an error of their own.
    records_rejected: Counter<RejectionLabel>;
    /// Records that ClickHouse confirmed.
    records_inserted: Counter<TableLabel>;
    /// Records of a range that was sent again which the table had already.
    records_deduplicated: Counter<TableLabel>;
    /// Records that can't be stored in their table and are kept as dead letters.
    records_dead_lettered: Counter<LetterLabel>;
    /// Records that a table has and a view behind it may lack.
    views_in_doubt: Counter<ViewLabel>;
    /// Failed INSERTs that are sent again.
    insert_retries: Counter<RetryLabel>;
    /// Components on the way into a table that fail, as `/ready` lists them.
    holds: Gauge<HoldLabel>;
    /// Rows per INSERT.
    batch_rows: Histogram<TableLabel> = rows;
    /// Bytes per INSERT, as encoded.
    batch_bytes: Histogram<TableLabel> = bytes;
    /// Time from sending an INSERT, or the end of one that was sent ahead, to its answer.
    insert_seconds: Histogram<TableLabel> = seconds;
    /// Unix time at which a table had last taken a range; before its first one, at which the process started.
    last_flush_timestamp_seconds: Seconds<TableLabel>;
    /// Records in the stream that are not in the table yet.
    lag_records: Gauge<LagLabel>;
    /// Age of the oldest record that is not in the table yet.
    lag_seconds: Seconds<LagLabel>;
    /// Records that are kept for a reader which is not declared.
    undeclared_lag_records: Gauge<ReaderLabel>;
    /// Bytes that a stream holds on disk; not known of Kafka's.
    stream_bytes: Gauge<StreamLabel>;
}

fn rows() -> Histogram {
    Histogram::new([1.0, 10.0, 100.0, 1_000.0, 10_000.0, 50_000.0, 99_999.0, 100_000.0])
}

fn bytes() -> Histogram {
    Histogram::new([1e3, 1e4, 1e5, 1e6, 4e6, 16e6, 64e6])
}

fn seconds() -> Histogram {
    Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0])
}

fn register(registry: &mut Registry, name: &str, help: &str, metric: impl Metric) {
    let help = help.trim().trim_end_matches('.');
    match name.rsplit_once('_') {
        Some((name, "bytes")) => registry.register_with_unit(name, help, Unit::Bytes, metric),
        Some((name, "seconds")) => registry.register_with_unit(name, help, Unit::Seconds, metric),
        _ => registry.register(name, help, metric),
    }
}

/// One metric, as it is documented.
#[cfg(test)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: &'static str,
    pub(super) labels: &'static [(&'static str, &'static str)],
}

impl Metrics {
    /// Shows what is declared before anything has happened.
    pub(crate) fn begin(&self, declared: &Declared) {
        self.make_zeros(declared);
        for table in &declared.tables {
            self.flushed(table);
        }
    }

    /// The table has taken a range.
    pub(crate) fn flushed(&self, table: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let label = TableLabel { table: table.to_owned() };
        self.last_flush_timestamp_seconds.get_or_create(&label).set(now.as_secs_f64());
    }

    /// The metrics as OpenMetrics text.
    pub fn render(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
