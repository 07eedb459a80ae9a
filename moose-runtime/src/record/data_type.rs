//! The ClickHouse type of a column, known at compile time.

use std::fmt;

use crate::schema;

/// A ClickHouse type as the columns declare it, known at compile time.
///
/// Its text form is ClickHouse's own, as in `system.columns` and in the header of a Native block. The owned counterpart,
/// which can also be read from such a text, is [`schema::DataType`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DataType {
    /// `String`
    String,
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
    /// `UInt8`
    UInt8,
    /// `UInt16`
    UInt16,
    /// `UInt32`
    UInt32,
    /// `UInt64`
    UInt64,
    /// `Float32`
    Float32,
    /// `Float64`
    Float64,
    /// `Date32`: 1900-01-01 to 2299-12-31
    Date32,
    /// `DateTime64(precision)` or `DateTime64(precision, 'timezone')`
    DateTime64 {
        /// Decimal digits of the second's fraction, 0 to 9.
        precision: u8,
        /// Time zone in which the server prints the values; the stored instant doesn't depend on it.
        timezone: Option<&'static str>,
    },
    /// `UUID`
    Uuid,
    /// `Nullable(…)`
    Nullable(&'static DataType),
    /// `Array(…)`
    Array(&'static DataType),
    /// `LowCardinality(…)`
    LowCardinality(&'static DataType),
}

impl DataType {
    /// Whether values of the type can be NULL.
    pub const fn is_nullable(&self) -> bool {
        match self {
            Self::Nullable(_) => true,
            Self::LowCardinality(inner) => inner.is_nullable(),
            _ => false,
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::String => "String",
            Self::Bool => "Bool",
            Self::Int8 => "Int8",
            Self::Int16 => "Int16",
            Self::Int32 => "Int32",
            Self::Int64 => "Int64",
            Self::UInt8 => "UInt8",
            Self::UInt16 => "UInt16",
            Self::UInt32 => "UInt32",
            Self::UInt64 => "UInt64",
            Self::Float32 => "Float32",
            Self::Float64 => "Float64",
            Self::Date32 => "Date32",
            Self::Uuid => "UUID",
            Self::DateTime64 { precision, timezone: None } => return write!(formatter, "DateTime64({precision})"),
            Self::DateTime64 { precision, timezone: Some(timezone) } => {
                return write!(formatter, "DateTime64({precision}, '{timezone}')");
            }
            Self::Nullable(inner) => return write!(formatter, "Nullable({inner})"),
            Self::Array(inner) => return write!(formatter, "Array({inner})"),
            Self::LowCardinality(inner) => return write!(formatter, "LowCardinality({inner})"),
        };
        formatter.write_str(name)
    }
}

impl From<DataType> for schema::DataType {
    fn from(declared: DataType) -> Self {
        let owned = |inner: &DataType| Box::new(Self::from(*inner));
        match declared {
            DataType::String => Self::String,
            DataType::Bool => Self::Bool,
            DataType::Int8 => Self::Int8,
            DataType::Int16 => Self::Int16,
            DataType::Int32 => Self::Int32,
            DataType::Int64 => Self::Int64,
            DataType::UInt8 => Self::UInt8,
            DataType::UInt16 => Self::UInt16,
            DataType::UInt32 => Self::UInt32,
            DataType::UInt64 => Self::UInt64,
            DataType::Float32 => Self::Float32,
            DataType::Float64 => Self::Float64,
            DataType::Date32 => Self::Date32,
            DataType::Uuid => Self::Uuid,
            DataType::DateTime64 { precision, timezone } => {
                Self::DateTime64 { precision, timezone: timezone.map(str::to_owned) }
            }
            DataType::Nullable(inner) => Self::Nullable(owned(inner)),
            DataType::Array(inner) => Self::Array(owned(inner)),
            DataType::LowCardinality(inner) => Self::LowCardinality(owned(inner)),
        }
    }
}
