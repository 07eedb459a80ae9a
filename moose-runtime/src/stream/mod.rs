//! The stream contract: topics of partitions of records, each record with an offset, and the cursors of their readers.
//!
//! A stream sees bytes and never a record type. Whatever [`Backend::append`] returned offsets for is durable; reads are
//! in offset order; a cursor commit is atomic and durable. One suite of contract tests runs against every backend.

pub mod accounting;
#[cfg(any(test, feature = "fault-points"))]
#[doc(hidden)]
pub mod contract;
mod dead_letter;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod log;
mod partitioner;

use std::{collections::BTreeMap, future::Future, pin::Pin, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

pub use dead_letter::{DeadLetter, DeadLetterDetails, DeadLetterKey, DeadLetterQuery, Ending, NotAKey, WrongField};
pub use partitioner::partition_of;

/// What a backend returns from its asynchronous calls.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One record as it lies in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Place in the partition, counted from 0.
    pub offset: u64,
    /// When the backend took it, in milliseconds since the Unix epoch, by the backend's clock.
    pub timestamp: i64,
    /// The bytes that came.
    pub payload: Bytes,
}

/// What a topic is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// Name of the topic.
    pub name: String,
    /// Number of partitions; may grow, never shrink.
    pub partitions: u16,
    /// When records that every cursor has passed may go.
    pub retention: Retention,
}

/// When records may be deleted: only what every cursor of the topic has passed, and of that what is older than `age` or
/// beyond `bytes` per partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Records older than this may go.
    pub age: Option<Duration>,
    /// The oldest records beyond this many bytes in a partition may go.
    pub bytes: Option<u64>,
}

/// What a topic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topic {
    /// 64 random bits made with the topic's storage: a wiped directory or a second stream never has the same.
    pub epoch: u64,
    /// Number of partitions.
    pub partitions: u16,
}

/// The offsets that exist in a partition: `start..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// First offset still stored.
    pub start: u64,
    /// Offset that the next record will get.
    pub end: u64,
}

/// How far a reader of a partition has come. Atomic and durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Version of this layout; 1 today.
    pub version: u8,
    /// The epoch of the topic that the offsets belong to.
    pub epoch: u64,
    /// `uuid` of the destination table in `system.tables`, once known.
    pub table_uuid: Option<uuid::Uuid>,
    /// Every offset below is done.
    pub next: u64,
    /// Ranges written down before their INSERT, in order, at most two.
    pub pending: Vec<Pending>,
    /// What became of the records below `next`; absent in a cursor that was written before there was counting.
    #[serde(default)]
    pub counted: Option<Counted>,
}

/// Counts that are written with the cursor, in the same commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// The offset at which counting began.
    pub from: u64,
    /// Rows that the table has confirmed since.
    pub inserted: u64,
}

impl Counted {
    /// Counting that begins at an offset.
    pub fn since(from: u64) -> Self {
        Self { from, inserted: 0 }
    }
}

/// A range that may be on its way into the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// First offset.
    pub first: u64,
    /// Last offset, inclusive.
    pub last: u64,
    /// When it was written down, in milliseconds since the Unix epoch.
    pub since: i64,
    /// How many starts of the process have found it pending.
    pub attempts: u32,
    /// Its token was taken by ClickHouse without its rows (see the delivery document).
    pub burnt: bool,
}

/// What a group gives to this process, and takes away.
#[derive(Debug)]
pub enum AssignmentEvent {
    /// The partition is this process's: its cursor may be read and written, its records sent.
    Assigned {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u16,
    },
    /// The partition is taken away. Whoever works on it answers `done` once no commit of theirs is on its way and none
    /// will be begun; the group goes on only then. Dropping `done` is an answer too.
    Revoked {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u16,
        /// The answer.
        done: oneshot::Sender<()>,
    },
}

/// The changes of a group's assignments, as long as this process takes part.
#[derive(Debug)]
pub struct Assignments {
    events: mpsc::UnboundedReceiver<AssignmentEvent>,
}

impl Assignments {
    /// Assignments that a backend will send.
    pub fn new(events: mpsc::UnboundedReceiver<AssignmentEvent>) -> Self {
        Self { events }
    }

    /// These partitions, for good: nobody else takes part.
    pub fn of_all(partitions: impl IntoIterator<Item = (String, u16)>) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        for (topic, partition) in partitions {
            // Never an error: the receiver is here.
            let _ = sender.send(AssignmentEvent::Assigned { topic, partition });
        }
        Self { events }
    }

    /// The next change; `None` when there will be none any more. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<AssignmentEvent> {
        self.events.recv().await
    }
}

/// Storage of streams. All calls are safe from many tasks at once.
pub trait Backend: Send + Sync + 'static {
    /// Makes the topic where it is missing, grows its partitions where they are fewer, and tells what it is.
    fn open_topic<'a>(&'a self, spec: &'a TopicSpec) -> BoxFuture<'a, Result<Topic>>;

    /// Appends records, in order; durable when it returns. The answer is the first offset. Where nobody else writes to the
    /// partition, the offsets are consecutive.
    fn append<'a>(&'a self, topic: &'a str, partition: u16, records: Vec<Bytes>) -> BoxFuture<'a, Result<u64>>;

    /// The largest record that [`append`](Self::append) takes: a larger one is an error of its own, not of the stream.
    fn max_record_bytes(&self) -> usize;

    /// Records from offset `from` on, at least one (waiting for it as long as it takes) and then no more than about
    /// `max_bytes` of payload. An offset below the partition's start or past its end is an error with the numbers. A reader
    /// goes on where it stopped; whoever only wants to look asks for one byte. Dropping the future reads nothing.
    fn read<'a>(
        &'a self,
        topic: &'a str,
        partition: u16,
        from: u64,
        max_bytes: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>>>;

    /// All records from `first` to `last` that there are: offsets may have gaps. An offset that the partition does not hold
    /// yet, or any more, is an error with the numbers.
    fn read_range<'a>(
        &'a self,
        topic: &'a str,
        partition: u16,
        first: u64,
        last: u64,
    ) -> BoxFuture<'a, Result<Vec<Record>>>;

    /// The offsets that the partition holds.
    fn bounds<'a>(&'a self, topic: &'a str, partition: u16) -> BoxFuture<'a, Result<Bounds>>;

    /// Bytes that the topic takes on disk, where the backend knows.
    fn size<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Result<Option<u64>>>;

    /// Takes part in a group that shares these topics, whose records are kept for it from now on: which partitions are
    /// this process's, and which are no longer. To be called once per group.
    fn assignments<'a>(&'a self, group: &'a str, topics: &'a [String]) -> BoxFuture<'a, Result<Assignments>>;

    /// The epoch under which the group reads the partition: that of the cursor where there is one, and another when the
    /// topic is another, or somebody has moved the group.
    fn epoch<'a>(&'a self, group: &'a str, topic: &'a str, partition: u16) -> BoxFuture<'a, Result<u64>>;

    /// The cursor that `group` committed last for the partition.
    fn cursor<'a>(&'a self, group: &'a str, topic: &'a str, partition: u16) -> BoxFuture<'a, Result<Option<Cursor>>>;

    /// Whether a cursor may be gone while the records are still there: brokers forget those of groups that are away for
    /// long.
    fn forgets_cursors(&self) -> bool;

    /// Whether there may be offsets without a record.
    fn has_gaps(&self) -> bool {
        false
    }

    /// Replaces the cursor; durable when it returns. Where a group has several members, only while the partition is
    /// assigned to this one.
    fn commit<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
        partition: u16,
        cursor: &'a Cursor,
    ) -> BoxFuture<'a, Result<()>>;

    /// Keeps dead letters; durable when it returns. Retention never takes one, nor does a full stream refuse one. Of
    /// letters with one key the first stays as it is. The answer is how many were new.
    fn put_dead_letters<'a>(&'a self, letters: &'a [DeadLetter]) -> BoxFuture<'a, Result<u64>>;

    /// Dead letters that have not ended, in the order of their keys.
    fn dead_letters<'a>(&'a self, query: &'a DeadLetterQuery) -> BoxFuture<'a, Result<Vec<DeadLetter>>>;

    /// The dead letter with this key, unless it has ended.
    fn dead_letter<'a>(&'a self, key: &'a DeadLetterKey) -> BoxFuture<'a, Result<Option<DeadLetter>>>;

    /// The offsets from `first` to `last` of one partition and destination that have a dead letter, and how it has ended,
    /// if it has: they are no rows of their range.
    fn dead_letter_offsets<'a>(
        &'a self,
        first: &'a DeadLetterKey,
        last: u64,
    ) -> BoxFuture<'a, Result<BTreeMap<u64, Option<Ending>>>>;

    /// Ends dead letters: their payloads go, their keys stay; durable when it returns. The answer is how many had not
    /// ended before.
    fn end_dead_letters<'a>(&'a self, keys: &'a [DeadLetterKey], ending: Ending) -> BoxFuture<'a, Result<u64>>;

    /// Ends all work and syncs what is left. Calls after it fail with [`StreamError::Closed`].
    fn close(&self) -> BoxFuture<'_, Result<()>>;
}

/// Result of the stream's calls.
pub type Result<T, E = StreamError> = std::result::Result<T, E>;

/// Why a stream could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// No topic of that name was opened.
    #[error("topic `{topic}` is not open")]
    UnknownTopic {
        /// The name asked for.
        topic: String,
    },
    /// The topic has fewer partitions.
    #[error("topic `{topic}` has no partition {partition}")]
    UnknownPartition {
        /// The topic.
        topic: String,
        /// The partition asked for.
        partition: u16,
    },
    /// Fewer partitions are declared than are stored: their records would be lost.
    #[error(
        "topic `{topic}` has {stored} partitions and {declared} are declared: partitions can't be taken away, declare {stored} or more"
    )]
    Shrunk {
        /// The topic.
        topic: String,
        /// Partitions that it has.
        stored: u16,
        /// Partitions that were asked for.
        declared: u16,
    },
    /// Another process has the directory open.
    #[error("{}", .message)]
    Locked {
        /// What is locked, by whom, and what to do.
        message: String,
    },
    /// An offset that the partition does not hold.
    #[error("topic `{topic}` partition {partition} holds offsets {start}..{end}; {wanted} was asked for")]
    OutOfRange {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u16,
        /// The offset asked for.
        wanted: u64,
        /// First offset stored.
        start: u64,
        /// Next offset to be given.
        end: u64,
    },
    /// Stored bytes are not what was written.
    #[error("topic `{topic}` partition {partition} is damaged at offset {offset}: {detail}")]
    Damaged {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u16,
        /// Where.
        offset: u64,
        /// What is wrong.
        detail: String,
    },
    /// The stream takes no more at present; nothing of the request was stored.
    #[error("topic `{topic}` can't take more: {reason}")]
    Full {
        /// The topic.
        topic: String,
        /// Why, and what frees it.
        reason: String,
    },
    /// Not all records of an append were taken.
    #[error(
        "topic `{topic}` partition {partition} took {accepted} records, not {rejected}, and of {unknown} it is not known: {reason}"
    )]
    Partly {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u16,
        /// Records that are durable.
        accepted: usize,
        /// Records that are not there and will not be.
        rejected: usize,
        /// Records that may be there, or come to be.
        unknown: usize,
        /// The first error.
        reason: String,
    },
    /// No broker answers.
    #[error("no broker of {brokers} answers: {reason}; set `kafka.brokers` to ones that do")]
    Unreachable {
        /// Who was asked.
        brokers: String,
        /// The error.
        reason: String,
    },
    /// The brokers are there and don't let this process in, or are not those that it trusts.
    #[error("{brokers} can't be talked to: {reason}; set `kafka.properties` to what the brokers ask for")]
    Denied {
        /// Who was asked.
        brokers: String,
        /// The error.
        reason: String,
    },
    /// The settings of the stream's storage are wrong.
    #[error("the settings of the stream can't be used: {reason}")]
    Settings {
        /// Which, and what is wrong.
        reason: String,
    },
    /// The storage failed.
    #[error("failed to {action}: {source}")]
    Storage {
        /// What was being done, with the place.
        action: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The stream was closed.
    #[error("the stream is closed")]
    Closed,
}
