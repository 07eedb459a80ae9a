//! A record type as columns: JSON in, one Native block out.

mod batch;

pub use batch::{ErasedBatch, ErrorCode, FieldError, Provenance, Rejected};

/// What generated code uses.
/// A ClickHouse type as the columns declare it, known at compile time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataType {
    /// `String`
    String,
}

/// A declared column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnSpec {
    /// Name of the column.
    pub name: &'static str,
    /// The names by which JSON may give the field: its own, then its aliases.
    pub json: &'static [&'static str],
    /// Type of the column.
    pub data_type: DataType,
    /// Compression codec, such as `Delta, ZSTD`.
    pub codec: Option<&'static str>,
    /// Default expression.
    pub default: Option<&'static str>,
    /// Comment, from the field's doc comment.
    pub comment: Option<&'static str>,
}
