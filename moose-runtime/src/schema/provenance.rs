//! The provenance columns: hidden columns that say from which record of a stream a row comes.
//!
//! A range in doubt is looked up by these columns and only its missing rows are inserted (see `docs/delivery.md`). They
//! are `MATERIALIZED`, which keeps them out of `SELECT *`, and default to the maximum of their type, which means "not
//! from a stream": a row inserted by hand counts for no range.

use super::{DataType, Index};

/// `UInt64`: epoch of the topic.
pub const EPOCH: &str = "_stream_epoch";
/// `UInt16`: partition of the topic.
pub const PARTITION: &str = "_stream_partition";
/// `UInt64`: offset in the partition.
pub const OFFSET: &str = "_stream_offset";

/// Name of the index over the offsets.
pub const OFFSET_INDEX: &str = "_stream_offset_range";

/// One of the three columns, as needed for the DDL and the comparison with a real table.
#[derive(Clone, Debug)]
pub(super) struct HiddenColumn {
    pub(super) name: &'static str,
    pub(super) data_type: DataType,
    /// The maximum of the type: no topic, partition or offset has it.
    pub(super) absent: &'static str,
    pub(super) codec: &'static str,
}

/// Epoch and partition hardly ever change from row to row; the offsets of one part are in a narrow range whatever the
/// sorting key is, which T64 compresses best (measured for a million rows: 0.1 bytes each in order of arrival and 2.5
/// in random order, with Delta 0.4 and 3.6).
pub(super) const COLUMNS: [HiddenColumn; 3] = [
    HiddenColumn { name: EPOCH, data_type: DataType::UInt64, absent: "18446744073709551615", codec: "Delta, ZSTD" },
    HiddenColumn { name: PARTITION, data_type: DataType::UInt16, absent: "65535", codec: "Delta, ZSTD" },
    HiddenColumn { name: OFFSET, data_type: DataType::UInt64, absent: "18446744073709551615", codec: "T64, ZSTD" },
];

/// The index that finds a range's rows without reading the whole table.
pub(super) fn offset_index() -> Index {
    Index {
        name: OFFSET_INDEX.to_owned(),
        expression: super::quote_identifier(OFFSET),
        index_type: "minmax".to_owned(),
        granularity: 1,
    }
}
