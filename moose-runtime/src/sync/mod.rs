//! The delivery protocol: from a stream partition into a table, every record once.
//!
//! One [`Worker`] per partition and destination. Its `reader` closes *ranges* of consecutive offsets and encodes them;
//! its `cursor` writes a range down before the range is sent; its `courier` sends it as one Native block, always under
//! the same token, and settles it (`settle`) after any doubt: the table is asked which rows of the range it has, and
//! only the others are inserted. A range is never given up: a failure is reported and retried. Single records that
//! can't be stored, because they no longer fit their type or because ClickHouse refuses their rows in a `trial`, become
//! dead letters before the cursor passes the range. Where several processes share a stream, a [`Roster`] runs the
//! workers of the partitions that are assigned to this one, each under a [`Lease`].

mod ahead;
mod anew;
mod backoff;
mod beginning;
mod bisection;
mod cause;
pub mod check;
pub mod counts;
mod courier;
mod cursor;
mod destination;
mod encoder;
mod error;
mod failure;
mod identity;
mod known;
mod lag;
mod lease;
mod letters;
mod mend;
mod probe;
mod progress;
mod reader;
pub mod readers;
mod recovery;
mod remembered;
mod reopen;
pub mod replay;
mod reread;
mod room;
mod roster;
mod settings;
mod settle;
mod shared;
mod size;
mod target;
#[cfg(test)]
mod tests;
mod trial;
mod tries;
mod worker;

use std::sync::Arc;

pub use cause::{Hiding, Misfit, TrialFinding};
pub use destination::Destination;
pub use error::SyncError;
pub use lease::Lease;
pub use reopen::Reopen;
#[cfg(test)]
pub(crate) use room::READ_BYTES;
pub use roster::Roster;
pub use shared::Shared;
pub use worker::Worker;

use crate::{
    memory::Reserved,
    record::BatchFactory,
    schema,
    stream::{Epochs, Topic},
    telemetry::Delivery,
};

/// One partition of a stream and the table that it goes to.
#[derive(Clone)]
pub struct Assignment {
    /// Name of the stream's topic.
    pub topic: String,
    /// The topic as it was opened.
    pub storage: Topic,
    /// Which of its partitions.
    pub partition: u16,
    /// The epochs of its records.
    pub epochs: Epochs,
    /// The prefix of its ranges' tokens: the id of its cursor, once that is known.
    pub id: String,
    /// The table.
    pub table: Arc<schema::Table>,
    /// Creates batches of the table's record type.
    pub new_batch: BatchFactory,
    /// Whether it is assigned to this process.
    pub lease: Lease,
}

impl Assignment {
    /// Its name in health and log.
    fn delivery(&self) -> Delivery {
        let (table, stream) = (self.table.name.clone(), self.topic.clone());
        Delivery { table, stream, partition: self.partition, partitions: self.storage.partitions }
    }

    /// The deduplication token of a range: always the same, and no other range's. It contains no name that may change.
    fn token(&self, first: u64, last: u64) -> String {
        format!("{}/{:016x}/{}/{first}-{last}", self.id, self.epochs.at(first), self.partition)
    }
}

/// Where to resume when the table is not the one that the cursor knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResumeFrom {
    /// From the oldest record still stored.
    Earliest,
    /// At the cursor: what was synced before stays out of the new table.
    Next,
}

/// A closed range, encoded.
#[derive(Clone, Debug)]
struct Prepared {
    first: u64,
    last: u64,
    /// The offsets of its rows: those of its records that are not dead letters.
    offsets: Arc<[u64]>,
    /// The block; empty where there are no rows.
    body: bytes::Bytes,
    /// When the stream took its first record, in milliseconds since the Unix epoch.
    oldest: i64,
    /// The memory that it holds, released with its last clone.
    room: Option<Arc<Reserved>>,
}

impl Prepared {
    fn rows(&self) -> usize {
        self.offsets.len()
    }
}

/// How the work on a partition has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// There is nothing more to do.
    Done,
    /// The partition is no longer what it was when the work began: the topic was created again.
    Outdated,
}

/// The name under which the cursors of an application's table are kept.
pub fn group(app_name: &str, table: &str) -> String {
    format!("{app_name}/{table}")
}

/// Milliseconds since the Unix epoch, by the system's clock.
fn now() -> i64 {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
