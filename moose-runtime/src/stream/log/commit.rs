//! Group commit: one thread gathers what all callers want written, writes it as one batch with one fsync, and replies
//! to them all.
//!
//! While one batch is being synced the next one gathers, so nobody waits for a timer and a busy log shares each fsync
//! among many callers. Offsets are assigned here and nowhere else.
//!
//! A failed write or sync stops all writes until this thread has reopened the log (`reopen`): what the disk holds then
//! is unknown, and nothing may be acknowledged on top of it. The offsets at which the failed records would have begun
//! are noted beside the database before any caller gets the error, so whatever is left of these records is removed and
//! can't count as stored.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{Arc, PoisonError, atomic::Ordering, mpsc},
    time::{Duration, Instant},
};

use fjall::PersistMode;

use super::{
    block::Block,
    disk::{CommitError, Disk},
    failure::{Failure, Pauses, is_poisoned},
    group::{Appends, Group},
    job::{CursorMove, Job},
    partition::Partition,
    reopen::reopen,
    segment::is_ahead,
    shared::Shared,
    store::{Seal, Store, key, panic_text, storage},
    tail::PartitionKey,
    witness::Subject,
};
use crate::{
    fault::{self, Point},
    stream::{Result, StreamError},
};

/// Bytes after which a group is written even if more is waiting.
const GROUP_BYTES: u64 = 16 << 20;
/// Jobs after which a group is written even if more is waiting.
const GROUP_JOBS: usize = 8192;
/// How often the database's own threads are checked while nothing is written: they don't report failures.
const LOOK: Duration = Duration::from_secs(1);
/// How often a failure to reopen the log is logged.
const SAY: Duration = Duration::from_secs(10);

/// Blocks that were written to one partition.
struct Written {
    blocks: Vec<Block>,
    bytes: u64,
    newest: i64,
}

/// Why a group was not committed.
struct Failed {
    reason: CommitError,
    /// Its write has begun: some or all of it may be in the files.
    begun: bool,
}

impl<E: Into<CommitError>> From<E> for Failed {
    fn from(reason: E) -> Self {
        Self { reason: reason.into(), begun: false }
    }
}

/// The state of the commit thread.
pub(super) struct Committer {
    pub(super) shared: Arc<Shared>,
    pub(super) jobs: mpsc::Receiver<Job>,
    pub(super) disk: Box<dyn Disk>,
    pub(super) disk_budget: u64,
    pub(super) segment_bytes: u64,
}

impl Committer {
    /// Runs until told to close, or until every sender is gone.
    pub(super) fn run(mut self) {
        loop {
            let job = match self.jobs.recv_timeout(LOOK) {
                Ok(job) => job,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    self.look();
                    if self.recover() {
                        continue;
                    }
                    return;
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            };
            let mut group = Group::default();
            let mut open = self.admit(job, &mut group);
            while open && group.bytes < GROUP_BYTES && group.jobs < GROUP_JOBS {
                let Ok(job) = self.jobs.try_recv() else { break };
                open = self.admit(job, &mut group);
            }
            self.commit(group);
            if !open || !self.recover() {
                return;
            }
        }
    }

    /// Checks whether the database's own threads have failed.
    fn look(&self) {
        let store = self.shared.store.read().unwrap_or_else(PoisonError::into_inner);
        let looked = store.as_ref().map(|store| store.database.persist(PersistMode::Buffer));
        if let Some(Err(error)) = looked {
            self.fail(Group::default(), Failed::from(error));
        }
    }

    /// Reopens the log if it has failed, as soon as that is possible. Jobs that arrive meanwhile get an error. False
    /// once the log closes.
    fn recover(&mut self) -> bool {
        if self.shared.writable().is_ok() {
            return true;
        }
        let mut pauses = Pauses::new();
        let mut due = Instant::now() + pauses.next();
        let mut said = Instant::now();
        loop {
            match self.jobs.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(Job::Close) | Err(mpsc::RecvTimeoutError::Disconnected) => return false,
                Ok(job) => drop(self.admit(job, &mut Group::default())),
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    // The database checks what it reads, and some of its checks are assertions.
                    let opened = std::panic::catch_unwind(AssertUnwindSafe(|| reopen(&self.shared, &mut *self.disk)));
                    let opened = opened.unwrap_or_else(|panic| {
                        Err(storage("open the stream anew".to_owned(), panic_text(panic.as_ref())))
                    });
                    match opened {
                        Ok(()) => {
                            tracing::info!("the stream is open again: it has what was acknowledged, and takes records");
                            return true;
                        }
                        Err(error) => {
                            if said.elapsed() >= SAY {
                                said = Instant::now();
                                tracing::warn!(%error, "the stream can't be opened anew yet");
                            }
                            self.shared.tried(&error);
                        }
                    }
                    due = Instant::now() + pauses.next();
                }
            }
        }
    }

    /// Adds a job to the group, or replies at once. False once the log closes.
    fn admit(&self, job: Job, group: &mut Group) -> bool {
        group.jobs += 1;
        match job {
            Job::Append { partition, content, reply } => {
                let size = content.size();
                if let Err(error) = self.shared.writable().and_then(|()| self.make_room(&partition, size, group)) {
                    let _gone = reply.send(Err(error));
                    return true;
                }
                let appends = group.appends.entry(partition.key).or_insert_with(|| Appends::new(partition));
                appends.push(content, reply);
            }
            Job::Put { writes, cursors, reply } => {
                if let Err(error) = self.shared.writable() {
                    reply(Err(error));
                    return true;
                }
                group.writes.extend(writes);
                group
                    .cursors
                    .extend(cursors.into_iter().map(|moved| ((moved.partition.key, moved.group.clone()), moved)));
                group.puts.push(reply);
            }
            Job::Close => return false,
        }
        true
    }

    /// Counts an append against its stream's disk budget.
    fn make_room(&self, partition: &Partition, size: u64, group: &mut Group) -> Result<()> {
        let here = group.topics.entry(partition.key.0).or_default();
        let stored = partition.topic_bytes.load(Ordering::Relaxed) + *here;
        if stored + size > self.disk_budget {
            let slowest = partition.slowest().map(|(group, next)| {
                format!("; furthest behind is `{group}`, at {next} of {} (see `readers list`)", partition.end())
            });
            return Err(StreamError::Full {
                topic: partition.topic.clone(),
                reason: format!(
                    "{stored} bytes are stored, {size} more would pass its disk budget of {} bytes; space comes back \
                     when its readers go on and retention lets records go (`stream.disk_budget`, `stream.retention`){}",
                    self.disk_budget,
                    slowest.unwrap_or_default()
                ),
            });
        }
        *here += size;
        group.bytes += size;
        Ok(())
    }

    fn commit(&mut self, mut group: Group) {
        if group.appends.is_empty() && group.puts.is_empty() {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let store = shared.store.read().unwrap_or_else(PoisonError::into_inner);
        let Some(store) = store.as_ref() else { return };
        // A panic of the database must not leave callers waiting for ever.
        let written = std::panic::catch_unwind(AssertUnwindSafe(|| self.write(store, &mut group)))
            .unwrap_or_else(|panic| Err(Failed { reason: panic_text(panic.as_ref()).into(), begun: true }));
        match written {
            Ok(written) => self.acknowledge(group, written),
            Err(failed) => self.fail(group, failed),
        }
    }

    /// Encodes the group and writes it as one batch.
    fn write(&mut self, store: &Store, group: &mut Group) -> Result<HashMap<PartitionKey, Written>, Failed> {
        let now = self.shared.now();
        let mut batch = store.database.batch();
        let mut written = HashMap::with_capacity(group.appends.len());
        for (&partition, appends) in &mut group.appends {
            let segment = appends.partition.active().ok_or("the partition is closed")?;
            let base = appends.partition.end();
            let mut keyspace = segment.keyspace;
            if segment.bytes >= self.segment_bytes {
                keyspace = store.segment(partition, base)?;
                let seal = Seal {
                    version: 1,
                    end: segment.end,
                    bytes: segment.bytes,
                    newest: segment.newest,
                    stepped: segment.stepped,
                };
                let sealed = key::seal(partition, segment.base);
                batch.insert(store.meta(), sealed, serde_json::to_vec(&seal)?);
                appends.partition.roll(keyspace.clone());
            }
            // Small backward steps of the clock are ignored; a clock that was far ahead has been corrected.
            let newest = if is_ahead(segment.newest, now) { now } else { now.max(segment.newest) };
            let blocks = appends.blocks(base, newest);
            for block in &blocks {
                batch.insert(&keyspace, block.base().to_be_bytes(), block.stored());
            }
            let bytes = blocks.iter().map(|block| block.size() as u64).sum();
            written.insert(partition, Written { blocks, bytes, newest });
        }
        for (key, value) in &group.writes {
            match value {
                Some(value) => batch.insert(store.place_of(key), key.as_str(), value.as_slice()),
                None => batch.remove(store.place_of(key), key.as_str()),
            }
        }
        // Before the write: whenever the process is killed, the witness never says more than what is stored.
        let moves = group.cursors.values().map(CursorMove::witnessed);
        self.shared.witness.lock().unwrap_or_else(PoisonError::into_inner).lower(moves)?;
        if !written.is_empty() {
            fault::point(Point::AppendBefore);
        }
        self.disk.commit(batch).map_err(|reason| Failed { begun: !is_poisoned(&*reason), reason })?;
        if !written.is_empty() {
            fault::point(Point::AppendAfter);
        }
        Ok(written)
    }

    /// Everything is durable: makes it visible to readers and replies to the callers.
    fn acknowledge(&self, group: Group, mut written: HashMap<PartitionKey, Written>) {
        for (key, appends) in group.appends {
            let Some(Written { blocks, bytes, newest }) = written.remove(&key) else { continue };
            let base = appends.partition.end();
            let end = base + appends.count;
            self.note(Subject::end(key), end);
            {
                let mut tail = self.shared.tail.lock().unwrap_or_else(PoisonError::into_inner);
                for block in blocks {
                    tail.push(key, block);
                }
            }
            appends.partition.advance(end, bytes, newest);
            for (before, reply) in appends.waiting {
                let _gone = reply.send(Ok(base + before));
            }
        }
        for moved in group.cursors.into_values() {
            let (subject, value) = moved.witnessed();
            self.note(subject, value);
            let CursorMove { partition, group, next } = moved;
            partition.set_group(group, next);
        }
        for reply in group.puts {
            reply(Ok(()));
        }
    }

    /// Updates the witness. If that lags behind it causes no false alarm, so a failure is only a warning.
    fn note(&self, subject: Subject, value: u64) {
        if let Err(error) = self.shared.witness.lock().unwrap_or_else(PoisonError::into_inner).set(subject, value) {
            tracing::warn!(%error, "failed to note beside the stream how far it goes");
        }
    }

    /// Fails the group: from now on nothing may be acknowledged, this group included.
    fn fail(&self, group: Group, Failed { reason, begun }: Failed) {
        let mut maybe_stored = false;
        if begun {
            let ends = group.appends.values().map(|appends| (appends.partition.key, appends.partition.end()));
            let noted = self.shared.witness.lock().unwrap_or_else(PoisonError::into_inner).note_failure(ends);
            maybe_stored = noted.is_err();
        }
        let failure = Failure::of(&*reason);
        tracing::error!(
            "a write to the stream failed: {failure}; it takes nothing until that is over, and then opens itself anew"
        );
        let refused = |maybe_stored| StreamError::Paused { cause: failure.cause(), maybe_stored };
        *self.shared.failed.write().unwrap_or_else(PoisonError::into_inner) = Some(failure.clone());
        for (_, reply) in group.appends.into_values().flat_map(|appends| appends.waiting) {
            let _gone = reply.send(Err(refused(maybe_stored)));
        }
        for reply in group.puts {
            // A `Put` replaces values: its caller will write them again.
            reply(Err(refused(begun)));
        }
    }
}
