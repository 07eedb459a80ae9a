//! Decides when to restart the embedded engine after a failed INSERT.
//!
//! An INSERT that failed between its token and its rows has used the token without storing the rows. The embedded
//! engine removes such a token when it starts, so that the range can be sent again under it, and gets into the table
//! and into the views behind it once: therefore it is restarted before the retry. A server can't be restarted by us;
//! there the table is asked.

use tokio::time::Instant;

use super::SyncError;
use crate::{clickhouse::ClickHouseError, stream::BoxFuture};

/// Error codes of an INSERT after which its token may be used without its rows: the system failed to read, write or
/// rename, or the disk is full.
const BURNT: [u32; 4] = [74, 75, 243, 1001];

/// Restarts the embedded engine.
pub trait Reopen: Send + Sync {
    /// Restarts it, unless that was done since `since`. Returns when it is up again, or when nothing more can be done.
    /// The rate of restarts is limited: it may wait first.
    fn reopen(&self, since: Instant) -> BoxFuture<'_, ()>;
}

/// Whether the embedded engine must be restarted before the range is sent again.
pub(super) fn calls_for_reopening(error: &SyncError) -> bool {
    matches!(error, SyncError::Insert(ClickHouseError::Exception { code, .. }) if BURNT.contains(code))
}
