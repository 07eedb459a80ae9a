//! What a record type promises: which records are rows, what is told of the others, and which bytes the rows become.

mod native;
mod refused;

use crate::record::{Batch, ErasedBatch, OlapRecord, Rejected};

/// Decodes all records with no limit.
fn decode<R: OlapRecord>(batch: &mut Batch<R>, records: &[&str]) -> Vec<Rejected> {
    let records: Vec<&[u8]> = records.iter().map(|record| record.as_bytes()).collect();
    let mut rejected = Vec::new();
    assert_eq!(batch.decode(&records, usize::MAX, &mut rejected), records.len());
    rejected
}

/// The block of the rows.
fn block<R: OlapRecord>(batch: &Batch<R>) -> Vec<u8> {
    let mut block = Vec::new();
    batch.write_native(None, &mut block);
    block
}
