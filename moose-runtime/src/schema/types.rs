//! The one table of ClickHouse's types, from which both type enums, [`schema::DataType`](crate::schema::DataType) and
//! [`record::DataType`](crate::record::DataType), are generated, and the class of values that each type has.
//!
//! A type without parameters is one line here: its text, its variants, its conversion, and whatever depends on its
//! class (widening, sorting keys, `Variant`, samples) follow from it. One with parameters is a line for its class, a
//! variant in each enum, and what the compiler then asks for.

/// The class of a type's values. Rules about types use it and match every class, so a new one can't be overlooked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Bytes.
    Text,
    /// True and false.
    Bool,
    /// Whole numbers.
    Integer {
        /// Number of bits, including the sign.
        bits: u16,
        /// Whether they can be negative.
        signed: bool,
    },
    /// Floating-point numbers.
    Float {
        /// Bits of the significand: whole numbers of up to that many bits are exact.
        bits: u16,
    },
    /// Decimal numbers.
    Decimal,
    /// Days.
    Date,
    /// Points in time.
    Instant,
    /// Times of a day.
    Clock,
    /// UUIDs.
    Uuid,
    /// Addresses of four bytes.
    Ipv4,
    /// Addresses of sixteen bytes.
    Ipv6,
    /// Labels with numbers.
    Enumeration,
    /// Other types' values, and NULL.
    Nullable,
    /// Other types' values, each stored once.
    Dictionary,
    /// Lists.
    Array,
    /// Keys and values.
    Map,
    /// Several values.
    Tuple,
    /// Lists of several values.
    Nested,
    /// Values of one of several types.
    Union,
    /// JSON objects.
    Json,
    /// A point in the plane.
    Point,
    /// A list of points.
    Line,
    /// A list of lines.
    Lines,
    /// A list of such lists.
    Areas,
    /// Other types' values, merged by a function.
    Aggregate,
}

/// Passes the table to a macro, after the macro's own arguments. A line of `plain` is a type without parameters:
/// variant, text, class. One of `parameters` is the class of a type with parameters.
macro_rules! types {
    ($then:ident $($besides:tt)*) => {
        $then! {
            plain {
                /// `String`
                String = "String", Class::Text;
                /// `Bool`
                Bool = "Bool", Class::Bool;
                /// `Int8`
                Int8 = "Int8", Class::Integer { bits: 8, signed: true };
                /// `Int16`
                Int16 = "Int16", Class::Integer { bits: 16, signed: true };
                /// `Int32`
                Int32 = "Int32", Class::Integer { bits: 32, signed: true };
                /// `Int64`
                Int64 = "Int64", Class::Integer { bits: 64, signed: true };
                /// `Int128`
                Int128 = "Int128", Class::Integer { bits: 128, signed: true };
                /// `Int256`
                Int256 = "Int256", Class::Integer { bits: 256, signed: true };
                /// `UInt8`
                UInt8 = "UInt8", Class::Integer { bits: 8, signed: false };
                /// `UInt16`
                UInt16 = "UInt16", Class::Integer { bits: 16, signed: false };
                /// `UInt32`
                UInt32 = "UInt32", Class::Integer { bits: 32, signed: false };
                /// `UInt64`
                UInt64 = "UInt64", Class::Integer { bits: 64, signed: false };
                /// `UInt128`
                UInt128 = "UInt128", Class::Integer { bits: 128, signed: false };
                /// `UInt256`
                UInt256 = "UInt256", Class::Integer { bits: 256, signed: false };
                /// `BFloat16`
                BFloat16 = "BFloat16", Class::Float { bits: 8 };
                /// `Float32`
                Float32 = "Float32", Class::Float { bits: 24 };
                /// `Float64`
                Float64 = "Float64", Class::Float { bits: 53 };
                /// `Date`: 1970-01-01 to 2149-06-06
                Date = "Date", Class::Date;
                /// `Date32`: 1900-01-01 to 2299-12-31
                Date32 = "Date32", Class::Date;
                /// `Time`: whole seconds
                Time = "Time", Class::Clock;
                /// `UUID`
                Uuid = "UUID", Class::Uuid;
                /// `IPv4`
                Ipv4 = "IPv4", Class::Ipv4;
                /// `IPv6`
                Ipv6 = "IPv6", Class::Ipv6;
                /// `Point`
                Point = "Point", Class::Point;
                /// `Ring`
                Ring = "Ring", Class::Line;
                /// `LineString`
                LineString = "LineString", Class::Line;
                /// `MultiLineString`
                MultiLineString = "MultiLineString", Class::Lines;
                /// `Polygon`
                Polygon = "Polygon", Class::Lines;
                /// `MultiPolygon`
                MultiPolygon = "MultiPolygon", Class::Areas;
            }
            parameters {
                FixedString = Class::Text;
                Decimal = Class::Decimal;
                Time64 = Class::Clock;
                DateTime = Class::Instant;
                DateTime64 = Class::Instant;
                Enum8 = Class::Enumeration;
                Enum16 = Class::Enumeration;
                Nullable = Class::Nullable;
                Array = Class::Array;
                LowCardinality = Class::Dictionary;
                Map = Class::Map;
                Tuple = Class::Tuple;
                NamedTuple = Class::Tuple;
                Nested = Class::Nested;
                Variant = Class::Union;
                Dynamic = Class::Union;
                Json = Class::Json;
                SimpleAggregateFunction = Class::Aggregate;
            }
            $($besides)*
        }
    };
}
pub(crate) use types;
