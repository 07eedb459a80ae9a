//! The state that all workers of a process share.

use std::sync::Arc;

use super::{Assignment, Reopen, ResumeFrom, SyncError};
use crate::{
    clickhouse::Client,
    config::SyncConfig,
    drain::Drains,
    memory::Share,
    shutdown::Shutdown,
    stream::Backend,
    telemetry::{Component, Health, LagLabel, Metrics},
};

/// The state that all workers of a process share.
#[derive(Clone)]
pub struct Shared {
    /// The streams.
    pub backend: Arc<dyn Backend>,
    /// The database.
    pub client: Client,
    /// When ranges close.
    pub config: SyncConfig,
    /// The memory that all ranges together may hold.
    pub memory: Share,
    /// Part of the cursors' group name, together with the table.
    pub app_name: String,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Which components are failing.
    pub health: Arc<Health>,
    /// Tells the workers to drain and end.
    pub stop: Shutdown,
    /// Where to resume for a table that was dropped or replaced since the cursor was written.
    pub resume: Option<ResumeFrom>,
    /// Which tables are drained.
    pub drains: Drains,
    /// Restarts the embedded engine; `None` for a server.
    pub reopen: Option<Arc<dyn Reopen>>,
}

impl Shared {
    /// Reports a failed try. It began when the request that got no response was sent.
    pub(super) fn failed(&self, component: &Component, error: &SyncError) {
        self.health.failed_after(error.waited(), component, error.reason(), error.code(), error.to_string());
    }

    /// Drops the failures and the lag of a partition, which another process has now.
    pub(super) fn forget(&self, assignment: &Assignment) {
        self.health.forget(&assignment.delivery());
        let Assignment { topic, partition, table, .. } = assignment;
        let label = LagLabel { stream: topic.clone(), table: table.name.clone(), partition: *partition };
        self.metrics.lag_records.get_or_create(&label).set(0);
        self.metrics.lag_seconds.get_or_create(&label).set(0.0);
    }
}
