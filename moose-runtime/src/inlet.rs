//! The inlet, the one way to append records to a stream: each is decoded by the code that will insert it, checked
//! against the stream's maximum size, sent to the partition of its key, and durable when the append returns.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures_util::future::join_all;

use crate::{
    record::{BatchFactory, ErasedBatch, ErrorCode, FieldError},
    stream::{Backend, Capabilities, NewRecord, Spread, StreamError},
};

/// Number of records decoded at a time: bounds the memory of their errors.
const RECORDS_AT_ONCE: usize = 1_024;
/// Encoded bytes after which decoded columns are dropped.
const COLUMN_BYTES: usize = 4 << 20;
/// Maximum number of decoding batches that are kept for reuse.
const SPARE_BATCHES: usize = 8;

/// The inlet of one stream.
pub struct Inlet {
    backend: Arc<dyn Backend>,
    topic: String,
    new_batch: BatchFactory,
    /// Columns are large and costly to grow, so they are reused.
    spare: Mutex<Vec<Box<dyn ErasedBatch>>>,
}

impl fmt::Debug for Inlet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Inlet").field("topic", &self.topic).finish_non_exhaustive()
    }
}

/// Checked records to append, by partition; none is empty.
#[derive(Debug, Default)]
pub(crate) struct Checked(Vec<(u16, Vec<NewRecord>)>);

impl Inlet {
    /// An inlet to a topic, which must be open before the first record, with batches of its records, which know the
    /// key.
    pub fn new(backend: Arc<dyn Backend>, topic: String, new_batch: BatchFactory) -> Self {
        Self { backend, topic, new_batch, spare: Mutex::default() }
    }

    /// The topic.
    pub(crate) fn topic(&self) -> &str {
        &self.topic
    }

    /// Checks records, which are slices of `body`. Each rejected one is reported with its index.
    pub(crate) fn check<'b>(
        &self,
        body: &Bytes,
        mut records: impl Iterator<Item = &'b [u8]>,
        mut refused: impl FnMut(usize, Vec<FieldError>),
    ) -> Checked {
        let mut batch = self.take_batch();
        let mut check = Check::new(&mut *batch, &*self.backend, &self.topic);
        let mut chunk = Vec::with_capacity(RECORDS_AT_ONCE.min(records.size_hint().0 + 1));
        loop {
            chunk.clear();
            chunk.extend(records.by_ref().take(RECORDS_AT_ONCE));
            if chunk.is_empty() {
                break;
            }
            check.chunk(body, &chunk, &mut refused);
        }
        let partitions = (0..).zip(check.partitions).filter(|(_, records)| !records.is_empty());
        let checked = Checked(partitions.collect());
        self.give_back(batch);
        checked
    }

    /// Appends to all partitions concurrently.
    pub(crate) async fn append(&self, Checked(records): Checked) -> Appended {
        let counts: Vec<usize> = records.iter().map(|(_, records)| records.len()).collect();
        let appends =
            records.into_iter().map(|(partition, records)| self.backend.append(&self.topic, partition, records));
        let mut appended = Appended::default();
        for (count, result) in counts.into_iter().zip(join_all(appends).await) {
            match result {
                Ok(_) => appended.accepted += count,
                Err(error) => appended.fail(count, error),
            }
        }
        appended
    }

    fn take_batch(&self) -> Box<dyn ErasedBatch> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        spare.unwrap_or_else(|| (self.new_batch)())
    }

    fn give_back(&self, mut batch: Box<dyn ErasedBatch>) {
        batch.truncate(0);
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE_BATCHES {
            spare.push(batch);
        }
    }
}

/// A check of records: valid ones are added to their partition.
struct Check<'a> {
    batch: &'a mut dyn ErasedBatch,
    /// The maximum record size of the stream, in bytes.
    max_bytes: usize,
    spread: Spread,
    partitions: Vec<Vec<NewRecord>>,
    /// Number of records so far.
    seen: usize,
}

impl<'a> Check<'a> {
    /// Starts with an empty batch.
    fn new(batch: &'a mut dyn ErasedBatch, backend: &dyn Backend, topic: &str) -> Self {
        let Capabilities { max_record_bytes, keeps_keys, .. } = backend.capabilities();
        let partitions = backend.partitions(topic);
        Self {
            batch,
            max_bytes: max_record_bytes,
            spread: Spread::new(partitions, keeps_keys),
            partitions: vec![Vec::new(); usize::from(partitions.max(1))],
            seen: 0,
        }
    }

    fn chunk(&mut self, body: &Bytes, records: &[&[u8]], refused: &mut impl FnMut(usize, Vec<FieldError>)) {
        let mut rest = records;
        while !rest.is_empty() {
            let mut rejected = Vec::new();
            let looked_at = self.batch.decode(rest, COLUMN_BYTES, &mut rejected);
            assert!((1..=rest.len()).contains(&looked_at), "BUG: a batch that looks at {looked_at} of {}", rest.len());
            let (now, later) = rest.split_at(looked_at);
            rest = later;
            let mut next_rejected = rejected.iter().map(|rejected| rejected.index).peekable();
            for (index, record) in now.iter().enumerate() {
                if next_rejected.next_if_eq(&index).is_some() {
                    continue;
                }
                if record.len() <= self.max_bytes {
                    self.keep(body, record);
                } else {
                    refused(self.seen + index, vec![too_large(record.len(), self.max_bytes)]);
                }
            }
            for rejected in rejected {
                refused(self.seen + rejected.index, rejected.errors);
            }
            self.seen += looked_at;
            if self.batch.byte_size() >= COLUMN_BYTES {
                self.batch.truncate(0);
            }
        }
    }

    /// Adds a valid record to its partition.
    fn keep(&mut self, body: &Bytes, record: &[u8]) {
        let (partition, key) = self.spread.place(|| self.batch.record_key(record));
        if let Some(records) = self.partitions.get_mut(usize::from(partition)) {
            records.push(NewRecord { key, payload: body.slice_ref(record) });
        }
    }
}

fn too_large(bytes: usize, max: usize) -> FieldError {
    FieldError {
        pointer: String::new(),
        code: ErrorCode::TooLarge,
        message: format!("the record has {bytes} bytes, and the stream takes records of at most {max}"),
    }
}

/// The outcome of an append to several partitions.
#[derive(Debug, Default)]
pub(crate) struct Appended {
    /// Records that are durable.
    pub(crate) accepted: usize,
    /// Records that are not stored and will not be.
    pub(crate) rejected: usize,
    /// Records that may be stored or not.
    pub(crate) unknown: usize,
    /// Why not all are durable.
    pub(crate) failure: Option<StreamError>,
}

impl Appended {
    /// The append of that many records failed.
    fn fail(&mut self, count: usize, error: StreamError) {
        let (taken, maybe) = match &error {
            StreamError::Partly { accepted, unknown, .. } => (*accepted, *unknown),
            other if surely_not_stored(other) => (0, 0),
            _ => (0, count),
        };
        self.accepted += taken;
        self.unknown += maybe;
        self.rejected += count.saturating_sub(taken).saturating_sub(maybe);
        self.failure = Some(error);
    }
}

/// Whether a failed append certainly stored nothing.
fn surely_not_stored(error: &StreamError) -> bool {
    matches!(
        error,
        StreamError::Full { .. }
            | StreamError::Paused { maybe_stored: false, .. }
            | StreamError::UnknownTopic { .. }
            | StreamError::UnknownPartition { .. }
    )
}
