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

/// What all workers of a process share.
#[derive(Clone)]
pub struct Shared {
    /// The streams.
    pub backend: Arc<dyn Backend>,
    /// The database.
    pub client: Client,
    /// When ranges close.
    pub config: SyncConfig,
    /// What all ranges may hold in memory, together.
    pub memory: Share,
    /// Names the cursors, together with the table.
    pub app_name: String,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What is stuck.
    pub health: Arc<Health>,
    /// Tells the workers to drain and end.
    pub stop: Shutdown,
    /// What to do about a table that was dropped or replaced since the cursor was written.
    pub resume: Option<ResumeFrom>,
    /// Which tables are drained.
    pub drains: Drains,
    /// Opens the database anew, where it is ours to open.
    pub reopen: Option<Arc<dyn Reopen>>,
}

impl Shared {
    /// Shows a failed try. It began when the answer that did not come was asked for.
    pub(super) fn failed(&self, component: &Component, error: &SyncError) {
        self.health.failed_after(error.waited(), component, error.reason(), error.code(), error.to_string());
    }

    /// What was stuck about a partition, and how far it was behind, is another process's affair now.
    pub(super) fn forget(&self, assignment: &Assignment) {
        self.health.forget(&assignment.delivery());
        let Assignment { topic, partition, table, .. } = assignment;
        let label = LagLabel { stream: topic.clone(), table: table.name.clone(), partition: *partition };
        self.metrics.lag_records.get_or_create(&label).set(0);
        self.metrics.lag_seconds.get_or_create(&label).set(0.0);
    }
}
