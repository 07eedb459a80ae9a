//! The state behind the management port, and the metrics that are computed when they are scraped.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::{
    stream::accounting::{Accounting, Undeclared, Way},
    telemetry::{Component, Failure, Health, HoldLabel, LagLabel, Metrics, ReaderLabel, Reason, Severity},
};

/// A failure that passes within this time is nobody's business but the log's.
pub const FAILURE_GRACE: Duration = Duration::from_secs(10);

/// How long an answer waits for what is only worth knowing.
const SOON: Duration = Duration::from_secs(1);

/// Whether a failure makes the pipeline not ready.
pub(super) fn counts(component: &Component, failure: &Failure, now: SystemTime) -> bool {
    match component.severity() {
        Severity::AtOnce => true,
        // A clock that was set back makes a failure look young; it will count a little later.
        Severity::IfItLasts => now.duration_since(failure.since).unwrap_or_default() > FAILURE_GRACE,
    }
}

/// What the management port tells about.
#[derive(Clone, Debug)]
pub struct ManageState {
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// What fails at present.
    pub health: Arc<Health>,
    /// Lags above it count as stuck.
    pub lag_bound: Duration,
    /// What became of the records.
    pub accounting: Arc<Accounting>,
}

impl ManageState {
    /// The lags that there are, those of partitions that were added since the start among them.
    pub(super) fn lags(&self) -> impl Iterator<Item = LagLabel> {
        let label = |(way, partition): (&Way, u16)| {
            let (stream, table) = (way.topic.clone(), way.table.clone());
            LagLabel { stream, table, partition }
        };
        self.accounting.places().map(label)
    }

    /// Counts what fails at present, by table and reason; no others.
    fn show_holds(&self) {
        let mut holds: BTreeMap<HoldLabel, i64> = BTreeMap::new();
        for LagLabel { table, .. } in self.lags() {
            holds
                .extend(Reason::ALL.iter().map(|(reason, _)| (HoldLabel { table: table.clone(), reason: *reason }, 0)));
        }
        let now = SystemTime::now();
        for (component, failure) in self.health.failures() {
            if let Some(table) = component.table().filter(|_| counts(&component, &failure, now)) {
                *holds.entry(HoldLabel { table: table.to_owned(), reason: failure.reason }).or_default() += 1;
            }
        }
        for (label, components) in holds {
            self.metrics.holds.get_or_create(&label).set(components);
        }
    }

    /// Readers that are not declared, if they can be told soon: a storage that mends itself may take longer.
    pub(super) async fn undeclared(&self) -> Vec<Undeclared> {
        let found = tokio::time::timeout(SOON, self.accounting.undeclared()).await;
        found.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// Works out the metrics that are about this moment.
    pub(super) async fn measure(&self) {
        // A lag is shown before anybody has measured it.
        for lag in self.lags() {
            drop(self.metrics.lag_records.get_or_create(&lag));
            drop(self.metrics.lag_seconds.get_or_create(&lag));
        }
        self.show_holds();
        self.metrics.undeclared_lag_records.clear();
        for Undeclared { stream, reader, lag } in self.undeclared().await {
            let gauge = self.metrics.undeclared_lag_records.get_or_create_owned(&ReaderLabel { stream, reader });
            gauge.set(i64::try_from(lag).unwrap_or(i64::MAX));
        }
    }
}
