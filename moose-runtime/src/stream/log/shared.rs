//! The state that callers and the log's threads share: the database while it is open, and the open topics.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::SystemTime,
};

use super::{
    failure::Failure, lock::DirectoryLock, options::Clock, partition::Partition, store::Store, tail::Tail,
    witness::Witness,
};
use crate::stream::{Result, Retention, StreamError};

/// The state that callers and threads share.
pub(super) struct Shared {
    pub(super) path: PathBuf,
    /// Held until the log closes, also while it is reopened.
    pub(super) lock: Mutex<Option<DirectoryLock>>,
    pub(super) clock: Clock,
    /// Taken when the log closes or is reopened, which waits for all users.
    pub(super) store: RwLock<Option<Store>>,
    /// Number of reopenings: handles of an earlier database are no longer valid.
    pub(super) openings: AtomicU64,
    pub(super) topics: RwLock<HashMap<String, Arc<OpenTopic>>>,
    pub(super) closed: AtomicBool,
    /// Why nothing is written at present.
    pub(super) failed: RwLock<Option<Failure>>,
    pub(super) tail: Mutex<Tail>,
    pub(super) witness: Mutex<Witness>,
    /// Serialises the opening of topics, which reads and writes.
    pub(super) opening: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shared").field("failed", &self.failed).finish_non_exhaustive()
    }
}

/// An open topic.
#[derive(Debug)]
pub(super) struct OpenTopic {
    pub(super) epoch: u64,
    pub(super) retention: Retention,
    pub(super) bytes: Arc<AtomicU64>,
    pub(super) partitions: Vec<Arc<Partition>>,
}

impl Shared {
    pub(super) fn now(&self) -> i64 {
        let since = (self.clock)().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    /// An error if nothing can be written at present.
    pub(super) fn writable(&self) -> Result<()> {
        let failed = self.failed.read().unwrap_or_else(PoisonError::into_inner);
        failed
            .as_ref()
            .map_or(Ok(()), |failure| Err(StreamError::Paused { cause: failure.cause(), maybe_stored: false }))
    }

    /// Records that the log could not be reopened.
    pub(super) fn tried(&self, error: &StreamError) {
        if let Some(failure) = self.failed.write().unwrap_or_else(PoisonError::into_inner).as_mut() {
            failure.tried(error);
        }
    }

    /// Calls `work` with the database, unless the log is closed or could not be reopened.
    pub(super) fn with_store<T>(&self, work: impl FnOnce(&Store) -> Result<T>) -> Result<T> {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        let Some(store) = store.as_ref() else {
            self.writable()?;
            return Err(StreamError::Closed);
        };
        work(store)
    }

    pub(super) fn topic(&self, topic: &str) -> Result<Arc<OpenTopic>> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.get(topic).cloned().ok_or_else(|| {
            if self.closed.load(Ordering::Acquire) {
                return StreamError::Closed;
            }
            StreamError::UnknownTopic { topic: topic.to_owned() }
        })
    }

    /// Makes the topic available, unless the log was closed meanwhile.
    pub(super) fn publish(&self, name: String, topic: OpenTopic, openings: u64) -> Result<()> {
        self.with_store(|_store| {
            if self.openings.load(Ordering::Acquire) != openings {
                let cause = format!("the log was opened anew while topic `{name}` was opened");
                return Err(StreamError::Paused { cause, maybe_stored: false });
            }
            let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
            if self.closed.load(Ordering::Acquire) {
                return Err(StreamError::Closed);
            }
            topics.insert(name, Arc::new(topic));
            Ok(())
        })
    }

    pub(super) fn partition(&self, topic: &str, partition: u16) -> Result<Arc<Partition>> {
        let found = self.topic(topic)?.partitions.get(usize::from(partition)).cloned();
        found.ok_or_else(|| StreamError::UnknownPartition { topic: topic.to_owned(), partition })
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let topics = std::mem::take(&mut *self.topics.write().unwrap_or_else(PoisonError::into_inner));
        for partition in topics.values().flat_map(|topic| &topic.partitions) {
            partition.close();
        }
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let store = self.store.write().unwrap_or_else(PoisonError::into_inner).take();
        drop(store);
        *self.failed.write().unwrap_or_else(PoisonError::into_inner) = None;
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}
