//! The stream contract: topics of partitions of records, each record with an offset, and the cursors of their readers.
//!
//! A stream sees bytes and never a record type. Whatever [`Backend::append`] returned offsets for is durable; reads are
//! in offset order; a cursor commit is atomic and durable. One suite of contract tests runs against every backend.

pub mod accounting;
#[cfg(any(test, feature = "fault-points"))]
#[doc(hidden)]
pub mod contract;
mod dead_letter;
#[cfg(test)]
pub(crate) mod double;
mod epochs;
mod error;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod log;
mod partitioner;

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

pub use dead_letter::{DeadLetter, DeadLetterDetails, DeadLetterKey, DeadLetterQuery, Ending, NotAKey, WrongField};
pub use epochs::{EpochSpan, EpochStart, Epochs};
pub use error::{Result, StreamError};
pub use partitioner::{Spread, partition_of};

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

/// A record that is to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord {
    /// Its key, where it has one and the backend [keeps keys](Capabilities::keeps_keys): other clients of the topic, and its
    /// compaction, go by it. It has nothing to do with the partition that an append names.
    pub key: Option<Bytes>,
    /// The bytes to be kept.
    pub payload: Bytes,
}

/// A record without a key.
impl From<Bytes> for NewRecord {
    fn from(payload: Bytes) -> Self {
        Self { key: None, payload }
    }
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
    /// 64 random bits made with the topic's storage: a wiped directory or a second stream never has the same. What is
    /// stored later may have other [epochs](Backend::epochs).
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
    /// The epoch of the topic that the offsets belong to, as [`Backend::epoch`] tells it.
    pub epoch: u64,
    /// What the tokens of its ranges begin with: made with the cursor, so that no name is in them. Absent in a cursor that
    /// was written when names were.
    #[serde(default)]
    pub id: Option<String>,
    /// It has been said where to go on, and that counts once: until a start without such an answer.
    #[serde(default)]
    pub answered: bool,
    /// `uuid` of the destination table in `system.tables`, once known.
    pub table_uuid: Option<uuid::Uuid>,
    /// Every offset below is done.
    pub next: u64,
    /// Ranges written down before their INSERT, in order, at most two.
    pub pending: Vec<Pending>,
    /// Ranges, first and last offset, of which the table has the rows and the views behind it may lack some: the newest
    /// [`VIEWS_IN_DOUBT`].
    #[serde(default)]
    pub views_in_doubt: Vec<(u64, u64)>,
    /// What became of the records below `next`; absent in a cursor that was written before there was counting.
    #[serde(default)]
    pub counted: Option<Counted>,
}

impl Cursor {
    /// A cursor that has come as far as `next` and knows nothing more.
    pub fn new(epoch: u64, next: u64) -> Self {
        Self {
            version: 1,
            epoch,
            id: None,
            answered: false,
            table_uuid: None,
            next,
            pending: Vec::new(),
            views_in_doubt: Vec::new(),
            counted: None,
        }
    }
}

impl Cursor {
    /// The id of a group's cursor that was written before cursors had ids: tokens began with the names of table and topic.
    pub fn id_of_names(group: &str, topic: &str) -> String {
        let table = group.rsplit_once('/').map_or(group, |(_, table)| table);
        format!("{table}/{topic}")
    }
}

/// How many ranges a cursor names of which views may lack something.
pub const VIEWS_IN_DOUBT: usize = 16;

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
    /// The boot of the machine in which it was written down, 0 where that is not known; absent where its rows may have come
    /// into the table under another token than its own.
    #[serde(default)]
    pub boot: Option<u64>,
}

impl Pending {
    /// A range that is written down now, at `since`.
    pub fn new(first: u64, last: u64, since: i64) -> Self {
        Self { first, last, since, attempts: 0, burnt: false, boot: None }
    }
}

/// A reader of a partition that is known to the storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Its group.
    pub group: String,
    /// The partition.
    pub partition: u16,
    /// How far it has come; nothing before its first commit.
    pub cursor: Option<Cursor>,
}

/// Why a storage takes nothing at present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// When that began.
    pub since: SystemTime,
    /// What fails.
    pub message: String,
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

/// What one storage of streams does and another does not.
#[expect(clippy::struct_excessive_bools, reason = "facts that have nothing to do with each other")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The largest record that [`Backend::append`] takes: a larger one is an error of its own, not of the stream.
    pub max_record_bytes: usize,
    /// Whether records are kept with their keys: otherwise nobody need make one.
    pub keeps_keys: bool,
    /// Whether there may be offsets without a record.
    pub has_gaps: bool,
    /// Whether the readers of a topic can be [listed and forgotten](Backend::readers). Brokers can't be asked which group
    /// reads for which table.
    pub lists_readers: bool,
    /// Whether a cursor may be gone while the records are still there: brokers forget those of groups that are away for
    /// long.
    pub cursors_expire: bool,
    /// Whether somebody may delete a topic and create it again while it is read: its offsets then belong to other records.
    pub topics_can_be_recreated: bool,
}

/// Storage of streams. All calls are safe from many tasks at once.
pub trait Backend: Send + Sync + 'static {
    /// What this storage does and others may not, as far as is known: a topic that is opened later may take less.
    fn capabilities(&self) -> Capabilities;

    /// Makes the topic where it is missing, grows its partitions where they are fewer, and tells what it is.
    fn open_topic<'a>(&'a self, spec: &'a TopicSpec) -> BoxFuture<'a, Result<Topic>>;

    /// The topic as it is now: it may have been deleted and made anew since it was opened.
    fn topic<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Result<Topic>>;

    /// How many partitions the topic has, as far as is known: somebody may have added some since it was opened. 0 where it
    /// was not opened.
    fn partitions(&self, topic: &str) -> u16;

    /// Appends records, in order; durable when it returns. The answer is the first offset. Where nobody else writes to the
    /// partition, the offsets are consecutive.
    fn append<'a>(&'a self, topic: &'a str, partition: u16, records: Vec<NewRecord>) -> BoxFuture<'a, Result<u64>>;

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

    /// So many partitions will be read at once, and may take `most` bytes of memory with what is read ahead of the readers.
    /// The answer is how much of it will be taken. To be called before they begin.
    fn read_ahead(&self, readers: usize, most: u64) -> u64 {
        let _ = (readers, most);
        0
    }

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
    /// topic is another, or somebody has moved the group. Asked for while a partition is worked on, another one than before
    /// says that what is read now has nothing to do with what was.
    fn epoch<'a>(&'a self, group: &'a str, topic: &'a str, partition: u16) -> BoxFuture<'a, Result<u64>>;

    /// The epochs under which the records of a partition were taken, where the storage begins them: the embedded log does
    /// each time it is opened, so that no two records ever have the same epoch, partition and offset, whatever becomes of
    /// its directory. Elsewhere the [epoch](Self::epoch) of the group's cursor counts for all records.
    fn epochs(&self, topic: &str, partition: u16) -> Result<Option<Epochs>> {
        let _ = (topic, partition);
        Ok(None)
    }

    /// Everyone who is known to read the topic, with a place for each partition. Where they [can't be
    /// listed](Capabilities::lists_readers), nobody.
    fn readers<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Result<Vec<Reader>>> {
        let _ = topic;
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// Forgets a reader of the topic, durably: its cursors go, and no record is kept for it any more. With `heir`, that
    /// group goes on where the forgotten one was, in the same commit; where it has cursors of its own, those are replaced.
    /// The answer is whether there was such a reader.
    fn forget_reader<'a>(
        &'a self,
        topic: &'a str,
        group: &'a str,
        heir: Option<&'a str>,
    ) -> BoxFuture<'a, Result<bool>> {
        let _ = (topic, group, heir);
        Box::pin(std::future::ready(Ok(false)))
    }

    /// The cursor that `group` committed last for the partition.
    fn cursor<'a>(&'a self, group: &'a str, topic: &'a str, partition: u16) -> BoxFuture<'a, Result<Option<Cursor>>>;

    /// The cursor of a topic of this name that had another id, where this one may be the same one, moved here with its
    /// records, or one that was made anew: only somebody who knows can say. Until then there is no cursor.
    fn moved<'a>(&'a self, group: &'a str, topic: &'a str, partition: u16) -> BoxFuture<'a, Result<Option<Cursor>>> {
        let _ = (group, topic, partition);
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Commits a cursor as one of the topic as it is now, also under an epoch that was given for another.
    fn take_over<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
        partition: u16,
        cursor: &'a Cursor,
    ) -> BoxFuture<'a, Result<()>> {
        self.commit(group, topic, partition, cursor)
    }

    /// Replaces the cursor; durable when it returns. Where a group has several members, only while the partition is
    /// assigned to this one. Fails when the topic is not the one that the cursor's epoch was given for: success says that
    /// everything that was read before under that epoch came from that topic.
    fn commit<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
        partition: u16,
        cursor: &'a Cursor,
    ) -> BoxFuture<'a, Result<()>>;

    /// What a dead letter of the topic may not fit, and what to do about it. Nothing where every one has room.
    fn letters_at_risk<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Result<Option<String>>> {
        let _ = topic;
        Box::pin(std::future::ready(Ok(None)))
    }

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

    /// Why the storage as a whole takes nothing at present, where it knows. It mends itself once the cause is gone.
    fn trouble(&self) -> Option<Trouble> {
        None
    }

    /// Ends all work and syncs what is left. Calls after it fail with [`StreamError::Closed`].
    fn close(&self) -> BoxFuture<'_, Result<()>>;
}
