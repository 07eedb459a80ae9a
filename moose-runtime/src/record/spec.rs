//! The traits that the derive implements for a record type: its columns, its fields, and straight-line code over them.
//!
//! Generated code implements [`OlapRecord`] and [`RecordColumns`]; everything with behaviour takes them as a type
//! parameter and is elsewhere in `record/`.

use serde::de::{self, MapAccess};

use super::{Column, ColumnSpec, Field, ValueError};

/// A struct whose values are rows: what `#[derive(OlapRecord)]` implements.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a record type",
    label = "not a record type",
    note = "add `#[derive(OlapRecord)]` to the struct"
)]
pub trait OlapRecord: Sized + 'static {
    /// The columns of the type, in field order.
    type Columns: RecordColumns<Self>;
    /// Column names of the `#[key]` fields, in field order.
    const KEY: &'static [&'static str];
    /// Comment of its tables, from the struct's doc comment.
    const COMMENT: Option<&'static str> = None;
    /// Names of former columns that may be dropped with their values.
    const DROPPED: &'static [&'static str] = &[];
}

/// The columns of a record type, filled together. Implemented by generated code.
pub trait RecordColumns<R>: Default + Send + 'static {
    /// The declared columns, in field order, including those that ClickHouse computes.
    const COLUMNS: &'static [ColumnSpec];
    /// The fields of the columns that JSON gives, in the same order.
    const FIELDS: &'static [Field];
    /// An undeclared field is an error (`#[serde(deny_unknown_fields)]`).
    const DENY_UNKNOWN_FIELDS: bool;

    /// Calls the visitor with every column of an INSERT, in order.
    fn visit<V: ColumnVisitor>(&self, visitor: &mut V);

    /// Calls the visitor with every column of an INSERT, mutable, in order.
    fn visit_mut<V: ColumnVisitorMut>(&mut self, visitor: &mut V);

    /// Appends one value to every column. After an error the columns differ in length and must be truncated.
    fn append(&mut self, record: &R) -> Result<(), ValueError>;

    /// Index in [`FIELDS`](Self::FIELDS) of the field with this name in JSON.
    fn field(name: &str) -> Option<usize>;

    /// Parses the map's next value into the column of a field.
    fn append_field<'de, A: MapAccess<'de>>(&mut self, field: usize, map: &mut A) -> Result<(), A::Error>;

    /// Appends the value of a field that JSON doesn't give, or returns the error that it is missing.
    fn append_missing<E: de::Error>(&mut self, field: usize) -> Result<(), E>;
}

/// Visits the columns of a record type one after another.
pub trait ColumnVisitor {
    /// One column.
    fn column<C: Column>(&mut self, column: &C);
}

/// Visits the columns of a record type one after another, mutable.
pub trait ColumnVisitorMut {
    /// One column.
    fn column<C: Column>(&mut self, column: &mut C);
}

/// The columns of a type without any: its derive failed, and the program doesn't compile, or it has no records.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct NoColumns;

impl<R> RecordColumns<R> for NoColumns {
    const COLUMNS: &'static [ColumnSpec] = &[];
    const FIELDS: &'static [Field] = &[];
    const DENY_UNKNOWN_FIELDS: bool = false;

    fn visit<V: ColumnVisitor>(&self, _: &mut V) {}

    fn visit_mut<V: ColumnVisitorMut>(&mut self, _: &mut V) {}

    fn append(&mut self, _: &R) -> Result<(), ValueError> {
        Ok(())
    }

    fn field(_: &str) -> Option<usize> {
        None
    }

    fn append_field<'de, A: MapAccess<'de>>(&mut self, _: usize, _: &mut A) -> Result<(), A::Error> {
        Ok(())
    }

    fn append_missing<E: de::Error>(&mut self, _: usize) -> Result<(), E> {
        Ok(())
    }
}
