//! The stream contract: topics of partitions of records, each record with an offset, and the cursors of their readers.
//!
//! A stream sees bytes and never a record type. Whatever [`Backend::append`] returned offsets for is durable; reads are
//! in offset order; a cursor commit is atomic and durable. One suite of contract tests runs against every backend.

pub mod accounting;
mod assignment;
#[cfg(any(test, feature = "fault-points"))]
#[doc(hidden)]
pub mod contract;
mod cursor;
mod dead_letter;
#[cfg(test)]
pub(crate) mod double;
mod epochs;
mod error;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod log;
mod partitioner;
mod topic;

use std::{collections::BTreeMap, future::Future, pin::Pin, time::SystemTime};

pub use assignment::{AssignmentEvent, Assignments};
pub use cursor::{Counted, Cursor, Pending, Reader, VIEWS_IN_DOUBT};
pub use dead_letter::{DeadLetter, DeadLetterDetails, DeadLetterKey, DeadLetterQuery, Ending, NotAKey, WrongField};
pub use epochs::{EpochSpan, EpochStart, Epochs};
pub use error::{Result, StreamError};
pub use partitioner::{Spread, partition_of};
pub use topic::{Bounds, NewRecord, Record, Retention, Topic, TopicSpec};

/// What a backend returns from its asynchronous calls.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a storage accepts nothing at present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// When that began.
    pub since: SystemTime,
    /// The failure.
    pub message: String,
}

/// What differs between storages of streams.
#[expect(clippy::struct_excessive_bools, reason = "facts that have nothing to do with each other")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The maximum record size that [`Backend::append`] accepts: a larger record is its own error, not the stream's.
    pub max_record_bytes: usize,
    /// Whether records are stored with their keys: otherwise none need to be made.
    pub keeps_keys: bool,
    /// Whether there may be offsets without a record.
    pub has_gaps: bool,
    /// Whether the readers of a topic can be [listed and forgotten](Backend::readers). Brokers can't be asked which
    /// group reads for which table.
    pub lists_readers: bool,
    /// Whether a cursor may be deleted while the records still exist: brokers delete those of groups that are inactive
    /// for long.
    pub cursors_expire: bool,
    /// Whether a topic may be deleted and created again while it is read: its offsets then belong to other records.
    pub topics_can_be_recreated: bool,
}

/// Storage of streams. All calls are safe from many tasks at once.
pub trait Backend: Send + Sync + 'static {
    /// The capabilities of this storage, as far as known: a topic that is opened later may accept less.
    fn capabilities(&self) -> Capabilities;

    /// Creates the topic if it is missing, adds partitions if it has too few, and describes it.
    fn open_topic<'a>(&'a self, spec: &'a TopicSpec) -> BoxFuture<'a, Result<Topic>>;

    /// The topic as it is now: it may have been deleted and created again since it was opened.
    fn topic<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Result<Topic>>;

    /// The number of partitions of the topic, as far as known: some may have been added since it was opened. 0 if it
    /// was not opened.
    fn partitions(&self, topic: &str) -> u16;

    /// Appends records, in order; durable when it returns. Returns the first offset. If nobody else writes to the
    /// partition, the offsets are consecutive.
    fn append<'a>(&'a self, topic: &'a str, partition: u16, records: Vec<NewRecord>) -> BoxFuture<'a, Result<u64>>;

    /// Records from offset `from` on, at least one (waiting for it as long as it takes) and then no more than about
    /// `max_bytes` of payload. An offset below the partition's start or past its end is an error with the valid
    /// offsets. A reader continues where its last read ended; to look at a record without continuing, ask for one byte.
    /// Dropping the future reads nothing.
    fn read<'a>(
        &'a self,
        topic: &'a str,
        partition: u16,
        from: u64,
        max_bytes: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>>>;

    /// Announces that so many partitions will be read at once, with `most` bytes of memory for prefetching. Returns how
    /// much of it will be used. To be called before they begin.
    fn read_ahead(&self, readers: usize, most: u64) -> u64 {
        let _ = (readers, most);
        0
    }

    /// All existing records from `first` to `last`: offsets may have gaps. An offset that the partition does not have
    /// yet, or no longer has, is an error with the valid offsets.
    fn read_range<'a>(
        &'a self,
        topic: &'a str,
        partition: u16,
        first: u64,
        last: u64,
    ) -> BoxFuture<'a, Result<Vec<Record>>>;

    /// The offsets that the partition has.
    fn bounds<'a>(&'a self, topic: &'a str, partition: u16) -> BoxFuture<'a, Result<Bounds>>;

    /// Bytes of the topic on disk, if the backend knows.
    fn size<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Result<Option<u64>>>;

    /// Joins a group that shares these topics, whose records are kept for it from now on: which partitions are assigned
    /// to this process, and which are revoked. To be called once per group.
    fn assignments<'a>(&'a self, group: &'a str, topics: &'a [String]) -> BoxFuture<'a, Result<Assignments>>;

    /// The epoch under which the group reads the partition: that of the cursor if there is one, and another one when
    /// the topic is another, or somebody has moved the group. If it changes while a partition is worked on, the records
    /// read from now on have nothing to do with those before.
    fn epoch<'a>(&'a self, group: &'a str, topic: &'a str, partition: u16) -> BoxFuture<'a, Result<u64>>;

    /// The epochs of the records of a partition, if the storage manages them: the embedded log begins one each time it
    /// is opened, so that no two records ever have the same epoch, partition and offset, whatever happens to its
    /// directory. Elsewhere the [epoch](Self::epoch) of the group's cursor counts for all records.
    fn epochs(&self, topic: &str, partition: u16) -> Result<Option<Epochs>> {
        let _ = (topic, partition);
        Ok(None)
    }

    /// Every known reader of the topic, with an entry for each partition. Empty where they [can't be
    /// listed](Capabilities::lists_readers).
    fn readers<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Result<Vec<Reader>>> {
        let _ = topic;
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// Forgets a reader of the topic, durably: its cursors are deleted, and no record is kept for it any more. With
    /// `heir`, that group gets the cursors of the forgotten one, in the same commit, in place of its own. Returns
    /// whether there was such a reader.
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

    /// The cursor of a topic of this name with another id, if this topic may be the same one, moved here with its
    /// records, or a new one: only the operator can say. Until then there is no cursor.
    fn moved<'a>(&'a self, group: &'a str, topic: &'a str, partition: u16) -> BoxFuture<'a, Result<Option<Cursor>>> {
        let _ = (group, topic, partition);
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Commits a cursor for the topic as it is now, even under an epoch that was given for another one.
    fn take_over<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
        partition: u16,
        cursor: &'a Cursor,
    ) -> BoxFuture<'a, Result<()>> {
        self.commit(group, topic, partition, cursor)
    }

    /// Replaces the cursor; durable when it returns. If a group has several members, only while the partition is
    /// assigned to this one. Fails if the topic is not the one that the cursor's epoch was given for: success means
    /// that everything that was read before under that epoch came from that topic.
    fn commit<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
        partition: u16,
        cursor: &'a Cursor,
    ) -> BoxFuture<'a, Result<()>>;

    /// Which dead letters of the topic may be too large, and what to do about it. `None` if all fit.
    fn letters_at_risk<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Result<Option<String>>> {
        let _ = topic;
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Stores dead letters; durable when it returns. Retention never deletes one, nor does a full stream refuse one. Of
    /// letters with one key the first is kept. Returns how many were new.
    fn put_dead_letters<'a>(&'a self, letters: &'a [DeadLetter]) -> BoxFuture<'a, Result<u64>>;

    /// Dead letters that have not ended, in the order of their keys.
    fn dead_letters<'a>(&'a self, query: &'a DeadLetterQuery) -> BoxFuture<'a, Result<Vec<DeadLetter>>>;

    /// The dead letter with this key, unless it has ended.
    fn dead_letter<'a>(&'a self, key: &'a DeadLetterKey) -> BoxFuture<'a, Result<Option<DeadLetter>>>;

    /// The offsets from `first` to `last` of one partition and destination that have a dead letter, and how it has
    /// ended, if it has: they are no rows of their range.
    fn dead_letter_offsets<'a>(
        &'a self,
        first: &'a DeadLetterKey,
        last: u64,
    ) -> BoxFuture<'a, Result<BTreeMap<u64, Option<Ending>>>>;

    /// Ends dead letters: their payloads are deleted, their keys kept; durable when it returns. Returns how many had
    /// not ended before.
    fn end_dead_letters<'a>(&'a self, keys: &'a [DeadLetterKey], ending: Ending) -> BoxFuture<'a, Result<u64>>;

    /// Why the storage as a whole accepts nothing at present, if it knows. It recovers by itself once the cause is
    /// gone.
    fn trouble(&self) -> Option<Trouble> {
        None
    }

    /// Ends all work and syncs what is left. Calls after it fail with [`StreamError::Closed`].
    fn close(&self) -> BoxFuture<'_, Result<()>>;
}
