//! Streams on Kafka or Redpanda.
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
//! - Topics are made and grown, never changed otherwise (`topics`).
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
use self::{fetch::Fetcher, group::Group, letters::LetterTopics, produce::Producer, topics::Topics};
use super::{Cursor, Result, StreamError};

/// A cluster as the storage of streams.
pub struct Kafka {
    options: KafkaOptions,
    topics: Topics,
    producer: Arc<Producer>,
    fetcher: Fetcher,
    letters: LetterTopics,
    groups: Mutex<HashMap<String, Arc<Group>>>,
    /// Epochs that were made here and are not written down yet.
    epochs: Mutex<HashMap<(String, String, u16), u64>>,
    /// The topics' ids that groups began with.
    ids: Mutex<HashMap<(String, String, u16), u128>>,
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
        let topics = Topics::new(&options)?;
        topics.reach().await?;
        Ok(Self {
            topics,
            producer: Arc::new(Producer::new(&options)?),
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
        let key = (group.to_owned(), topic.to_owned(), partition);
        let now = self.topics.id(topic).await?;
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), now);
        let Some(committed) = committed else { return Ok(Place { epoch: self.fresh_epoch(key), cursor: None }) };
        if let Some((cursor, id)) = note::read(committed.offset, &committed.metadata) {
            let same = id == now || id == 0 || now == 0;
            if same {
                return Ok(Place { epoch: cursor.epoch, cursor: Some(cursor) });
            }
            let offset = cursor.next;
            tracing::warn!(group, topic, partition, offset, "the topic was deleted and made anew; its offset is void");
            return Ok(Place { epoch: self.fresh_epoch(key), cursor: None });
        }
        let epoch = self.fresh_epoch(key);
        tracing::warn!(
            group,
            topic,
            partition,
            offset = committed.offset,
            "the group was moved by somebody else; going on from there, under a new epoch"
        );
        let next = committed.offset;
        let cursor = Cursor { version: 1, epoch, table_uuid: None, next, pending: Vec::new(), counted: None };
        Ok(Place { epoch, cursor: Some(cursor) })
    }

    /// A new epoch, the same until it is written down.
    fn fresh_epoch(&self, key: (String, String, u16)) -> u64 {
        let mut epochs = self.epochs.lock().unwrap_or_else(PoisonError::into_inner);
        // The maximum stands for rows from no stream.
        *epochs.entry(key).or_insert_with(|| rand::random_range(0..u64::MAX))
    }
}

/// Where a group is in a partition.
struct Place {
    epoch: u64,
    cursor: Option<Cursor>,
}
