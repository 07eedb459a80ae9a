//! `ErasedBatch`: a batch of columns as a trait object, which is all that the front door and the workers know of a
//! record type.

use std::sync::Arc;

use super::ColumnSpec;

/// Creates empty batches of one record type.
pub type BatchFactory = Arc<dyn Fn() -> Box<dyn ErasedBatch> + Send + Sync>;

/// Columns of one record type, to be filled with JSON records and written as one Native block.
pub trait ErasedBatch: Send {
    /// Rows so far.
    fn rows(&self) -> usize;

    /// Bytes that the columns take once encoded, without the provenance columns.
    fn byte_size(&self) -> usize;

    /// Removes all rows after the first `rows`.
    fn truncate(&mut self, rows: usize);

    /// Decodes records in order and appends one row for each that is valid. An invalid record leaves nothing in the
    /// columns and is pushed to `rejected` with every error found in it. Stops after the record with which
    /// [`byte_size`](Self::byte_size) reaches `max_bytes`; returns the number of records that were looked at.
    fn decode(&mut self, records: &[&[u8]], max_bytes: usize, rejected: &mut Vec<Rejected>) -> usize;

    /// The bytes whose hash chooses a valid record's partition: one string field as it is, otherwise the JSON array of
    /// the key's values. `None` if records of the type have no key.
    fn record_key(&self, record: &[u8]) -> Option<Vec<u8>>;

    /// The declared columns, in order, including those that ClickHouse computes, without the provenance columns.
    fn columns(&self) -> &'static [ColumnSpec];

    /// Appends all rows to `out` as exactly one Native block. The same rows always give the same bytes.
    ///
    /// # Panics
    ///
    /// If there is not exactly one provenance offset for each row, or the provenance is the maximum of its type, which
    /// the provenance columns reserve for "not from a stream".
    fn write_native(&self, provenance: Option<Provenance<'_>>, out: &mut Vec<u8>);
}

/// The origin of a block's rows, for the three provenance columns.
#[derive(Clone, Copy, Debug)]
pub struct Provenance<'a> {
    /// Epoch of the topic.
    pub epoch: u64,
    /// Partition of the topic.
    pub partition: u16,
    /// Offset of each row.
    pub offsets: &'a [u64],
}

/// A record that is not a valid row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its index among the given records.
    pub index: usize,
    /// All errors in it; never empty.
    pub errors: Vec<FieldError>,
}

/// One error in a record.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FieldError {
    /// JSON pointer to the place, empty for the record itself.
    pub pointer: String,
    /// The kind of error.
    pub code: ErrorCode,
    /// What is wrong and what is expected, without the payload.
    pub message: String,
}

/// Defines the codes, each with its text form.
macro_rules! error_codes {
    ($( #[doc = $doc:literal] $code:ident = $name:literal, )+) => {
        /// Kinds of errors in a record. The text form is part of the HTTP contract.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $( #[doc = $doc] $code, )+
        }

        impl ErrorCode {
            /// All of them.
            pub const ALL: &'static [Self] = &[$( Self::$code ),+];

            /// The text form.
            pub fn name(self) -> &'static str {
                match self {
                    $( Self::$code => $name, )+
                }
            }
        }
    };
}

error_codes! {
    /// Not JSON.
    InvalidJson = "invalid_json",
    /// Not UTF-8.
    InvalidUtf8 = "invalid_utf8",
    /// More records than a request may bring.
    TooManyRecords = "too_many_records",
    /// The record is larger than the stream takes.
    TooLarge = "too_large",
    /// Nested deeper than the reader goes.
    TooDeep = "too_deep",
    /// A field that is needed is not there.
    MissingField = "missing_field",
    /// A field is there more than once.
    DuplicateField = "duplicate_field",
    /// A field that is not declared, where the type denies those.
    UnknownField = "unknown_field",
    /// Not the JSON type that the column takes.
    WrongType = "wrong_type",
    /// A number, date or length outside what the column holds.
    OutOfRange = "out_of_range",
    /// Right JSON type, but not a value of the column's type (a date that does not exist, not a UUID).
    InvalidValue = "invalid_value",
}

impl serde::Serialize for ErrorCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
