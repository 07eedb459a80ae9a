//! The way into a stream for whoever has records: each is decoded by the code that will insert it, is no larger than the
//! stream takes, goes to the partition of its key, and is durable when the append returns.

use bytes::Bytes;

use crate::{
    record::{ErasedBatch, ErrorCode, FieldError},
    stream::{Backend, BoxFuture, NewRecord, Spread, StreamError},
};

/// Records that are decoded at once: bounds the memory of their errors.
const RECORDS_AT_ONCE: usize = 1_024;
/// Encoded bytes after which decoded columns are thrown away.
const COLUMN_BYTES: usize = 4 << 20;

/// Valid records, by partition; none is empty.
pub(crate) type Sorted = Vec<(u16, Vec<NewRecord>)>;

/// What a stream wants of records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// The largest record that it takes, in bytes.
    pub(crate) max_bytes: usize,
    /// Its partitions.
    pub(crate) partitions: u16,
    /// Whether it keeps keys.
    pub(crate) keys: bool,
}

impl Wanted {
    /// What the topic wants.
    pub(crate) fn by(backend: &dyn Backend, topic: &str) -> Self {
        Self {
            max_bytes: backend.max_record_bytes(),
            partitions: backend.partitions(topic),
            keys: backend.keeps_keys(),
        }
    }
}

/// Looks at records, and puts those that are valid with their partition.
pub(crate) struct Inlet<'a> {
    batch: &'a mut dyn ErasedBatch,
    wanted: Wanted,
    spread: Spread,
    partitions: Vec<Vec<NewRecord>>,
    /// Records so far.
    seen: usize,
}

impl<'a> Inlet<'a> {
    /// An inlet into a stream that wants this, over an empty batch of its record type.
    pub(crate) fn new(batch: &'a mut dyn ErasedBatch, wanted: Wanted) -> Self {
        Self {
            batch,
            wanted,
            spread: Spread::new(wanted.partitions, wanted.keys),
            partitions: vec![Vec::new(); usize::from(wanted.partitions.max(1))],
            seen: 0,
        }
    }

    /// Looks at records, which are pieces of `body`. Whatever is refused is told with its place among all so far.
    pub(crate) fn take<'b>(
        &mut self,
        body: &Bytes,
        mut records: impl Iterator<Item = &'b [u8]>,
        mut refused: impl FnMut(usize, Vec<FieldError>),
    ) {
        let mut chunk = Vec::with_capacity(RECORDS_AT_ONCE.min(records.size_hint().0 + 1));
        loop {
            chunk.clear();
            chunk.extend(records.by_ref().take(RECORDS_AT_ONCE));
            if chunk.is_empty() {
                return;
            }
            self.chunk(body, &chunk, &mut refused);
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
                if record.len() <= self.wanted.max_bytes {
                    self.keep(body, record);
                } else {
                    refused(self.seen + index, vec![too_large(record.len(), self.wanted.max_bytes)]);
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

    /// A valid record goes to its partition.
    fn keep(&mut self, body: &Bytes, record: &[u8]) {
        let (partition, key) = self.spread.place(|| self.batch.record_key(record));
        if let Some(records) = self.partitions.get_mut(usize::from(partition)) {
            records.push(NewRecord { key, payload: body.slice_ref(record) });
        }
    }

    /// The valid ones.
    pub(crate) fn sorted(self) -> Sorted {
        (0..).zip(self.partitions).filter(|(_, records)| !records.is_empty()).collect()
    }
}

fn too_large(bytes: usize, max: usize) -> FieldError {
    FieldError {
        pointer: String::new(),
        code: ErrorCode::TooLarge,
        message: format!("the record has {bytes} bytes, and the stream takes records of at most {max}"),
    }
}

/// What became of an append to several partitions.
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

/// Appends to all partitions at once.
pub(crate) async fn append(backend: &dyn Backend, topic: &str, sorted: Sorted) -> Appended {
    let counts: Vec<usize> = sorted.iter().map(|(_, records)| records.len()).collect();
    let appends = sorted.into_iter().map(|(partition, records)| backend.append(topic, partition, records));
    let results = all(appends.collect()).await;
    let mut appended = Appended::default();
    for (count, result) in counts.into_iter().zip(results) {
        match result {
            Ok(_) => appended.accepted += count,
            Err(error) => {
                let (taken, maybe) = match &error {
                    StreamError::Partly { accepted, unknown, .. } => (*accepted, *unknown),
                    other if surely_not_stored(other) => (0, 0),
                    _ => (0, count),
                };
                appended.accepted += taken;
                appended.unknown += maybe;
                appended.rejected += count.saturating_sub(taken).saturating_sub(maybe);
                appended.failure = Some(error);
            }
        }
    }
    appended
}

/// Whether a failed append left nothing behind for certain.
fn surely_not_stored(error: &StreamError) -> bool {
    matches!(
        error,
        StreamError::Full { .. }
            | StreamError::Paused { maybe_stored: false, .. }
            | StreamError::UnknownTopic { .. }
            | StreamError::UnknownPartition { .. }
    )
}

/// Awaits all at once.
async fn all<T>(mut futures: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        let mut waiting = false;
        for (future, slot) in futures.iter_mut().zip(&mut done) {
            if slot.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(value) => *slot = Some(value),
                    std::task::Poll::Pending => waiting = true,
                }
            }
        }
        if waiting { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    done.into_iter().flatten().collect()
}
