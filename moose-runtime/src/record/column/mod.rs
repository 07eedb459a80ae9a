//! The columns: one buffer per ClickHouse type, and which Rust types go into which.
//!
//! A field's Rust type finds its column through [`ColumnType`]; attributes of the field change the column through
//! type-level functions ([`AllowsLowCardinality`], [`AllowsPrecision`] and so on). Nothing goes by a type's name, so
//! aliases, newtypes and generics work. A type of your own gets a column by `#[derive(OlapType)]`, or by implementing
//! [`Column`] and [`Stores`] for a buffer, and then [`ColumnType`] for the type, or `#[olap(column = path::Buffer)]` on
//! the field.

mod address;
mod aggregate;
mod any;
mod array;
mod boolean;
mod brain_float;
mod clock;
mod date;
mod decimal;
mod dynamic;
mod enumeration;
mod fixed_string;
mod forms;
mod geometry;
mod instant;
mod json;
mod key;
mod low_cardinality;
mod map;
mod nested;
mod newtype;
mod nullable;
mod number;
mod scalar;
mod string;
mod through;
mod tuple;
mod uuid;
mod variant;
mod variant_flaw;
mod wide_number;

use serde::de::{self, Deserializer};

pub use self::{
    address::{Address4, Address6, Ipv4Column, Ipv6Column},
    aggregate::{Aggregate, AggregateColumn, gives_its_own},
    any::{AnyColumn, UnknownType},
    array::ArrayColumn,
    boolean::BoolColumn,
    brain_float::{BFloat16Column, Brain},
    clock::{ClockSeconds, ClockTicks, Time64Column, TimeColumn},
    date::{Date32Column, DateColumn, Day16, Day32},
    decimal::DecimalColumn,
    dynamic::DynamicColumn,
    enumeration::{EnumColumn, Enumeration},
    fixed_string::FixedStringColumn,
    forms::{
        AllowsCompact, AllowsDecimal, AllowsFixed, AllowsJson, AllowsLowCardinality, AllowsPrecision, AllowsTimezone,
        JsonForm, Timezone,
    },
    geometry::{
        LineString, LineStringColumn, MultiLineString, MultiLineStringColumn, MultiPolygon, MultiPolygonColumn, Point,
        PointColumn, Polygon, PolygonColumn, Ring, RingColumn,
    },
    instant::{DateTime64Column, DateTimeColumn, UtcZone},
    json::{JsonColumn, PlainJson},
    key::{DictionaryKey, FixedText, Id, KeyOf, Text, Wrapped},
    low_cardinality::{Dictionary, LowCardinalityColumn},
    map::MapColumn,
    nested::{AllowsNested, NestedColumn},
    newtype::{Newtype, NewtypeColumn},
    nullable::NullableColumn,
    number::NumberColumn,
    scalar::{Holds, Scalar, ScalarColumn},
    string::StringColumn,
    tuple::StructColumn,
    uuid::UuidColumn,
    variant::{VariantColumn, VariantColumns, Variants},
    variant_flaw::VariantFlaw,
};
use super::{DataType, Findings, Node, Place, ValueError};

/// A buffer of values of one ClickHouse type.
///
/// `append` and similar methods may leave a half-written value behind when they fail; `truncate` to the number of rows
/// before removes it completely, nested buffers included. The same values always give the same bytes, whatever was
/// appended and truncated in between.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a column",
    label = "not a column",
    note = "`#[olap(column = …)]` takes a buffer type that implements `record::Column` and `record::Stores<FieldType>`"
)]
pub trait Column: Default + Send + 'static {
    /// The ClickHouse type.
    const DATA_TYPE: DataType;
    /// Number of values.
    fn rows(&self) -> usize;
    /// Size of prefix and data once written.
    fn byte_size(&self) -> usize;
    /// Removes all values after the first `rows`, and what a failed append left.
    fn truncate(&mut self, rows: usize);
    /// Appends the type's default value: zero, empty, NULL.
    fn push_default(&mut self);
    /// Writes the prefix that Native requires before the data of the whole tree.
    fn write_prefix(&self, _out: &mut Vec<u8>) {}
    /// Writes the data of all values.
    fn write_data(&self, out: &mut Vec<u8>);
}

/// A column that can hold values of the Rust type `T`.
///
/// The trait is on the column, since one Rust type may be stored in several ways.
#[diagnostic::on_unimplemented(
    message = "a `{T}` can't be stored in a `{Self}`",
    label = "not what this column stores",
    note = "implement `record::Stores<{T}>` for the column, or give the field another `#[olap(column = …)]`"
)]
pub trait Stores<T: ?Sized>: Column {
    /// Appends a value.
    fn append(&mut self, value: &T) -> Result<(), ValueError>;

    /// Parses a value and appends it.
    fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error>;

    /// Appends the value of a missing field, or returns the error that `field` is missing.
    fn append_missing<E: de::Error>(&mut self, field: &'static str) -> Result<(), E> {
        Err(E::missing_field(field))
    }

    /// Finds all errors in a value. By default that is the one error of parsing it.
    fn explain(input: Node<'_>, place: &Place<'_>, findings: &mut Findings) {
        if let Err(problem) = Self::default().append_json(input) {
            findings.push(place, problem);
        }
    }
}

/// A Rust type with a column of its own, as required for the type of a field.
#[diagnostic::on_unimplemented(
    message = "no column type for `{Self}`",
    label = "ClickHouse has no column for this type here",
    note = "fields can be strings, `bool`, integers and floats, `DateTime<Utc>`, `NaiveDate`, `NaiveTime`, `Uuid`, `IpAddr`, `Ipv4Addr`, `Ipv6Addr`, `Option`, `Vec`, arrays, maps and tuples of those, and `Decimal` with `#[olap(decimal(precision, scale))]`",
    note = "for a type of your own add `#[derive(OlapType)]`, or name its buffer with `#[olap(column = path::Column)]`"
)]
pub trait ColumnType: Sized {
    /// The column in which values are stored without attributes.
    type Column: Stores<Self>;
}

/// A column whose values may be NULL: ClickHouse allows it inside `Nullable`, or it has a NULL of its own.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be inside `Nullable`",
    label = "ClickHouse has no Nullable of this",
    note = "use an empty `Vec` instead of `None`, with `#[serde(default)]` where the field may be missing"
)]
pub trait NullableInside: Column {
    /// Whether the type has a NULL of its own, as its default. Then an `Option` of its values has the same type.
    const HAS_NULL: bool = false;
}

/// A column that can be the keys of a `Map`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the keys of a map",
    label = "no key of a `Map`",
    note = "keys are strings, integers, dates, timestamps, UUIDs, addresses, enums, and newtypes around those: JSON gives them as text"
)]
pub trait MapKeyColumn: Column {}

/// The column that `#[olap(column = …)]` names for a field of type `T`: itself, if it stores that type.
#[doc(hidden)]
pub trait NamedColumn<T>: Column {
    /// The column itself.
    type Column: Stores<T>;
}

impl<T, C: Stores<T>> NamedColumn<T> for C {
    type Column = C;
}
