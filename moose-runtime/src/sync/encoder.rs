//! Records become the one Native block of a range.

use bytes::Bytes;

use super::{Assignment, Prepared};
use crate::{
    record::{ErasedBatch, FieldError, Provenance},
    stream::Record,
};

/// The range that is being filled.
pub(super) struct RangeEncoder {
    batch: Box<dyn ErasedBatch>,
    offsets: Vec<u64>,
    oldest: i64,
    epoch: u64,
    partition: u16,
    provenance: bool,
}

/// What came of offering records to a range.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// How many of them are in the range now.
    pub(super) records: usize,
    /// What is wrong with the next one, where that is why no more were taken.
    pub(super) refused: Option<Vec<FieldError>>,
}

impl RangeEncoder {
    pub(super) fn new(assignment: &Assignment) -> Self {
        Self {
            batch: (assignment.new_batch)(),
            offsets: Vec::new(),
            oldest: 0,
            epoch: assignment.storage.epoch,
            partition: assignment.partition,
            provenance: assignment.table.provenance,
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.offsets.len()
    }

    /// Bytes of the block, but for its header.
    pub(super) fn byte_size(&self) -> usize {
        self.batch.byte_size()
    }

    /// Takes records from the front of `records`, as long as the range stays within `max_rows` and has not reached
    /// `max_bytes`.
    pub(super) fn push(&mut self, records: &[Record], max_rows: usize, max_bytes: usize) -> Taken {
        let room = max_rows.saturating_sub(self.offsets.len());
        let offered = records.get(..room.min(records.len())).unwrap_or(records);
        let payloads: Vec<&[u8]> = offered.iter().map(|record| record.payload.as_ref()).collect();
        let rows_before = self.batch.rows();
        let mut rejected = Vec::new();
        let looked_at = self.batch.decode(&payloads, max_bytes, &mut rejected);
        let (taken, refused) = match rejected.into_iter().next() {
            // The rows behind a refused record wait for what becomes of it: a range has no hole in its middle.
            Some(first) => {
                self.batch.truncate(rows_before + first.index);
                (first.index, Some(first.errors))
            }
            None => (looked_at, None),
        };
        if self.offsets.is_empty() {
            self.oldest = records.first().map_or(0, |record| record.timestamp);
        }
        self.offsets.extend(records.iter().take(taken).map(|record| record.offset));
        Taken { records: taken, refused }
    }

    /// Closes the range and begins an empty one. `None` when there is nothing in it.
    pub(super) fn close(&mut self) -> Option<Prepared> {
        let (first, last) = (*self.offsets.first()?, *self.offsets.last()?);
        let provenance_bytes = if self.provenance { self.offsets.len() * 18 } else { 0 };
        let mut body = Vec::with_capacity(self.batch.byte_size() + provenance_bytes + 4096);
        let provenance = self.provenance.then_some(Provenance {
            epoch: self.epoch,
            partition: self.partition,
            offsets: &self.offsets,
        });
        self.batch.write_native(provenance, &mut body);
        let rows = self.offsets.len();
        self.batch.truncate(0);
        self.offsets.clear();
        Some(Prepared { first, last, rows, body: Bytes::from(body), oldest: self.oldest })
    }
}
