//! The embedded log: a stream on the key-value store `fjall`.
//!
//! What it promises, and where:
//!
//! - What [`append`](crate::stream::Backend::append) confirmed is on the disk, synced; concurrent appends of all topics
//!   share one fsync (`commit`). After a failed write nothing is acknowledged until the log has reopened itself, with
//!   what was acknowledged and nothing else (`failure`, `reopen`).
//! - Records are stored in blocks with a checksum each (`block`), compressed by the callers where an append is large;
//!   offsets have no gaps, and whatever is missing or changed is [`StreamError::Damaged`] with the offsets: while
//!   opening (`partition`, `witness`) or while reading.
//! - Readers wait without polling, and those that keep up are served from memory (`tail`).
//! - Only what every known reader has passed is ever deleted (`retention`), whole segments at a time (`store`): up to
//!   one segment per partition, and the database's journals, stay on the disk beyond what is counted.
//! - Each opening begins a new epoch in each partition, so that a record's identity is never given twice (`epochs`).
//! - Dead letters are kept beside the records and outlive them (`letters`).
//! - One process per directory (`lock`), also while the log is reopened.
//! - A last write torn by a power failure is removed, if nothing acknowledged is in it (`journal`).
//!
//! ```text
//! <path>/process.lock   which process has it open
//! <path>/witness        how far each partition and cursor was acknowledged
//! <path>/database/      fjall
//! <path>/torn-…         a journal as it was before its torn end was cut off
//! ```
//!
//! All of it takes below 64 MiB of memory by design: 16 MiB of newest blocks (shared with the database's memtables as
//! long as they exist), about 32 MiB of memtables, 4 MiB of cache. Threads: the committer, retention, and two of the
//! database.

mod backend;
mod block;
mod commit;
mod disk;
mod epochs;
mod failure;
mod group;
mod job;
mod journal;
mod letters;
mod lock;
mod options;
mod partition;
mod readers;
mod reopen;
mod retention;
mod segment;
mod shared;
mod store;
mod stored;
mod tail;
#[cfg(test)]
mod tests;
mod witness;

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread::JoinHandle,
};

use tokio::sync::oneshot;

pub use self::options::{Clock, LogOptions};
use self::{
    commit::Committer,
    disk::{Disk, Synced},
    epochs::new_epoch,
    job::{CursorMove, Job},
    lock::DirectoryLock,
    partition::Partition,
    segment::damaged,
    shared::{OpenTopic, Shared},
    store::{Store, TopicMeta, key, storage},
    stored::Stored,
    tail::Tail,
    witness::Witness,
};
use super::{Bounds, Record, Result, StreamError, Topic, TopicSpec};
use crate::fault::{self, Point};

/// The embedded log. Dropping or closing it releases its directory.
#[derive(Debug)]
pub struct Log {
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Job>,
    threads: Arc<Mutex<Option<Threads>>>,
}

/// The log's own threads.
#[derive(Debug)]
struct Threads {
    committer: JoinHandle<()>,
    retention: JoinHandle<()>,
    /// Dropping it ends the retention thread.
    retention_stop: mpsc::Sender<()>,
}

impl Log {
    /// Opens the log in its directory, creating what is missing. Blocks on the disk: after a crash it reads what was
    /// written last, at most a few hundred megabytes.
    pub fn open(options: LogOptions) -> Result<Self> {
        Self::open_on(options, Box::new(Synced))
    }

    fn open_on(options: LogOptions, disk: Box<dyn Disk>) -> Result<Self> {
        failure::listen();
        let lock = DirectoryLock::acquire(&options.path)?;
        let place = options.path.display();
        let noted = |source| storage(format!("open {place}/witness of the stream"), source);
        let mut witness = Witness::open(&options.path).map_err(noted)?;
        let renew = witness.has_failed();
        let store = reopen::open(&options.path, &mut witness, renew)?;
        witness.forget_ends(&[]).map_err(noted)?;
        let known: HashSet<u64> = store.topics()?.iter().map(|(_, topic)| topic.epoch).collect();
        if let Some(epoch) = witness.epochs().find(|epoch| !known.contains(epoch)) {
            let reason = format!(
                "its files are damaged: a topic of epoch {epoch:016x}, to which records were written, is missing. A copy of \
                 the directory that is whole loses nothing; without the file `witness` the stream goes on with the topics \
                 that are there, and the records of the missing one are lost"
            );
            return Err(storage(format!("open the stream in {place}"), reason));
        }
        let shared = Arc::new(Shared {
            path: options.path.clone(),
            lock: Mutex::new(Some(lock)),
            clock: options.clock,
            store: RwLock::new(Some(store)),
            openings: AtomicU64::new(0),
            topics: RwLock::default(),
            closed: AtomicBool::new(false),
            failed: RwLock::default(),
            tail: Mutex::new(Tail::new(options.tail_bytes)),
            witness: Mutex::new(witness),
            opening: tokio::sync::Mutex::default(),
        });
        let (jobs, receiver) = mpsc::channel();
        let committer = Committer {
            shared: Arc::clone(&shared),
            jobs: receiver,
            disk,
            disk_budget: options.disk_budget,
            // A small budget needs small segments, or little of it would ever be freed.
            segment_bytes: options.segment_bytes.min((options.disk_budget / 8).max(1 << 20)),
        };
        let failed = |source| storage("start the stream's threads".to_owned(), source);
        let committer = std::thread::Builder::new().name("stream-commit".to_owned()).spawn(|| committer.run());
        let committer = committer.map_err(failed)?;
        let (retention_stop, stopped) = mpsc::channel();
        let retention = std::thread::Builder::new().name("stream-retention".to_owned()).spawn({
            let (shared, jobs) = (Arc::clone(&shared), jobs.clone());
            move || {
                while stopped.recv_timeout(options.retention_interval) == Err(mpsc::RecvTimeoutError::Timeout) {
                    if let Err(error) = enforce_retention(&shared, &jobs) {
                        tracing::warn!(%error, "retention of the stream");
                    }
                }
            }
        });
        let retention = retention.map_err(failed)?;
        let threads = Arc::new(Mutex::new(Some(Threads { committer, retention, retention_stop })));
        Ok(Self { shared, jobs, threads })
    }

    /// Runs retention now. The log itself calls this at its interval; blocks on the disk.
    ///
    /// A partition without a known reader keeps everything.
    pub fn enforce_retention(&self) -> Result<()> {
        enforce_retention(&self.shared, &self.jobs)
    }

    /// Registers a reader, durably: from now on, and before its first commit, nothing is deleted that it has not
    /// passed.
    pub async fn register_group(&self, group: &str, topic: &str) -> Result<()> {
        let open = self.shared.topic(topic)?;
        for partition in &open.partitions {
            partition.know_group(group);
        }
        self.put(vec![(key::group(open.epoch, group), Some(b"null".to_vec()))], Vec::new()).await
    }

    /// Writes values of `meta`, or dead letters, and waits until they are durable.
    async fn put(&self, writes: Vec<(String, Option<Vec<u8>>)>, cursors: Vec<CursorMove>) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        let reply = Box::new(move |result| drop(reply.send(result)));
        self.jobs.send(Job::Put { writes, cursors, reply }).map_err(|_closed| StreamError::Closed)?;
        answer.await.map_err(|_closed| StreamError::Closed)?
    }

    /// Runs work that blocks on the disk off the async threads.
    async fn blocking<T: Send + 'static>(
        &self,
        action: &str,
        work: impl FnOnce(&Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let shared = Arc::clone(&self.shared);
        let done = tokio::task::spawn_blocking(move || shared.with_store(work)).await;
        done.map_err(|source| storage(action.to_owned(), source))?
    }

    async fn make_topic(&self, spec: &TopicSpec) -> Result<Topic> {
        let _one_at_a_time = self.shared.opening.lock().await;
        let name = spec.name.clone();
        let action = format!("open topic `{name}`");
        let stored = self.blocking(&action, move |store| store.get::<TopicMeta>(&key::topic(&name))).await?;
        if let Some(stored) = stored
            && stored.partitions > spec.partitions
        {
            let (stored, declared) = (stored.partitions, spec.partitions);
            return Err(StreamError::Shrunk { topic: spec.name.clone(), stored, declared });
        }
        let wanted = TopicMeta {
            version: 1,
            epoch: stored.map_or_else(new_epoch, |stored| stored.epoch),
            partitions: spec.partitions.max(1),
        };
        if stored.is_none_or(|stored| stored.partitions < wanted.partitions) {
            let value = serde_json::to_vec(&wanted).map_err(|source| storage(action.clone(), source))?;
            self.put(vec![(key::topic(&spec.name), Some(value))], Vec::new()).await?;
        }
        let openings = self.shared.openings.load(Ordering::Acquire);
        let open = self.shared.topic(&spec.name).ok();
        let shared = Arc::clone(&self.shared);
        let spec = spec.clone();
        let loading = self.blocking(&action, move |store| load(&shared, store, &spec, wanted, open.as_deref()));
        let Loaded { topic, name, writes } = loading.await?;
        if !writes.is_empty() {
            self.put(writes, Vec::new()).await?;
        }
        self.shared.publish(name, topic, openings)?;
        Ok(Topic { epoch: wanted.epoch, partitions: wanted.partitions })
    }

    async fn read_records(&self, topic: &str, number: u16, from: u64, max_bytes: usize) -> Result<Vec<Record>> {
        let partition = self.shared.partition(topic, number)?;
        let mut progress = partition.follow();
        loop {
            let now = *progress.borrow_and_update();
            if now.closed {
                return Err(StreamError::Closed);
            }
            let Bounds { start, end } = partition.bounds();
            if from < start || from > end {
                let topic = topic.to_owned();
                return Err(StreamError::OutOfRange { topic, partition: number, wanted: from, start, end });
            }
            if from < now.end {
                break;
            }
            progress.changed().await.map_err(|_closed| StreamError::Closed)?;
        }
        let newest = {
            let tail = self.shared.tail.lock().unwrap_or_else(PoisonError::into_inner);
            tail.from(partition.key, from, max_bytes)
        };
        let mut records = Vec::new();
        let mut budget = max_bytes;
        for block in &newest {
            let more = block.copy_to(from, &mut budget, &mut records);
            if !more.map_err(|detail| damaged(topic, partition.key, block.base(), detail))? {
                break;
            }
        }
        if records.is_empty() {
            let action = format!("read topic `{topic}` partition {number} at offset {from}");
            let stored = Arc::clone(&partition);
            records = self.blocking(&action, move |_store| stored.read_stored(from, max_bytes)).await?;
        }
        partition.correct(&mut records);
        Ok(records)
    }
}

/// A topic that may be opened once the writes are durable.
struct Loaded {
    name: String,
    topic: OpenTopic,
    writes: Vec<(String, Option<Vec<u8>>)>,
}

/// Opens the partitions of a topic that are not open yet.
fn load(shared: &Shared, store: &Store, spec: &TopicSpec, meta: TopicMeta, open: Option<&OpenTopic>) -> Result<Loaded> {
    let (epoch, mut writes) = (new_epoch(), Vec::new());
    let bytes = open.map_or_else(Arc::default, |open| Arc::clone(&open.bytes));
    let mut partitions = open.map_or_else(Vec::new, |open| open.partitions.clone());
    for number in (0..meta.partitions).skip(partitions.len()) {
        let key = (meta.epoch, number);
        let mut witness = shared.witness.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = Stored::read(store, &witness, &spec.name, key, None)?;
        witness.forget_ends(&[key]).map_err(|source| storage(format!("open topic `{}`", spec.name), source))?;
        let begun = epochs::begin(store, &spec.name, key, stored.bounds(), epoch)?;
        let partition = Partition::new(&spec.name, key, Arc::clone(&bytes), stored);
        partition.epochs.replace(begun.epochs);
        writes.extend(begun.writes.into_iter().map(|(key, value)| (key, Some(value))));
        partitions.push(Arc::new(partition));
    }
    let topic = OpenTopic { epoch: meta.epoch, retention: spec.retention, bytes, partitions };
    Ok(Loaded { name: spec.name.clone(), topic, writes })
}

fn enforce_retention(shared: &Shared, jobs: &mpsc::Sender<Job>) -> Result<()> {
    let topics: Vec<_> = shared.topics.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
    for topic in topics {
        for partition in &topic.partitions {
            let now = shared.now();
            let planned = shared.with_store(|_store| {
                let Some(plan) = retention::plan(partition, topic.retention, now)? else { return Ok(None) };
                Ok(Some((retention::writes(partition, plan)?, plan)))
            });
            let Some((writes, plan)) = planned? else { continue };
            fault::point(Point::RetentionBefore);
            let (reply, answer) = mpsc::channel();
            let reply = Box::new(move |result| drop(reply.send(result)));
            jobs.send(Job::Put { writes, cursors: Vec::new(), reply }).map_err(|_closed| StreamError::Closed)?;
            answer.recv().map_err(|_closed| StreamError::Closed)??;
            shared.with_store(|store| retention::apply(store, partition, plan))?;
        }
    }
    Ok(())
}

fn close(shared: &Shared, jobs: &mpsc::Sender<Job>, threads: &Mutex<Option<Threads>>) {
    let Some(threads) = threads.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    drop(threads.retention_stop);
    let _ended = threads.retention.join();
    let _ended_before = jobs.send(Job::Close);
    let _ended = threads.committer.join();
    shared.close();
}

impl Drop for Log {
    fn drop(&mut self) {
        close(&self.shared, &self.jobs, &self.threads);
    }
}
