//! Tests of record types: which records are valid, which errors are reported, and which bytes the rows become.

mod hygiene;
mod json_reader;
mod native;
mod properties;
mod reader;
mod refused;
mod shapes;
mod types;

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use crate::record::{Batch, ErasedBatch, ErrorCode, OlapRecord, Rejected};

/// Every kind of column there is.
#[derive(Clone, Debug, Default, crate::OlapRecord)]
#[olap(crate = "crate")]
#[serde(rename_all = "camelCase")]
struct Everything {
    #[key]
    text: String,
    boxed: Box<str>,
    flag: bool,
    tiny: i8,
    small: i16,
    medium: i32,
    large: i64,
    unsigned_tiny: u8,
    unsigned_small: u16,
    unsigned_medium: u32,
    unsigned_large: u64,
    single: f32,
    double: f64,
    day: NaiveDate,
    instant: DateTime<Utc>,
    #[olap(precision = 9)]
    exact: DateTime<Utc>,
    id: Uuid,
    #[olap(low_cardinality)]
    kind: String,
    #[olap(low_cardinality)]
    maybe_kind: Option<String>,
    maybe: Option<i32>,
    #[olap(precision = 0)]
    maybe_instant: Option<DateTime<Utc>>,
    tags: Vec<String>,
    maybe_numbers: Vec<Option<u16>>,
    #[olap(low_cardinality)]
    kinds: Vec<String>,
    nested: Vec<Vec<u8>>,
    #[olap(low_cardinality)]
    maybe_kinds: Vec<Option<String>>,
}

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

/// Pointer and kind of every error in a record, which must be rejected and leave nothing in the columns.
fn mistakes<R: OlapRecord>(record: &[u8]) -> Vec<(String, ErrorCode)> {
    let mut batch = Batch::<R>::new();
    let empty = block(&batch);
    let mut rejected = Vec::new();
    batch.decode(&[record], usize::MAX, &mut rejected);
    assert_eq!(block(&batch), empty, "a trace of {}", String::from_utf8_lossy(record));
    let errors = rejected.into_iter().flat_map(|rejected| rejected.errors);
    errors.map(|error| (error.pointer, error.code)).collect()
}
