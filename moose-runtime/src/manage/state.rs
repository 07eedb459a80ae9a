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

/// A failure that ends within this time is only logged.
pub const FAILURE_GRACE: Duration = Duration::from_secs(10);

/// Timeout for parts of a response that are not essential.
const SOON: Duration = Duration::from_secs(1);

/// Whether a failure makes the pipeline not ready.
pub(super) fn counts(component: &Component, failure: &Failure, now: SystemTime) -> bool {
    match component.severity() {
        Severity::AtOnce => true,
        // After the clock was set back a failure looks younger; it will count a little later.
        Severity::IfItLasts => now.duration_since(failure.since).unwrap_or_default() > FAILURE_GRACE,
    }
}

/// The state that the management port reports.
#[derive(Clone, Debug)]
pub struct ManageState {
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Which components are failing.
    pub health: Arc<Health>,
    /// Lags above this count as stuck.
    pub lag_bound: Duration,
    /// What became of the records.
    pub accounting: Arc<Accounting>,
}

impl ManageState {
    /// All lags, including those of partitions that were added since the start.
    pub(super) fn lags(&self) -> impl Iterator<Item = LagLabel> {
        let label = |(way, partition): (&Way, u16)| {
            let (stream, table) = (way.topic.clone(), way.table.clone());
            LagLabel { stream, table, partition }
        };
        self.accounting.places().map(label)
    }

    /// Sets the metric of components that are failing, by table and reason; removes all others.
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

    /// Readers that are not declared, unless the query takes long: a storage that is recovering may take longer.
    pub(super) async fn undeclared(&self) -> Vec<Undeclared> {
        let found = tokio::time::timeout(SOON, self.accounting.undeclared()).await;
        found.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// Computes the metrics that describe the current moment.
    pub(super) async fn measure(&self) {
        // Every lag has a value before it was first measured.
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
