//! Reads a partition and closes its ranges: at exactly `max_rows` records, at `max_bytes` encoded, or `max_delay` after
//! the first record. Reading and decoding go on while earlier ranges are on their way; decoding runs on blocking
//! threads.

use tokio::{sync::mpsc, time::Instant};

use super::{Assignment, Prepared, Shared, SyncError, backoff::Backoff, encoder::RangeEncoder};
use crate::{record::FieldError, stream::Record};

/// How much is read from the stream at once.
const READ_BYTES: usize = 1 << 20;

/// Fills and closes the ranges of one partition.
pub(super) struct Reader {
    shared: Shared,
    assignment: Assignment,
    /// Next offset to be read.
    position: u64,
    /// Read, but in no range yet.
    buffer: Vec<Record>,
    encoder: RangeEncoder,
    /// Once the process stops: where to end.
    drain_to: Option<u64>,
}

enum Filled {
    Records,
    Due,
    End,
}

impl Reader {
    pub(super) fn new(shared: Shared, assignment: Assignment, position: u64) -> Self {
        let encoder = RangeEncoder::new(&assignment);
        Self { shared, assignment, position, buffer: Vec::new(), encoder, drain_to: None }
    }

    /// Sends closed ranges until the process stops and the partition is read to its end, or nobody takes them. A place
    /// in the channel is reserved before a range begins, so the channel's capacity bounds the memory.
    pub(super) async fn run(mut self, ranges: mpsc::Sender<Prepared>) {
        while let Ok(place) = ranges.reserve().await {
            match self.next_range().await {
                Some(range) => place.send(range),
                None => return,
            }
        }
    }

    async fn next_range(&mut self) -> Option<Prepared> {
        let config = self.shared.config;
        let max_bytes = usize::try_from(config.max_bytes.as_u64()).unwrap_or(usize::MAX);
        let mut due: Option<Instant> = None;
        loop {
            if self.buffer.is_empty() {
                match self.fill(due).await {
                    Filled::Records => {}
                    Filled::Due | Filled::End => return self.close().await,
                }
            }
            let due = *due.get_or_insert_with(|| Instant::now() + config.max_delay);
            match self.encode(config.max_rows, max_bytes).await {
                Ok(None) => {}
                Ok(Some(errors)) => {
                    // What is before the record goes its way; the record itself holds the partition.
                    if self.encoder.rows() > 0 {
                        return self.close().await;
                    }
                    self.hold(errors).await;
                    return None;
                }
                Err(error) => {
                    self.stay_failed(&error).await;
                    return None;
                }
            }
            let full = self.encoder.rows() >= config.max_rows || self.encoder.byte_size() >= max_bytes;
            if full || Instant::now() >= due {
                return self.close().await;
            }
        }
    }

    /// Waits for records, until the range is due or the process stops and everything is read.
    async fn fill(&mut self, due: Option<Instant>) -> Filled {
        let (topic, partition) = (self.assignment.topic.clone(), self.assignment.partition);
        let part = format!("stream `{topic}` partition {partition}");
        let mut backoff = Backoff::default();
        loop {
            if self.drain_to.is_some_and(|end| self.position >= end) {
                return Filled::End;
            }
            let error = tokio::select! {
                biased;
                () = self.shared.stop.wait(), if self.drain_to.is_none() => {
                    let bounds = self.shared.backend.bounds(&topic, partition).await;
                    self.drain_to = Some(bounds.map_or(self.position, |bounds| bounds.end));
                    continue;
                }
                read = self.shared.backend.read(&topic, partition, self.position, READ_BYTES) => match read {
                    Ok(records) => {
                        self.shared.health.recovered(&part);
                        let Some(last) = records.last() else { continue };
                        self.position = last.offset.saturating_add(1);
                        self.buffer = records;
                        return Filled::Records;
                    }
                    Err(error) => error,
                },
                () = sleep_until(due) => return Filled::Due,
            };
            if self.drain_to.is_some() {
                return Filled::End;
            }
            tracing::error!(part, position = self.position, %error, "failed to read; will be tried again");
            self.shared.health.failed(&part, None, error.to_string());
            tokio::select! {
                () = tokio::time::sleep(backoff.next(false)) => {}
                () = self.shared.stop.wait() => {}
            }
        }
    }

    /// Moves records from the buffer into the range. The answer is what is wrong with the record that stopped it.
    async fn encode(&mut self, max_rows: usize, max_bytes: usize) -> Result<Option<Vec<FieldError>>, SyncError> {
        let records = std::mem::take(&mut self.buffer);
        let offset = records.first().map_or(self.position, |record| record.offset);
        let mut encoder = std::mem::replace(&mut self.encoder, RangeEncoder::new(&self.assignment));
        let work = tokio::task::spawn_blocking(move || {
            let taken = encoder.push(&records, max_rows, max_bytes);
            (encoder, records, taken)
        });
        let Ok((encoder, mut records, taken)) = work.await else {
            let (topic, partition) = (self.assignment.topic.clone(), self.assignment.partition);
            return Err(SyncError::Panicked { topic, partition, offset });
        };
        records.drain(..taken.records.min(records.len()));
        self.encoder = encoder;
        self.buffer = records;
        Ok(taken.refused)
    }

    async fn close(&mut self) -> Option<Prepared> {
        let mut encoder = std::mem::replace(&mut self.encoder, RangeEncoder::new(&self.assignment));
        let work = tokio::task::spawn_blocking(move || {
            let range = encoder.close();
            (encoder, range)
        });
        let Ok((encoder, range)) = work.await else {
            let (topic, partition) = (self.assignment.topic.clone(), self.assignment.partition);
            self.stay_failed(&SyncError::Panicked { topic, partition, offset: self.position }).await;
            return None;
        };
        self.encoder = encoder;
        range
    }

    async fn hold(&mut self, errors: Vec<FieldError>) {
        let offset = self.buffer.first().map_or(self.position, |record| record.offset);
        let (topic, partition) = (self.assignment.topic.clone(), self.assignment.partition);
        self.stay_failed(&SyncError::Undecodable { topic, partition, offset, errors }).await;
    }

    /// Shows a failure that only a new build can mend, until the process stops. Nothing of the stream is lost.
    async fn stay_failed(&mut self, error: &SyncError) {
        // A name of its own: the deliveries of what was read before clear theirs.
        let part = format!("{}, reading", self.assignment.part());
        tracing::error!(part, %error, "held; nothing of the stream is lost");
        self.shared.health.failed(&part, None, error.to_string());
        self.shared.stop.wait().await;
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
