//! The reader of a partition, which closes its ranges: at exactly `max_rows` records, at `max_bytes` encoded, or
//! `max_delay` after the first record. Reading and decoding go on while earlier ranges are on their way; decoding runs
//! on blocking threads.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{sync::mpsc, task::JoinSet, time::Instant};

use super::{
    Assignment, Ended, Prepared, Shared, SyncError,
    backoff::Backoff,
    cause::Misfit,
    encoder::{Closed, RangeEncoder},
    group,
    room::{READ_BYTES, Room},
    size::RangeSize,
};
use crate::{
    stream::{self, EpochSpan, Record, StreamError},
    telemetry::{Component, Reason},
};

/// A partition without new records is checked this often for whether it is still the same.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Fills and closes the ranges of one partition.
pub(super) struct Reader {
    shared: Shared,
    assignment: Assignment,
    /// Next offset to be read.
    position: u64,
    /// The read-ahead from there: it goes on while earlier records are decoded.
    ahead: JoinSet<stream::Result<Vec<Record>>>,
    /// Records that are read, but in no range yet.
    buffer: Vec<Record>,
    /// The last read was so large that more follows it.
    is_backlog: bool,
    encoder: RangeEncoder,
    size: Arc<RangeSize>,
    /// The memory of the open range.
    room: Room,
    /// Offsets from the position on that have dead letters already: an earlier process has passed them, or the stream
    /// is read a second time into a new table.
    without: Arc<BTreeSet<u64>>,
    /// Once the process is stopping: where to end.
    drain_to: Option<u64>,
    /// The partition is no longer what it was when reading began.
    outdated: bool,
}

enum Filled {
    Records,
    Due,
    End,
}

impl Reader {
    pub(super) fn new(shared: Shared, assignment: Assignment, position: u64, size: Arc<RangeSize>) -> Self {
        let encoder = RangeEncoder::new(&assignment);
        let room = Room::new(shared.memory.clone(), shared.stop.clone());
        Self {
            shared,
            assignment,
            position,
            ahead: JoinSet::new(),
            buffer: Vec::new(),
            is_backlog: false,
            encoder,
            size,
            room,
            without: Arc::default(),
            drain_to: None,
            outdated: false,
        }
    }

    /// Sends closed ranges until the process stops and the partition is read to its end, the partition has changed, or
    /// the receiver is gone. A slot in the channel is reserved before a range begins, so the channel's capacity bounds
    /// the memory.
    pub(super) async fn run(mut self, ranges: mpsc::Sender<Prepared>) -> Ended {
        if self.look_for_letters().await.is_some() {
            while let Ok(place) = ranges.reserve().await {
                match self.next_range().await {
                    // The last records read from a changed partition may be of either topic.
                    Some(range) if !self.outdated => place.send(range),
                    _ => break,
                }
            }
        }
        if self.outdated { Ended::Outdated } else { Ended::Done }
    }

    async fn next_range(&mut self) -> Option<Prepared> {
        let (max_rows, max_bytes) = self.size.limits(self.shared.config);
        let mut due: Option<Instant> = None;
        loop {
            if self.buffer.is_empty() {
                match self.fill(due).await {
                    Filled::Records => {}
                    Filled::Due | Filled::End => return self.close().await,
                }
            }
            if self.encoder.records() == 0 {
                let due_at = Instant::now() + self.shared.config.max_delay;
                // A backlog always fills whole ranges, so `max_delay` starts only once their memory is granted.
                let of_backlog = self.is_backlog.then_some((max_rows, max_bytes));
                self.room.begin(self.buffered(), self.buffer.len(), of_backlog).await;
                due = Some(if self.is_backlog { Instant::now() + self.shared.config.max_delay } else { due_at });
            } else {
                let rows = (self.encoder.records() + self.buffer.len()).min(max_rows);
                if !self.room.more(self.encoder.held_bytes(), self.encoder.records(), rows, due).await {
                    return self.close().await;
                }
            }
            let due = due.unwrap_or_else(Instant::now);
            if let Err(error) = self.encode(max_rows, max_bytes).await {
                self.stay_failed(&error).await;
                return None;
            }
            let full = self.encoder.records() >= max_rows
                || self.encoder.ends_epoch()
                || self.encoder.byte_size() >= max_bytes
                || !self.room.settle(self.encoder.held_bytes(), self.encoder.records(), max_rows);
            if full || Instant::now() >= due {
                return self.close().await;
            }
        }
    }

    /// Waits for records, until the range is due or the process stops and everything is read.
    async fn fill(&mut self, due: Option<Instant>) -> Filled {
        let (topic, partition) = (self.assignment.topic.clone(), self.assignment.partition);
        let component = self.component();
        let part = component.to_string();
        let mut backoff = Backoff::default();
        loop {
            if self.drain_to.is_some_and(|end| self.position >= end) {
                return Filled::End;
            }
            self.read_ahead();
            let error = tokio::select! {
                biased;
                () = self.shared.stop.wait(), if self.drain_to.is_none() => {
                    let bounds = self.shared.backend.bounds(&topic, partition).await;
                    self.drain_to = Some(bounds.map_or(self.position, |bounds| bounds.end));
                    continue;
                }
                Some(read) = self.ahead.join_next() => match read {
                    Ok(Ok(records)) => {
                        self.shared.health.recovered(&component);
                        let Some(last) = records.last() else { continue };
                        self.position = last.offset.saturating_add(1);
                        self.buffer = records;
                        self.is_backlog = self.buffered() >= READ_BYTES as u64 / 2;
                        self.read_ahead();
                        return Filled::Records;
                    }
                    Ok(Err(error)) => error,
                    Err(error) => match error.try_into_panic() {
                        Ok(panic) => std::panic::resume_unwind(panic),
                        // The async runtime is shutting down, and this task with it.
                        Err(_ended) => return Filled::End,
                    },
                },
                () = sleep_until(due) => return Filled::Due,
                () = tokio::time::sleep(LOOK_AGAIN), if self.shared.backend.capabilities().topics_can_be_recreated => {
                    // Not every client notices that a topic was created again.
                    if self.is_outdated().await {
                        return Filled::End;
                    }
                    continue;
                }
            };
            if self.drain_to.is_some() || self.is_outdated().await {
                return Filled::End;
            }
            let error = self.told(error);
            tracing::error!(part, position = self.position, %error, "failed to read; will be tried again");
            self.shared.failed(&component, &error);
            tokio::select! {
                () = tokio::time::sleep(backoff.next(false)) => {}
                () = self.shared.stop.wait() => {}
            }
        }
    }

    /// Starts reading from the position on, unless that is already under way.
    fn read_ahead(&mut self) {
        if self.ahead.is_empty() {
            let (backend, position) = (Arc::clone(&self.shared.backend), self.position);
            let (topic, partition) = (self.assignment.topic.clone(), self.assignment.partition);
            self.ahead.spawn(async move { backend.read(&topic, partition, position, READ_BYTES).await });
        }
    }

    /// Whether the partition is no longer what it was when reading began.
    async fn is_outdated(&mut self) -> bool {
        let Assignment { topic, partition, table, storage, .. } = &self.assignment;
        let group = group(&self.shared.app_name, &table.name);
        // A failed request says nothing.
        let epoch = self.shared.backend.epoch(&group, topic, *partition).await;
        self.outdated = epoch.is_ok_and(|epoch| epoch != storage.epoch);
        if self.outdated {
            let position = self.position;
            tracing::warn!(
                topic,
                partition,
                position,
                "the partition is another one than before: it is read no further, and looked at anew"
            );
        }
        self.outdated
    }

    /// A failure to read, with what can be done about it.
    fn told(&self, error: StreamError) -> SyncError {
        match error {
            StreamError::OutOfRange { topic, partition, wanted, start, end } if wanted < start => {
                SyncError::Truncated {
                    group: group(&self.shared.app_name, &self.assignment.table.name),
                    topic,
                    partition,
                    start,
                    end,
                    misfit: Misfit::Behind { next: wanted, start },
                }
            }
            other => SyncError::Stream(other),
        }
    }

    /// Bytes of the records in the buffer.
    fn buffered(&self) -> u64 {
        self.buffer.iter().map(|record| record.payload.len() as u64).sum()
    }

    /// Moves records from the buffer into the range.
    async fn encode(&mut self, max_rows: usize, max_bytes: usize) -> Result<(), SyncError> {
        let records = std::mem::take(&mut self.buffer);
        let offset = records.first().map_or(self.position, |record| record.offset);
        let mut encoder = std::mem::replace(&mut self.encoder, RangeEncoder::new(&self.assignment));
        let without = Arc::clone(&self.without);
        let work = tokio::task::spawn_blocking(move || {
            let taken = encoder.push(&records, &without, max_rows, max_bytes);
            (encoder, records, taken)
        });
        let Ok((encoder, mut records, taken)) = work.await else {
            let (topic, partition) = (self.assignment.topic.clone(), self.assignment.partition);
            return Err(SyncError::Panicked { topic, partition, offset });
        };
        records.drain(..taken.min(records.len()));
        self.encoder = encoder;
        self.buffer = records;
        Ok(())
    }

    async fn close(&mut self) -> Option<Prepared> {
        let mut encoder = std::mem::replace(&mut self.encoder, RangeEncoder::new(&self.assignment));
        let work = tokio::task::spawn_blocking(move || {
            let range = encoder.close();
            (encoder, range)
        });
        let Ok((encoder, closed)) = work.await else {
            let (topic, partition) = (self.assignment.topic.clone(), self.assignment.partition);
            self.stay_failed(&SyncError::Panicked { topic, partition, offset: self.position }).await;
            return None;
        };
        self.encoder = encoder;
        let room = self.room.take();
        let Closed { mut range, refused } = closed?;
        range.room = room.map(|mut reserved| {
            reserved.shrink((range.body.len() + size_of_val(&*range.offsets)) as u64);
            Arc::new(reserved)
        });
        if !refused.is_empty() {
            let letters: Vec<_> = refused.into_iter().map(|refused| self.assignment.misfit(refused, false)).collect();
            // Durable before the range is written down: from then on nothing looks at these records again.
            let mut tries = self.tries("keep dead letters");
            while let Err(error) = self.shared.bury(&letters).await {
                tries.failed(error).await?;
            }
            tries.done();
        }
        Some(range)
    }

    /// Finds out which of the records ahead have dead letters. `None` if the process stops before.
    async fn look_for_letters(&mut self) -> Option<()> {
        let mut found = BTreeSet::new();
        // Records accepted from now on have none yet.
        for EpochSpan { first, last, .. } in self.assignment.epochs.spans(self.position, u64::MAX) {
            let first = self.assignment.letter_key(first);
            let mut tries = self.tries("look for dead letters");
            let of_epoch = loop {
                match self.shared.backend.dead_letter_offsets(&first, last).await {
                    Ok(found) => break found,
                    Err(error) => tries.failed(error).await?,
                }
            };
            tries.done();
            found.extend(of_epoch.into_keys());
        }
        self.without = Arc::new(found);
        Some(())
    }

    /// The reading side of the delivery, for health.
    fn component(&self) -> Component {
        Component::Partition(self.assignment.delivery())
    }

    fn tries(&self, action: &'static str) -> Tries<'_> {
        Tries { shared: &self.shared, component: self.component(), action, backoff: Backoff::default() }
    }

    /// Reports a failure that only a new build can fix, until the process stops. The stream loses nothing.
    async fn stay_failed(&mut self, error: &SyncError) {
        // A name of its own: deliveries of what was read before clear theirs.
        let component = Component::Reading(self.assignment.delivery());
        tracing::error!(part = component.to_string(), %error, "held; nothing of the stream is lost");
        self.shared.failed(&component, error);
        self.shared.stop.wait().await;
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// The retries of a request to the stream that everything else waits for.
struct Tries<'a> {
    shared: &'a Shared,
    component: Component,
    action: &'static str,
    backoff: Backoff,
}

impl Tries<'_> {
    /// Reports a failure and waits before the retry. `None` if the process stops before.
    async fn failed(&mut self, error: StreamError) -> Option<()> {
        let Self { shared, component, action, backoff } = self;
        tracing::error!(part = component.to_string(), action, %error, "failed; will be tried again");
        shared.health.failed(component, Reason::Stream, error.to_string());
        tokio::select! {
            () = tokio::time::sleep(backoff.next(false)) => Some(()),
            () = shared.stop.wait() => None,
        }
    }

    fn done(self) {
        self.shared.health.recovered(&self.component);
    }
}
