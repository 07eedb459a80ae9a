//! Streams on Kafka.
//!
//! What it promises, and where:
//!
//! - What [`append`](crate::stream::Backend::append) answered is on all replicas in sync; what became of each record of a
//!   failed append is told as far as it can be known (`produce`).
//! - Reading is apart from membership: clients that are in no group read at any position, each reader with its own
//!   prefetch (`fetch`); one client per group is a member and commits (`group`). So a table that is away for hours
//!   costs no membership, and a pause throws nothing away.
//! - A cursor is the group's committed offset, with the rest in its metadata (`note`). Metadata that is not ours means
//!   that somebody has moved the group: it is followed, under a new epoch.
//! - Topics are made and grown, never changed otherwise (`topics`). One that was deleted and made anew is told by its id:
//!   no cursor is committed for another topic than its epoch was given for.
//! - Dead letters lie in a compacted topic beside each stream (`letters`).
//!
//! Offsets have gaps: transactions leave markers, compaction takes records away. Nothing here or above counts on their
//! being consecutive.

mod backend;
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
    fetch::Fetcher,
    group::{Committed, Group},
    letters::LetterTopics,
    produce::Producer,
    topics::Topics,
};
use super::{Cursor, Result, StreamError};

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
    /// Epochs that were made here and are not written down yet, and for which topic.
    epochs: Mutex<HashMap<Part, (u128, u64)>>,
    /// For which topic an epoch was given.
    ids: Mutex<HashMap<(Part, u64), u128>>,
    closed: AtomicBool,
}

impl std::fmt::Debug for Kafka {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Kafka").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Kafka {
    /// Makes the clients, and fails when no broker answers.
    pub async fn connect(options: KafkaOptions) -> Result<Self> {
        Self::connect_with(options, Topics::new).await
    }

    /// The same for librdkafka's mock cluster, which leaves questions about topics without an answer.
    #[cfg(any(test, feature = "fault-points"))]
    #[doc(hidden)]
    pub async fn connect_to_mock(options: KafkaOptions) -> Result<Self> {
        Self::connect_with(options, Topics::of_mock).await
    }

    async fn connect_with(
        options: KafkaOptions,
        topics: fn(&KafkaOptions, &Arc<Producer>) -> Result<Topics>,
    ) -> Result<Self> {
        let producer = Arc::new(Producer::new(&options)?);
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

    /// The cursor of a group, or where somebody has moved it, with the epoch under which it is read from now on.
    async fn place(&self, group: &str, topic: &str, partition: u16) -> Result<Place> {
        self.topics.known(topic, partition)?;
        let committed = self.group(group)?.committed(topic, partition).await?;
        // Asked last: what was committed to a topic that is gone by now is not taken for this one's.
        let now = self.identity(topic).await?;
        let part = (group.to_owned(), topic.to_owned(), partition);
        let place = self.place_of(&part, committed, now);
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert((part, place.epoch), now);
        Ok(place)
    }

    fn place_of(&self, part: &Part, committed: Option<Committed>, now: u128) -> Place {
        let (group, topic, partition) = part;
        let Some(Committed { offset, metadata }) = committed else {
            return Place { epoch: self.fresh_epoch(part, now), cursor: None };
        };
        if let Some((cursor, id)) = note::read(offset, &metadata) {
            let same = id == now || id == 0 || now == 0;
            if same {
                return Place { epoch: cursor.epoch, cursor: Some(cursor) };
            }
            let (offset, pending) = (cursor.next, cursor.pending.len());
            tracing::warn!(
                group,
                topic,
                partition,
                offset,
                pending,
                "the topic was deleted and made anew; its offset is void, and what the table had not got of the old one is gone"
            );
            return Place { epoch: self.fresh_epoch(part, now), cursor: None };
        }
        let epoch = self.fresh_epoch(part, now);
        tracing::warn!(
            group,
            topic,
            partition,
            offset,
            "the group was moved by somebody else; going on from there, under a new epoch"
        );
        let cursor = Cursor::new(epoch, offset);
        Place { epoch, cursor: Some(cursor) }
    }

    /// The id of the topic as it is now. One that is another than before is read anew.
    async fn identity(&self, topic: &str) -> Result<u128> {
        let (id, before) = self.topics.id(topic).await?;
        if before.is_some_and(|before| before != id) {
            tracing::warn!(topic, "the topic was deleted and made anew");
            self.fetcher.begin_anew(topic);
        }
        Ok(id)
    }

    /// A new epoch for the topic with this id, the same until it is written down.
    fn fresh_epoch(&self, part: &Part, id: u128) -> u64 {
        let mut epochs = self.epochs.lock().unwrap_or_else(PoisonError::into_inner);
        // The maximum stands for rows from no stream.
        let fresh = || (id, rand::random_range(0..u64::MAX));
        let known = epochs.entry(part.clone()).or_insert_with(fresh);
        if known.0 != id {
            *known = fresh();
        }
        known.1
    }
}

/// Where a group is in a partition.
struct Place {
    epoch: u64,
    cursor: Option<Cursor>,
}
