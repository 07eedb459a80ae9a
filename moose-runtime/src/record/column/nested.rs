//! `Nested(name type, …)` for a `Vec` of structs: an array of tuples under another name.

use serde::de::Deserializer;

use super::{ArrayColumn, Column, Stores, StructColumn};
use crate::record::{DataType, Findings, Node, Place, RecordColumns, ValueError};

/// Values of `Nested(…)`.
#[derive(Debug, Default)]
pub struct NestedColumn<C> {
    rows: C,
}

/// A column with a `Nested` form: `#[olap(nested)]`.
#[diagnostic::on_unimplemented(
    message = "`nested` does not apply to this type",
    label = "is no list of structs",
    note = "`#[olap(nested)]` is for a `Vec` of a struct with `#[derive(OlapType)]`"
)]
pub trait AllowsNested: Column {
    /// The column of type `Nested`.
    type Nested: Column;
}

impl<R: 'static, C: RecordColumns<R>> AllowsNested for ArrayColumn<StructColumn<R, C>> {
    type Nested = NestedColumn<Self>;
}

impl<R: 'static, C: RecordColumns<R>> Column for NestedColumn<ArrayColumn<StructColumn<R, C>>> {
    const DATA_TYPE: DataType = DataType::Nested(C::COLUMNS);

    fn rows(&self) -> usize {
        self.rows.rows()
    }

    fn byte_size(&self) -> usize {
        self.rows.byte_size()
    }

    fn truncate(&mut self, rows: usize) {
        self.rows.truncate(rows);
    }

    fn push_default(&mut self) {
        self.rows.push_default();
    }

    fn write_prefix(&self, out: &mut Vec<u8>) {
        self.rows.write_prefix(out);
    }

    fn write_data(&self, out: &mut Vec<u8>) {
        self.rows.write_data(out);
    }
}

impl<R: 'static, C: RecordColumns<R>> Stores<Vec<R>> for NestedColumn<ArrayColumn<StructColumn<R, C>>> {
    fn append(&mut self, value: &Vec<R>) -> Result<(), ValueError> {
        self.rows.append(value)
    }

    fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
        <ArrayColumn<StructColumn<R, C>> as Stores<Vec<R>>>::append_json(&mut self.rows, input)
    }

    fn explain(input: Node<'_>, place: &Place<'_>, findings: &mut Findings) {
        <ArrayColumn<StructColumn<R, C>> as Stores<Vec<R>>>::explain(input, place, findings);
    }
}
