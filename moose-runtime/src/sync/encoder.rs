//! Encodes the records of a range as one Native block.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;

use super::{Assignment, Prepared};
use crate::{
    record::{ErasedBatch, FieldError, Provenance},
    stream::{Epochs, Record},
};

/// Encodes the range that is being filled.
pub(super) struct RangeEncoder {
    batch: Box<dyn ErasedBatch>,
    /// First and last record, including those that are no rows.
    span: Option<(u64, u64)>,
    records: usize,
    /// Offsets of the rows.
    offsets: Vec<u64>,
    refused: Vec<Refused>,
    refused_bytes: usize,
    oldest: i64,
    epochs: Epochs,
    /// The next record has another epoch, and a range has only one.
    ends_epoch: bool,
    partition: u16,
    provenance: bool,
}

/// A record that does not fit the record type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) record: Record,
    /// All errors in it.
    pub(super) errors: Vec<FieldError>,
}

/// A closed range, with those of its records that are no rows.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) range: Prepared,
    pub(super) refused: Vec<Refused>,
}

impl RangeEncoder {
    pub(super) fn new(assignment: &Assignment) -> Self {
        Self {
            batch: (assignment.new_batch)(),
            span: None,
            records: 0,
            offsets: Vec::new(),
            refused: Vec::new(),
            refused_bytes: 0,
            oldest: 0,
            epochs: assignment.epochs.clone(),
            ends_epoch: false,
            partition: assignment.partition,
            provenance: assignment.table.provenance,
        }
    }

    /// Number of records in the range, including those that are no rows.
    pub(super) fn records(&self) -> usize {
        self.records
    }

    /// Bytes of the block without its header.
    pub(super) fn byte_size(&self) -> usize {
        self.batch.byte_size()
    }

    /// Bytes in memory: the columns, and the records that are no rows.
    pub(super) fn held_bytes(&self) -> usize {
        self.batch.byte_size() + self.refused_bytes
    }

    /// Whether the range must end because the next record has another epoch.
    pub(super) fn ends_epoch(&self) -> bool {
        self.ends_epoch
    }

    /// Takes records from the front of `records`, as long as the range stays within one epoch and `max_records` and has
    /// not reached `max_bytes`. Those in `without`, and those that don't fit the type, are part of the range but no
    /// rows. Returns the number of records taken.
    pub(super) fn push(
        &mut self,
        records: &[Record],
        without: &BTreeSet<u64>,
        max_records: usize,
        max_bytes: usize,
    ) -> usize {
        let records = self.of_one_epoch(records);
        let room = max_records.saturating_sub(self.records);
        let offered = records.get(..room.min(records.len())).unwrap_or(records);
        let wanted: Vec<&Record> = offered.iter().filter(|record| !without.contains(&record.offset)).collect();
        let payloads: Vec<&[u8]> = wanted.iter().map(|record| record.payload.as_ref()).collect();
        let mut rejected = Vec::new();
        let looked_at = self.batch.decode(&payloads, max_bytes, &mut rejected);
        let taken = match wanted.get(looked_at) {
            Some(next) => offered.iter().take_while(|record| record.offset < next.offset).count(),
            None => offered.len(),
        };
        let mut rejected = rejected.into_iter().peekable();
        for (index, record) in wanted.into_iter().take(looked_at).enumerate() {
            match rejected.next_if(|rejected| rejected.index == index) {
                Some(rejected) => {
                    self.refused_bytes += record.payload.len();
                    self.refused.push(Refused { record: record.clone(), errors: rejected.errors });
                }
                None => self.offsets.push(record.offset),
            }
        }
        self.note_span(offered.get(..taken).unwrap_or(offered));
        taken
    }

    /// The first records, up to the end of the range's epoch.
    fn of_one_epoch<'a>(&mut self, records: &'a [Record]) -> &'a [Record] {
        let first = self.span.map(|(first, _)| first).or(records.first().map(|record| record.offset));
        let Some(end) = first.and_then(|first| self.epochs.end_of(first)) else { return records };
        let (of_it, rest) = records.split_at(records.partition_point(|record| record.offset < end));
        self.ends_epoch = !rest.is_empty();
        of_it
    }

    fn note_span(&mut self, taken: &[Record]) {
        let (Some(first), Some(last)) = (taken.first(), taken.last()) else { return };
        if self.span.is_none() {
            self.oldest = first.timestamp;
        }
        self.span = Some((self.span.map_or(first.offset, |(first, _)| first), last.offset));
        self.records += taken.len();
    }

    /// Closes the range and begins an empty one. `None` if it has no records.
    pub(super) fn close(&mut self) -> Option<Closed> {
        let (first, last) = self.span.take()?;
        let body = if self.offsets.is_empty() { Bytes::new() } else { self.block(first) };
        self.batch.truncate(0);
        self.ends_epoch = false;
        self.records = 0;
        self.refused_bytes = 0;
        let offsets: Arc<[u64]> = std::mem::take(&mut self.offsets).into();
        let range = Prepared { first, last, offsets, body, oldest: self.oldest, room: None };
        Some(Closed { range, refused: std::mem::take(&mut self.refused) })
    }

    fn block(&self, first: u64) -> Bytes {
        let provenance_bytes = if self.provenance { self.offsets.len() * 18 } else { 0 };
        let mut body = Vec::with_capacity(self.batch.byte_size() + provenance_bytes + 4096);
        let provenance = self.provenance.then_some(Provenance {
            epoch: self.epochs.at(first),
            partition: self.partition,
            offsets: &self.offsets,
        });
        self.batch.write_native(provenance, &mut body);
        Bytes::from(body)
    }
}
