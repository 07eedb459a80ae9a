//! ClickHouse's Native format: one block, column by column.
//!
//! A block is the number of columns and of rows as varints; then for each column its name, its type's text, all prefixes
//! of the type's tree, and all its data. A block without rows has neither prefixes nor data.

use super::{Column, ColumnSpec, DataType, Provenance, RecordColumns, spec::ColumnVisitor};
use crate::schema::provenance;

/// The provenance columns, in the order in which a block has them, after all others. The type's maximum means "not from
/// a stream" and is never in a block.
pub const PROVENANCE_COLUMNS: [(&str, DataType); 3] = [
    (provenance::EPOCH, DataType::UInt64),
    (provenance::PARTITION, DataType::UInt16),
    (provenance::OFFSET, DataType::UInt64),
];

/// Appends an unsigned number in ClickHouse's variable-length form: seven bits a byte, low bits first.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the low seven bits are what a byte carries")]
pub fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a string, preceded by its length.
#[inline]
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    write_bytes(out, text.as_bytes());
}

/// Appends bytes, preceded by their number.
#[inline]
pub(super) fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len() + 10);
    write_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// The size of that.
pub(super) fn size_with_length(bytes: &[u8]) -> usize {
    let bits = (usize::BITS - bytes.len().leading_zeros()).max(1);
    bytes.len() + bits.div_ceil(7) as usize
}

/// Appends values of fixed size, one after another.
pub(super) fn write_fixed<T: Copy, const SIZE: usize>(
    out: &mut Vec<u8>,
    values: &[T],
    bytes: impl Fn(T) -> [u8; SIZE],
) {
    let start = out.len();
    out.resize(start + values.len() * SIZE, 0);
    let (chunks, _) = out.get_mut(start..).unwrap_or_default().as_chunks_mut::<SIZE>();
    for (chunk, value) in chunks.iter_mut().zip(values) {
        *chunk = bytes(*value);
    }
}

/// Appends all rows of the columns as one block.
///
/// # Panics
///
/// If there is not exactly one offset for each row, or the provenance is the maximum of its type: both are errors of
/// the caller that would store rows wrongly.
pub(super) fn write_block<R, C: RecordColumns<R>>(columns: &C, provenance: Option<Provenance<'_>>, out: &mut Vec<u8>) {
    let rows = super::decode::rows(columns);
    let hidden = if provenance.is_some() { PROVENANCE_COLUMNS.len() } else { 0 };
    out.reserve(super::decode::byte_size(columns) + rows * if hidden > 0 { 18 } else { 0 } + 4096);
    let sent = || C::COLUMNS.iter().filter(|spec| spec.is_inserted());
    write_varint(out, (sent().count() + hidden) as u64);
    write_varint(out, rows as u64);
    columns.visit(&mut BlockWriter { out, rows, specs: sent() });
    if let Some(provenance) = provenance {
        write_provenance(provenance, rows, out);
    }
}

struct BlockWriter<'a, S> {
    out: &'a mut Vec<u8>,
    rows: usize,
    /// The specs of the visited columns.
    specs: S,
}

impl<S: Iterator<Item = &'static ColumnSpec>> ColumnVisitor for BlockWriter<'_, S> {
    fn column<C: Column>(&mut self, column: &C) {
        let Some(spec) = self.specs.next() else { return };
        write_header(self.out, spec.name, spec.data_type);
        if self.rows > 0 {
            column.write_prefix(self.out);
            column.write_data(self.out);
        }
    }
}

fn write_header(out: &mut Vec<u8>, name: &str, data_type: DataType) {
    write_string(out, name);
    write_string(out, &data_type.to_string());
}

fn write_provenance(provenance: Provenance<'_>, rows: usize, out: &mut Vec<u8>) {
    let Provenance { epoch, partition, offsets } = provenance;
    assert!(offsets.len() == rows, "BUG: {} provenance offsets for {rows} rows", offsets.len());
    assert!(
        epoch != u64::MAX && partition != u16::MAX && !offsets.contains(&u64::MAX),
        "BUG: the maximum of a provenance column means that a row is from no stream"
    );
    let [epochs, partitions, places] = PROVENANCE_COLUMNS;
    write_header(out, epochs.0, epochs.1);
    for _ in 0..rows {
        out.extend_from_slice(&epoch.to_le_bytes());
    }
    write_header(out, partitions.0, partitions.1);
    for _ in 0..rows {
        out.extend_from_slice(&partition.to_le_bytes());
    }
    write_header(out, places.0, places.1);
    write_fixed(out, offsets, u64::to_le_bytes);
}
