//! `Batch<R>`: the columns of one record type, behind the trait object that the front door and the workers hold.

use super::{
    ColumnSpec, ErasedBatch, FieldError, OlapRecord, Provenance, RecordColumns, Rejected, decode, explain::explain,
    json, native,
};

/// Columns of a record type, filled with records and written as one Native block.
#[derive(Debug)]
pub struct Batch<R: OlapRecord> {
    /// Level between calls: every column has the same number of rows.
    columns: R::Columns,
    /// The JSON names of each field of the record's key.
    key: Vec<&'static [&'static str]>,
}

impl<R: OlapRecord> Default for Batch<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: OlapRecord> Batch<R> {
    /// An empty batch whose records are partitioned by the type's `#[key]`.
    pub fn new() -> Self {
        Self::with_record_key(R::KEY)
    }

    /// An empty batch whose records are partitioned by these columns; unknown names count as absent values.
    pub fn with_record_key(columns: &[&str]) -> Self {
        let names = |column: &&str| {
            R::Columns::COLUMNS.iter().find(|spec| spec.name == *column).map_or(&[][..], |spec| spec.json)
        };
        // A column that ClickHouse computes depends on the others.
        let is_computed =
            |column: &&str| R::Columns::COLUMNS.iter().any(|spec| spec.name == *column && !spec.is_inserted());
        let key = columns.iter().filter(|column| !is_computed(column)).map(names).collect();
        Self { columns: R::Columns::default(), key }
    }

    /// Appends one record, or leaves the columns as they were.
    pub fn append(&mut self, record: &R) -> Result<(), FieldError> {
        let rows = self.rows();
        let appended = self.columns.append(record);
        if appended.is_err() {
            decode::truncate(&mut self.columns, rows);
        }
        appended.map_err(FieldError::from)
    }

    /// Parses one record and appends it, or leaves the columns as they were and returns all errors.
    #[inline]
    fn append_json(&mut self, record: &[u8]) -> Result<(), Vec<FieldError>> {
        let rows = self.rows();
        if let Ok(text) = std::str::from_utf8(record)
            && decode::append::<R, R::Columns>(&mut self.columns, text).is_ok()
            && decode::are_level(&self.columns, rows + 1)
        {
            return Ok(());
        }
        decode::truncate(&mut self.columns, rows);
        Err(explain::<R, R::Columns>(record))
    }
}

impl<R: OlapRecord> ErasedBatch for Batch<R> {
    #[inline]
    fn rows(&self) -> usize {
        decode::rows(&self.columns)
    }

    #[inline]
    fn byte_size(&self) -> usize {
        if self.rows() == 0 { 0 } else { decode::byte_size(&self.columns) }
    }

    fn truncate(&mut self, rows: usize) {
        decode::truncate(&mut self.columns, rows);
    }

    fn decode(&mut self, records: &[&[u8]], max_bytes: usize, rejected: &mut Vec<Rejected>) -> usize {
        for (index, record) in records.iter().enumerate() {
            if let Err(errors) = self.append_json(record) {
                rejected.push(Rejected { index, errors });
            }
            if self.byte_size() >= max_bytes {
                return index + 1;
            }
        }
        records.len()
    }

    fn record_key(&self, record: &[u8]) -> Option<Vec<u8>> {
        (!self.key.is_empty()).then(|| json::key(record, &self.key))
    }

    fn columns(&self) -> &'static [ColumnSpec] {
        R::Columns::COLUMNS
    }

    fn write_native(&self, provenance: Option<Provenance<'_>>, out: &mut Vec<u8>) {
        native::write_block(&self.columns, provenance, out);
    }
}
