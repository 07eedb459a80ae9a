//! Streams on Kafka.
//!
//! What it promises, and where:
//!
//! - What [`append`](crate::stream::Backend::append) confirmed is on all in-sync replicas; what became of each record
//!   of a failed append is reported as far as it can be known (`produce`).
//! - Reading is separate from membership: clients that are in no group read at any position, each reader with its own
//!   prefetch (`fetch`); one client per group is a member and commits (`group`). So a table that is away for hours
//!   costs no membership, and a pause discards nothing.
//! - A cursor is the group's committed offset, with the rest in its metadata (`note`). Metadata that is not ours means
//!   that somebody has moved the group: the new offset is used, under a new epoch.
//! - Topics are created and grown, never changed otherwise (`topics`). One that was deleted and created again is
//!   recognised by its id: no cursor is committed for another topic than the one its epoch was given for. One that may
//!   be the same, moved here from another cluster or restored, waits for the operator to say which it is.
//! - Dead letters are in a compacted topic beside each stream (`letters`).
//!
//! Offsets have gaps: transactions leave markers, compaction removes records. Nothing here or above relies on
//! consecutive offsets.

mod asker;
mod backend;
mod book;
mod client;
mod fetch;
mod ffi;
mod group;
mod letters;
mod note;
mod produce;
#[cfg(test)]
mod tests;
mod topics;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

pub use self::client::KafkaOptions;
use self::{
    book::LetterTopics,
    fetch::Fetcher,
    group::{Committed, Group},
    note::Note,
    produce::Producer,
    topics::Topics,
};
use super::{Bounds, Cursor, Result, StreamError};

/// How far clocks may differ, ours and those of the records' timestamps.
const CLOCKS: i64 = 60_000;

/// Group, topic and partition.
type Part = (String, String, u16);

/// A cluster as the storage of streams.
pub struct Kafka {
    options: KafkaOptions,
    topics: Arc<Topics>,
    producer: Arc<Producer>,
    fetcher: Fetcher,
    letters: LetterTopics,
    groups: Mutex<HashMap<String, Arc<Group>>>,
    /// Epochs that were generated here and are not written down yet, and for which topic.
    epochs: Mutex<HashMap<Part, (u128, u64)>>,
    /// The topic for which each epoch was generated.
    ids: Mutex<HashMap<(Part, u64), u128>>,
    closed: AtomicBool,
}

impl std::fmt::Debug for Kafka {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Kafka").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Kafka {
    /// Creates the clients; fails if no broker responds.
    pub async fn connect(options: KafkaOptions) -> Result<Self> {
        Self::connect_with(options, Topics::new).await
    }

    /// The same for librdkafka's mock cluster, which does not answer metadata requests about topics.
    #[cfg(any(test, feature = "fault-points"))]
    #[doc(hidden)]
    pub async fn connect_to_mock(options: KafkaOptions) -> Result<Self> {
        Self::connect_with(options, Topics::of_mock).await
    }

    async fn connect_with(
        options: KafkaOptions,
        topics: fn(&KafkaOptions, &Arc<Producer>) -> Result<Topics>,
    ) -> Result<Self> {
        let producer = Arc::new(Producer::new(options.producer())?);
        let topics = Arc::new(topics(&options, &producer)?);
        topics.reach().await?;
        Topics::keep_looking(&topics);
        Ok(Self {
            topics,
            producer,
            fetcher: Fetcher::new(&options),
            letters: LetterTopics::default(),
            groups: Mutex::default(),
            epochs: Mutex::default(),
            ids: Mutex::default(),
            closed: AtomicBool::new(false),
            options,
        })
    }

    fn open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) { Err(StreamError::Closed) } else { Ok(()) }
    }

    fn group(&self, name: &str) -> Result<Arc<Group>> {
        self.open()?;
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(group) = groups.get(name) {
            return Ok(Arc::clone(group));
        }
        let group = Arc::new(Group::open(&self.options, name)?);
        groups.insert(name.to_owned(), Arc::clone(&group));
        Ok(group)
    }

    /// The cursor of a group, or the offset to which somebody has moved it, with the epoch under which it is read from
    /// now on.
    async fn place(&self, group: &str, topic: &str, partition: u16) -> Result<Place> {
        self.topics.known(topic, partition)?;
        let committed = self.group(group)?.committed(topic, partition).await?;
        // Queried last: a commit to a topic that is gone by now must not be taken for this one's.
        let now = self.identity(topic).await?;
        let part = (group.to_owned(), topic.to_owned(), partition);
        let note = committed.as_ref().and_then(|Committed { offset, metadata }| note::read(*offset, metadata));
        let place = match note {
            None => self.place_without_note(&part, committed, now),
            Some(Note { cursor, topic_id, .. }) if topic_id == now || topic_id == 0 || now == 0 => {
                Place { epoch: cursor.epoch, cursor: Some(cursor), moved: None }
            }
            Some(note) if self.is_new(topic, partition, &note).await? => {
                let (offset, pending) = (note.cursor.next, note.cursor.pending.len());
                tracing::warn!(
                    group,
                    topic,
                    partition,
                    offset,
                    pending,
                    "the topic was deleted and made anew; its offset is void, and what the table had not got of the old one is gone"
                );
                Place { epoch: self.fresh_epoch(&part, now), cursor: None, moved: None }
            }
            Some(note) => Place { epoch: self.fresh_epoch(&part, now), cursor: None, moved: Some(note.cursor) },
        };
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert((part, place.epoch), now);
        Ok(place)
    }

    fn place_without_note(&self, part: &Part, committed: Option<Committed>, now: u128) -> Place {
        let (group, topic, partition) = part;
        let epoch = self.fresh_epoch(part, now);
        let cursor = committed.map(|Committed { offset, .. }| {
            tracing::warn!(
                group,
                topic,
                partition,
                offset,
                "the group was moved by somebody else; going on from there, under a new epoch"
            );
            Cursor::new(epoch, offset)
        });
        Place { epoch, cursor, moved: None }
    }

    /// Whether a topic with another id than the recorded one is a new topic, of which nothing was read: it can also be
    /// the same one, moved here with its records, for example by mirroring the cluster or from the disks of one that is
    /// gone.
    ///
    /// Records older than the last sight of the recorded topic can only have been moved with it. If there are none,
    /// offsets that fit the cursor are a coincidence only if this process has seen the recorded topic itself and now
    /// sees this one: a mirror has its records before it is taken over. Otherwise they may have been copied while
    /// nobody looked.
    async fn is_new(&self, topic: &str, partition: u16, note: &Note) -> Result<bool> {
        let Note { cursor, topic_id, written } = note;
        let bounds = self.topics.bounds(topic, partition).await?;
        if cursor.next == bounds.start && cursor.pending.is_empty() {
            // It begins at the cursor: nothing of it was read, whichever it is.
            return Ok(true);
        }
        let here = self.topics.last_seen(topic, *topic_id);
        let seen = here.max(*written);
        let older = match seen {
            Some(seen) => self.topics.begins_before(topic, partition, seen.saturating_sub(CLOCKS)).await?,
            None => false,
        };
        Ok(is_new(cursor, bounds, here.is_some(), older))
    }

    /// The current id of the topic. A topic with a new id is read from new clients.
    async fn identity(&self, topic: &str) -> Result<u128> {
        let (id, before) = self.topics.id(topic).await?;
        if before.is_some_and(|before| before != id) {
            tracing::warn!(topic, "the topic was deleted and made anew");
            self.fetcher.begin_anew(topic);
        }
        Ok(id)
    }

    /// A new epoch for the topic with this id, the same one until it is written down.
    fn fresh_epoch(&self, part: &Part, id: u128) -> u64 {
        let mut epochs = self.epochs.lock().unwrap_or_else(PoisonError::into_inner);
        // The maximum is reserved for rows that are not from a stream.
        let fresh = || (id, rand::random_range(0..u64::MAX));
        let known = epochs.entry(part.clone()).or_insert_with(fresh);
        if known.0 != id {
            *known = fresh();
        }
        known.1
    }
}

/// `here`: this process has seen the recorded topic. `older`: there are records from before it was last seen.
fn is_new(cursor: &Cursor, bounds: Bounds, here: bool, older: bool) -> bool {
    let needed = cursor.pending.last().map_or(cursor.next, |range| range.last.saturating_add(1));
    let goes_on = bounds.start <= cursor.next && needed <= bounds.end;
    !older && (here || !goes_on)
}

/// The position of a group in a partition.
struct Place {
    epoch: u64,
    cursor: Option<Cursor>,
    /// The cursor of a topic that may be this one.
    moved: Option<Cursor>,
}
