//! The ClickHouse type of a column, known at compile time.

use std::fmt;

use super::ColumnSpec;
use crate::schema;

/// A ClickHouse type as the columns declare it, known at compile time.
///
/// Its text form is ClickHouse's own, as in `system.columns` and in the header of a Native block. The owned counterpart,
/// which can also be read from such a text, is [`schema::DataType`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataType {
    /// `String`
    String,
    /// `FixedString(N)`: exactly so many bytes
    FixedString(u32),
    /// `Bool`
    Bool,
    /// `Int8`
    Int8,
    /// `Int16`
    Int16,
    /// `Int32`
    Int32,
    /// `Int64`
    Int64,
    /// `Int128`
    Int128,
    /// `Int256`
    Int256,
    /// `UInt8`
    UInt8,
    /// `UInt16`
    UInt16,
    /// `UInt32`
    UInt32,
    /// `UInt64`
    UInt64,
    /// `UInt128`
    UInt128,
    /// `UInt256`
    UInt256,
    /// `BFloat16`
    BFloat16,
    /// `Float32`
    Float32,
    /// `Float64`
    Float64,
    /// `Decimal(precision, scale)`
    Decimal {
        /// Decimal digits in all, 1 to 76.
        precision: u8,
        /// Digits of them after the point.
        scale: u8,
    },
    /// `Date`: 1970-01-01 to 2149-06-06
    Date,
    /// `Date32`: 1900-01-01 to 2299-12-31
    Date32,
    /// `Time`: seconds of a day
    Time,
    /// `Time64(precision)`
    Time64 {
        /// Decimal digits of the second's fraction, 0 to 9.
        precision: u8,
    },
    /// `DateTime` or `DateTime('timezone')`
    DateTime {
        /// Time zone in which the server prints the values; the stored instant doesn't depend on it.
        timezone: Option<&'static str>,
    },
    /// `DateTime64(precision)` or `DateTime64(precision, 'timezone')`
    DateTime64 {
        /// Decimal digits of the second's fraction, 0 to 9.
        precision: u8,
        /// Time zone in which the server prints the values; the stored instant doesn't depend on it.
        timezone: Option<&'static str>,
    },
    /// `UUID`
    Uuid,
    /// `IPv4`
    Ipv4,
    /// `IPv6`
    Ipv6,
    /// `Enum8('label' = value, …)`, in any order
    Enum8(&'static [(&'static str, i16)]),
    /// `Enum16('label' = value, …)`, in any order
    Enum16(&'static [(&'static str, i16)]),
    /// `Nullable(…)`
    Nullable(&'static DataType),
    /// `Array(…)`
    Array(&'static DataType),
    /// `LowCardinality(…)`
    LowCardinality(&'static DataType),
    /// `Map(key, value)`
    Map(&'static DataType, &'static DataType),
    /// `Tuple(…)` of elements without names
    Tuple(&'static [DataType]),
    /// `Tuple(name type, …)`: names and types of these
    NamedTuple(&'static [ColumnSpec]),
    /// `Nested(name type, …)`: names and types of these
    Nested(&'static [ColumnSpec]),
    /// `Variant(…)`, in any order
    Variant(&'static [DataType]),
    /// `Dynamic`
    Dynamic,
    /// `JSON(…)`
    Json(&'static JsonOptions),
    /// `Point`
    Point,
    /// `Ring`
    Ring,
    /// `LineString`
    LineString,
    /// `MultiLineString`
    MultiLineString,
    /// `Polygon`
    Polygon,
    /// `MultiPolygon`
    MultiPolygon,
    /// `SimpleAggregateFunction(function, type)`
    SimpleAggregateFunction {
        /// The function that merges values.
        function: &'static str,
        /// Type of the values.
        data_type: &'static DataType,
    },
}

/// What stands between the parentheses of `JSON(…)`, known at compile time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JsonOptions {
    /// Types of one path that are stored apart, where it is said.
    pub max_dynamic_types: Option<u32>,
    /// Paths that are stored as columns, where it is said.
    pub max_dynamic_paths: Option<u32>,
    /// Paths with a type of their own: names and types of these.
    pub paths: &'static [ColumnSpec],
    /// Paths that are not stored.
    pub skips: &'static [&'static str],
    /// Paths that are not stored, as regular expressions.
    pub skip_regexps: &'static [&'static str],
}

impl JsonOptions {
    /// Nothing.
    pub const NONE: Self =
        Self { max_dynamic_types: None, max_dynamic_paths: None, paths: &[], skips: &[], skip_regexps: &[] };
}

impl DataType {
    /// Whether values of the type can be NULL.
    pub const fn is_nullable(&self) -> bool {
        match self {
            Self::Nullable(_) | Self::Variant(_) | Self::Dynamic => true,
            Self::LowCardinality(inner) | Self::SimpleAggregateFunction { data_type: inner, .. } => inner.is_nullable(),
            _ => false,
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        schema::DataType::from(*self).fmt(formatter)
    }
}

impl From<DataType> for schema::DataType {
    fn from(declared: DataType) -> Self {
        let owned = |inner: &DataType| Box::new(Self::from(*inner));
        let all = |types: &[DataType]| types.iter().map(|inner| Self::from(*inner)).collect();
        match declared {
            DataType::String => Self::String,
            DataType::FixedString(bytes) => Self::FixedString(bytes),
            DataType::Bool => Self::Bool,
            DataType::Int8 => Self::Int8,
            DataType::Int16 => Self::Int16,
            DataType::Int32 => Self::Int32,
            DataType::Int64 => Self::Int64,
            DataType::Int128 => Self::Int128,
            DataType::Int256 => Self::Int256,
            DataType::UInt8 => Self::UInt8,
            DataType::UInt16 => Self::UInt16,
            DataType::UInt32 => Self::UInt32,
            DataType::UInt64 => Self::UInt64,
            DataType::UInt128 => Self::UInt128,
            DataType::UInt256 => Self::UInt256,
            DataType::BFloat16 => Self::BFloat16,
            DataType::Float32 => Self::Float32,
            DataType::Float64 => Self::Float64,
            DataType::Decimal { precision, scale } => Self::Decimal { precision, scale },
            DataType::Date => Self::Date,
            DataType::Date32 => Self::Date32,
            DataType::Time => Self::Time,
            DataType::Time64 { precision } => Self::Time64 { precision },
            DataType::DateTime { timezone } => Self::DateTime { timezone: timezone.map(str::to_owned) },
            DataType::DateTime64 { precision, timezone } => {
                Self::DateTime64 { precision, timezone: timezone.map(str::to_owned) }
            }
            DataType::Uuid => Self::Uuid,
            DataType::Ipv4 => Self::Ipv4,
            DataType::Ipv6 => Self::Ipv6,
            DataType::Enum8(labels) => Self::enum8(owned_labels(labels)),
            DataType::Enum16(labels) => Self::enum16(owned_labels(labels)),
            DataType::Nullable(inner) => Self::Nullable(owned(inner)),
            DataType::Array(inner) => Self::Array(owned(inner)),
            DataType::LowCardinality(inner) => Self::LowCardinality(owned(inner)),
            DataType::Map(key, value) => Self::Map(owned(key), owned(value)),
            DataType::Tuple(elements) => Self::Tuple(all(elements)),
            DataType::NamedTuple(elements) => Self::NamedTuple(owned_names(elements)),
            DataType::Nested(elements) => Self::Nested(owned_names(elements)),
            DataType::Variant(types) => Self::variant(all(types)),
            DataType::Dynamic => Self::Dynamic { max_types: None },
            DataType::Json(options) => Self::json(schema::JsonOptions {
                max_dynamic_types: options.max_dynamic_types,
                max_dynamic_paths: options.max_dynamic_paths,
                paths: owned_names(options.paths),
                skips: options.skips.iter().map(|path| (*path).to_owned()).collect(),
                skip_regexps: options.skip_regexps.iter().map(|text| (*text).to_owned()).collect(),
            }),
            DataType::Point => Self::Point,
            DataType::Ring => Self::Ring,
            DataType::LineString => Self::LineString,
            DataType::MultiLineString => Self::MultiLineString,
            DataType::Polygon => Self::Polygon,
            DataType::MultiPolygon => Self::MultiPolygon,
            DataType::SimpleAggregateFunction { function, data_type } => {
                Self::SimpleAggregateFunction { function: function.to_owned(), data_type: owned(data_type) }
            }
        }
    }
}

fn owned_labels(labels: &[(&str, i16)]) -> Vec<(String, i16)> {
    labels.iter().map(|(label, value)| ((*label).to_owned(), *value)).collect()
}

fn owned_names(specs: &[ColumnSpec]) -> Vec<(String, schema::DataType)> {
    specs.iter().map(|spec| (spec.name.to_owned(), spec.data_type.into())).collect()
}
