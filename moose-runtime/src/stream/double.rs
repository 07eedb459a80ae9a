//! A test double of a backend: wraps a real one, with faults and pauses at some of its calls.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::Semaphore;

use super::{
    Assignments, Backend, Bounds, BoxFuture, Capabilities, Cursor, DeadLetter, DeadLetterKey, DeadLetterQuery, Ending,
    Epochs, NewRecord, Reader, Record, Result, StreamError, Topic, TopicSpec, Trouble,
};

/// Forwards every call for which no fault is set.
pub(crate) struct Double {
    pub(crate) inner: Arc<dyn Backend>,
    /// Which partitions' appends fail, and how.
    pub(crate) fails: fn(u16) -> Option<StreamError>,
    /// The maximum record size, if it is not that of the backend inside.
    pub(crate) most: Option<usize>,
    /// A commit goes on while there is a permit.
    pub(crate) commits: Arc<Semaphore>,
    pub(crate) commits_begun: AtomicUsize,
    /// The topics were created again, and have this epoch; their cursors are gone.
    pub(crate) made_anew: Option<u64>,
    /// The assignments of a group, instead of those of the backend inside.
    pub(crate) assignments: Mutex<Option<Assignments>>,
}

impl Double {
    /// Without a fault.
    pub(crate) fn of(inner: Arc<dyn Backend>) -> Self {
        let commits = Arc::new(Semaphore::new(1));
        Self {
            inner,
            fails: |_| None,
            most: None,
            commits,
            commits_begun: AtomicUsize::new(0),
            made_anew: None,
            assignments: Mutex::default(),
        }
    }
}

impl Backend for Double {
    fn capabilities(&self) -> Capabilities {
        let inner = self.inner.capabilities();
        Capabilities {
            max_record_bytes: self.most.unwrap_or(inner.max_record_bytes),
            topics_can_be_recreated: self.made_anew.is_some() || inner.topics_can_be_recreated,
            ..inner
        }
    }
    fn open_topic<'a>(&'a self, spec: &'a TopicSpec) -> BoxFuture<'a, Result<Topic>> {
        self.inner.open_topic(spec)
    }
    fn topic<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Result<Topic>> {
        self.inner.topic(topic)
    }
    fn partitions(&self, topic: &str) -> u16 {
        self.inner.partitions(topic)
    }
    fn append<'a>(&'a self, topic: &'a str, partition: u16, records: Vec<NewRecord>) -> BoxFuture<'a, Result<u64>> {
        match (self.fails)(partition) {
            Some(error) => Box::pin(std::future::ready(Err(error))),
            None => self.inner.append(topic, partition, records),
        }
    }
    fn read<'a>(&'a self, topic: &'a str, at: u16, from: u64, max: usize) -> BoxFuture<'a, Result<Vec<Record>>> {
        self.inner.read(topic, at, from, max)
    }
    fn read_range<'a>(&'a self, topic: &'a str, at: u16, first: u64, last: u64) -> BoxFuture<'a, Result<Vec<Record>>> {
        self.inner.read_range(topic, at, first, last)
    }
    fn assignments<'a>(&'a self, group: &'a str, topics: &'a [String]) -> BoxFuture<'a, Result<Assignments>> {
        match self.assignments.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(given) => Box::pin(std::future::ready(Ok(given))),
            None => self.inner.assignments(group, topics),
        }
    }
    fn epoch<'a>(&'a self, group: &'a str, topic: &'a str, partition: u16) -> BoxFuture<'a, Result<u64>> {
        match self.made_anew {
            Some(epoch) => Box::pin(std::future::ready(Ok(epoch))),
            None => self.inner.epoch(group, topic, partition),
        }
    }
    fn trouble(&self) -> Option<Trouble> {
        self.inner.trouble()
    }
    fn epochs(&self, topic: &str, partition: u16) -> Result<Option<Epochs>> {
        self.inner.epochs(topic, partition)
    }
    fn readers<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Result<Vec<Reader>>> {
        self.inner.readers(topic)
    }
    fn forget_reader<'a>(
        &'a self,
        topic: &'a str,
        group: &'a str,
        heir: Option<&'a str>,
    ) -> BoxFuture<'a, Result<bool>> {
        self.inner.forget_reader(topic, group, heir)
    }
    fn bounds<'a>(&'a self, topic: &'a str, partition: u16) -> BoxFuture<'a, Result<Bounds>> {
        self.inner.bounds(topic, partition)
    }
    fn size<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Result<Option<u64>>> {
        self.inner.size(topic)
    }
    fn cursor<'a>(&'a self, group: &'a str, topic: &'a str, partition: u16) -> BoxFuture<'a, Result<Option<Cursor>>> {
        self.inner.cursor(group, topic, partition)
    }
    fn commit<'a>(&'a self, group: &'a str, topic: &'a str, at: u16, cursor: &'a Cursor) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.commits_begun.fetch_add(1, Ordering::SeqCst);
            let Ok(_may_go) = self.commits.acquire().await else { return Err(StreamError::Closed) };
            self.inner.commit(group, topic, at, cursor).await
        })
    }
    fn put_dead_letters<'a>(&'a self, letters: &'a [DeadLetter]) -> BoxFuture<'a, Result<u64>> {
        self.inner.put_dead_letters(letters)
    }
    fn dead_letters<'a>(&'a self, query: &'a DeadLetterQuery) -> BoxFuture<'a, Result<Vec<DeadLetter>>> {
        self.inner.dead_letters(query)
    }
    fn dead_letter<'a>(&'a self, key: &'a DeadLetterKey) -> BoxFuture<'a, Result<Option<DeadLetter>>> {
        self.inner.dead_letter(key)
    }
    fn dead_letter_offsets<'a>(
        &'a self,
        first: &'a DeadLetterKey,
        last: u64,
    ) -> BoxFuture<'a, Result<BTreeMap<u64, Option<Ending>>>> {
        self.inner.dead_letter_offsets(first, last)
    }
    fn end_dead_letters<'a>(&'a self, keys: &'a [DeadLetterKey], ending: Ending) -> BoxFuture<'a, Result<u64>> {
        self.inner.end_dead_letters(keys, ending)
    }
    fn close(&self) -> BoxFuture<'_, Result<()>> {
        self.inner.close()
    }
}
