//! Options for opening a log.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::fault;

/// A clock, replaceable in tests.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Options for opening a log.
#[derive(Clone)]
pub struct LogOptions {
    /// The log's own directory; created if missing.
    pub path: PathBuf,
    /// Maximum bytes of the records of one stream, counted before compression. Above it appends fail with
    /// [`StreamError::Full`](crate::stream::StreamError::Full); cursors still work, and dead letters, which are not
    /// counted, are kept.
    pub disk_budget: u64,
    /// A partition continues in a new segment after this many bytes. Space is freed by segments.
    pub segment_bytes: u64,
    /// Bytes of the newest blocks that are kept in memory, over all partitions.
    pub tail_bytes: usize,
    /// How often retention runs.
    pub retention_interval: Duration,
    /// The clock of timestamps and of retention.
    pub clock: Clock,
}

impl LogOptions {
    /// A log in `path`, with defaults for everything else.
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
