//! What the derive tells about a record type: its columns, its fields, and the straight-line code over them.
//!
//! Generated code implements [`OlapRecord`] and [`RecordColumns`]; everything that has behaviour takes them as a type
//! parameter and stands elsewhere in `record/`.

use serde::de::{self, MapAccess};

use super::{Column, DataType, FieldColumn, Findings, Node, Place, Stores, ValueError, error::Problem};
use crate::schema::DefaultKind;

/// A declared column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnSpec {
    /// Name of the column.
    pub name: &'static str,
    /// The names by which JSON may give the field: its own, then its aliases. Empty where ClickHouse computes the column.
    pub json: &'static [&'static str],
    /// Type of the column.
    pub data_type: DataType,
    /// What the column holds where an INSERT does not name it: kind, and ClickHouse expression.
    pub default: Option<(DefaultKind, &'static str)>,
    /// Compression codec, such as `Delta, ZSTD`.
    pub codec: Option<&'static str>,
    /// When values go back to the default, a ClickHouse `TTL` expression.
    pub ttl: Option<&'static str>,
    /// Comment, from the field's doc comment.
    pub comment: Option<&'static str>,
    /// The name that the column had before.
    pub renamed_from: Option<&'static str>,
    /// The author accepts that a change of the type may lose values.
    pub narrowed: bool,
}

/// One call for each attribute, so that generated code says what a column has and nothing about what it lacks.
impl ColumnSpec {
    /// A column with nothing but a name and a type.
    #[must_use]
    pub const fn new(name: &'static str, json: &'static [&'static str], data_type: DataType) -> Self {
        Self {
            name,
            json,
            data_type,
            default: None,
            codec: None,
            ttl: None,
            comment: None,
            renamed_from: None,
            narrowed: false,
        }
    }

    /// The column of a field of `R`, with nothing but a name.
    #[must_use]
    pub const fn of<R: FieldColumn<PLACE>, const PLACE: usize>(
        name: &'static str,
        json: &'static [&'static str],
    ) -> Self {
        Self::new(name, json, R::Column::DATA_TYPE)
    }

    /// With a default of that kind.
    #[must_use]
    pub const fn default(mut self, kind: DefaultKind, expression: &'static str) -> Self {
        self.default = Some((kind, expression));
        self
    }

    /// With a codec.
    #[must_use]
    pub const fn codec(mut self, codec: &'static str) -> Self {
        self.codec = Some(codec);
        self
    }

    /// With a time to live.
    #[must_use]
    pub const fn ttl(mut self, expression: &'static str) -> Self {
        self.ttl = Some(expression);
        self
    }

    /// With a comment.
    #[must_use]
    pub const fn comment(mut self, comment: &'static str) -> Self {
        self.comment = Some(comment);
        self
    }

    /// With the name that it had before.
    #[must_use]
    pub const fn renamed_from(mut self, name: &'static str) -> Self {
        self.renamed_from = Some(name);
        self
    }

    /// With leave to lose values when its type changes.
    #[must_use]
    pub const fn narrowed(mut self) -> Self {
        self.narrowed = true;
        self
    }

    /// Whether a record's INSERT names the column.
    pub const fn is_inserted(&self) -> bool {
        match self.default {
            None => true,
            Some((kind, _)) => kind.is_inserted(),
        }
    }
}

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
    /// Names of columns that its tables had and that may go with what is in them.
    const DROPPED: &'static [&'static str] = &[];
}

/// The columns of a record type, to be filled together. Implemented by generated code.
pub trait RecordColumns<R>: Default + Send + 'static {
    /// The declared columns, in field order, with those that ClickHouse computes.
    const COLUMNS: &'static [ColumnSpec];
    /// The fields behind the columns that JSON gives, in the same order.
    const FIELDS: &'static [Field];
    /// A field that is not declared is an error (`#[serde(deny_unknown_fields)]`).
    const DENY_UNKNOWN_FIELDS: bool;

    /// Shows every column that an INSERT gives, in order.
    fn visit<V: ColumnVisitor>(&self, visitor: &mut V);

    /// Hands out every column that an INSERT gives, in order.
    fn visit_mut<V: ColumnVisitorMut>(&mut self, visitor: &mut V);

    /// Appends one value to every column. After an error the columns differ in length and are to be truncated.
    fn append(&mut self, record: &R) -> Result<(), ValueError>;

    /// Place in [`FIELDS`](Self::FIELDS) of the field that JSON calls `name`.
    fn field(name: &str) -> Option<usize>;

    /// Reads the map's next value into the column of a field.
    fn append_field<'de, A: MapAccess<'de>>(&mut self, field: usize, map: &mut A) -> Result<(), A::Error>;

    /// Appends what a field has when JSON doesn't give it, or says that it is missing.
    fn append_missing<E: de::Error>(&mut self, field: usize) -> Result<(), E>;
}

/// Sees the columns of a record type one after another.
pub trait ColumnVisitor {
    /// One column.
    fn column<C: Column>(&mut self, column: &C);
}

/// Changes the columns of a record type one after another.
pub trait ColumnVisitorMut {
    /// One column.
    fn column<C: Column>(&mut self, column: &mut C);
}

/// A field as the explanation of a refused record sees it.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The names by which JSON may give the field: its own, then its aliases.
    pub(super) json: &'static [&'static str],
    /// Finds everything that is wrong with a value of the field.
    pub(super) explain: fn(Node<'_>, &Place<'_>, &mut Findings),
    /// What is wrong when JSON doesn't give the field, if anything.
    pub(super) missing: fn(&'static str) -> Result<(), Problem>,
}

impl Field {
    /// A field of `R`, whose column decides whether it may be missing.
    pub const fn new<R: FieldColumn<PLACE>, const PLACE: usize>(json: &'static [&'static str]) -> Self {
        Self {
            json,
            explain: <R::Column as Stores<_>>::explain,
            missing: |name| R::Column::default().append_missing(name),
        }
    }

    /// A field of `R` that has a default.
    pub const fn with_default<R: FieldColumn<PLACE>, const PLACE: usize>(json: &'static [&'static str]) -> Self {
        Self { json, explain: <R::Column as Stores<_>>::explain, missing: |_| Ok(()) }
    }

    /// The field's own name in JSON.
    pub(super) fn name(&self) -> &'static str {
        self.json.first().copied().unwrap_or_default()
    }
}

/// Stands for the columns of a type that has none: its derive failed, and the program doesn't compile, or there are no
/// records of it.
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
