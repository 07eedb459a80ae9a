//! The maximum size of ranges: as configured, and smaller after ClickHouse has been out of memory for them for long.
//!
//! A range that is written down never changes, so the one that fails stays as it is; those that come after it are
//! halved.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::SyncError;
use crate::config::SyncConfig;

/// ClickHouse's error code when it is out of memory.
const OUT_OF_MEMORY: u32 = 241;
/// Queries come and go; a condition that lasts this long is not transient.
const LASTING: Duration = Duration::from_mins(5);
/// Ranges of less than a thousandth don't help.
const MOST_HALVINGS: u32 = 10;

/// The size of the ranges of one worker.
#[derive(Debug, Default)]
pub(super) struct RangeSize {
    halvings: AtomicU32,
}

impl RangeSize {
    /// Maximum records and encoded bytes of a range that begins now.
    pub(super) fn limits(&self, config: SyncConfig) -> (usize, usize) {
        let halvings = self.halvings.load(Ordering::Relaxed);
        let bytes = usize::try_from(config.max_bytes.as_u64()).unwrap_or(usize::MAX);
        ((config.max_rows >> halvings).max(1), (bytes >> halvings).max(1))
    }

    /// Halves later ranges.
    pub(super) fn halve(&self) {
        let more = |halvings: u32| (halvings < MOST_HALVINGS).then_some(halvings + 1);
        // An error means that they are at their minimum.
        let _ = self.halvings.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }
}

/// Watches the failures of one range.
#[derive(Debug, Default)]
pub(super) struct OutOfMemory {
    since: Option<Instant>,
}

impl OutOfMemory {
    /// Records a failure; true for every five minutes in which ClickHouse was out of memory and nothing else failed.
    pub(super) fn lasts(&mut self, error: &SyncError) -> bool {
        if error.code() != Some(OUT_OF_MEMORY) {
            self.since = None;
            return false;
        }
        let lasts = self.since.get_or_insert_with(Instant::now).elapsed() >= LASTING;
        if lasts {
            self.since = Some(Instant::now());
        }
        lasts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clickhouse::ClickHouseError;

    fn failed(code: u32) -> SyncError {
        SyncError::Insert(ClickHouseError::Exception { code, text: format!("Code: {code}. No") })
    }

    #[tokio::test(start_paused = true)]
    async fn five_minutes_without_memory_and_nothing_between_are_lasting() {
        let mut watch = OutOfMemory::default();
        let mut minutes = Vec::new();
        for minute in 0..20 {
            // Something else in the eighth minute.
            if watch.lasts(&failed(if minute == 8 { 999 } else { 241 })) {
                minutes.push(minute);
            }
            tokio::time::advance(Duration::from_mins(1)).await;
        }
        assert_eq!(minutes, [5, 14, 19]);
    }

    #[test]
    fn ranges_are_halved_down_to_a_thousandth() {
        let config = crate::config::Config::default().sync;
        let size = RangeSize::default();
        assert_eq!(size.limits(config), (100_000, 64 << 20));
        size.halve();
        assert_eq!(size.limits(config), (50_000, 32 << 20));
        (0..100).for_each(|_| size.halve());
        assert_eq!(size.limits(config), (97, 64 << 10));
    }
}
