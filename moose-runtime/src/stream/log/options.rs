//! Options for opening a log.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::fault;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// How a log is opened.
#[derive(Clone)]
pub struct LogOptions {
    /// The log's own directory; made where it is missing.
    pub path: PathBuf,
    /// Most that the records of one stream may take, counted before compression. Above it appends fail with
    /// [`StreamError::Full`](crate::stream::StreamError::Full); cursors still work,
    /// and dead letters, which are not counted, are kept.
    pub disk_budget: u64,
    /// A partition goes on in a new segment after this many bytes. Space comes back by segments.
    pub segment_bytes: u64,
    /// Newest blocks that are kept in memory, over all partitions.
    pub tail_bytes: usize,
    /// How often retention is looked at.
    pub retention_interval: Duration,
    /// The clock of timestamps and of retention.
    pub clock: Clock,
}

impl LogOptions {
    /// A log in `path`, everything else by default.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            disk_budget: 16 << 30,
            segment_bytes: 64 << 20,
            tail_bytes: 16 << 20,
            retention_interval: fault::retention_interval(Duration::from_secs(30)),
            clock: Arc::new(SystemTime::now),
        }
    }
}

impl std::fmt::Debug for LogOptions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("LogOptions")
            .field("path", &self.path)
            .field("disk_budget", &self.disk_budget)
            .field("segment_bytes", &self.segment_bytes)
            .finish_non_exhaustive()
    }
}
