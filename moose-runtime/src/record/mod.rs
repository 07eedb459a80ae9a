//! A record type as columns: JSON in, one Native block out.
//!
//! `#[derive(OlapRecord)]` gives a struct a set of typed columns. A JSON record is parsed directly into them, with no
//! value of the struct in between; whatever was accepted can be inserted, since the same columns write the INSERT's
//! block. A record that is not a valid row leaves nothing in the columns, and every error in it is reported.

mod batch;
mod calendar;
pub mod column;
mod data_type;
mod decode;
mod digits;
mod error;
mod explain;
mod field;
mod findings;
mod in_doubt;
#[doc(hidden)]
pub mod json;
mod json_object;
mod map_key;
mod native;
mod spec;
#[cfg(test)]
mod tests;
mod timestamp;
mod typed;
mod wide;

pub use batch::{BatchFactory, ErasedBatch, ErrorCode, FieldError, Provenance, Rejected};
pub use calendar::{Day, Instant, TimeOfDay};
pub use column::{
    AllowsCompact, AllowsDecimal, AllowsFixed, AllowsLowCardinality, AllowsNested, AllowsPrecision, AllowsTimezone,
    Column, ColumnType, NullableInside, Stores,
};
pub use data_type::{ColumnSpec, DataType, JsonOptions};
#[doc(hidden)]
pub use decode::Seed;
pub use error::{Problem, ValueError};
pub use field::{Field, FieldColumn};
pub use findings::Findings;
#[doc(hidden)]
pub use in_doubt::{Columns, InDoubt, OrNot, Sendable};
pub use json::{Node, Place};
pub use native::{PROVENANCE_COLUMNS, write_string, write_varint};
pub use spec::{ColumnVisitor, ColumnVisitorMut, NoColumns, OlapRecord, RecordColumns};
pub use typed::Batch;
pub use wide::{Int256, NotWide, UInt256};

pub use crate::schema::DefaultKind;
