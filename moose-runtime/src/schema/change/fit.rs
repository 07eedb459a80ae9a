//! Whether a type can hold all values of another one (widening).

use super::super::{Class, DataType};

/// What a change of type means for existing values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// Every value of the old type is a value of the new one.
    Widens,
    /// Some values may not fit. A query can tell whether the existing ones do.
    Narrows,
    /// The server can't tell which values would be kept.
    Never,
}

impl Fit {
    /// For a change from `old` to `new`.
    pub fn of(old: &DataType, new: &DataType) -> Self {
        if widens(old, new) {
            Self::Widens
        } else if is_comparable(bare(old), bare(new)) {
            Self::Narrows
        } else {
            Self::Never
        }
    }
}

/// Whether the default value is the same for both types.
pub(super) fn have_one_default(old: &DataType, new: &DataType) -> bool {
    if old.is_nullable() || new.is_nullable() {
        return old.is_nullable() && new.is_nullable();
    }
    let (old, new) = (bare(old), bare(new));
    let default = |data_type: &DataType| match data_type.class()? {
        Class::Integer { .. } | Class::Float { .. } | Class::Decimal => Some("0"),
        Class::Instant => Some("the epoch"),
        Class::Clock => Some("midnight"),
        Class::Array => Some("[]"),
        Class::Map => Some("{}"),
        // Each type has its own, as far as known here.
        Class::Text
        | Class::Bool
        | Class::Date
        | Class::Uuid
        | Class::Ipv4
        | Class::Ipv6
        | Class::Enumeration
        | Class::Nullable
        | Class::Dictionary
        | Class::Tuple
        | Class::Nested
        | Class::Union
        | Class::Json
        | Class::Point
        | Class::Line
        | Class::Lines
        | Class::Areas
        | Class::Aggregate => None,
    };
    old == new || (default(old).is_some() && default(old) == default(new))
}

/// The type without `Nullable` and `LowCardinality`, which don't change its values.
pub(super) fn bare(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Nullable(inner) | DataType::LowCardinality(inner) => bare(inner),
        other => other,
    }
}

/// Whether the server can cast a value there and back to see whether it stays the same.
fn is_comparable(old: &DataType, new: &DataType) -> bool {
    // Of the times of day only those with a precision can be cast, and only to each other.
    matches!((old, new), (DataType::Time64 { .. }, DataType::Time64 { .. })) || (is_scalar(old) && is_scalar(new))
}

/// A single value, which can be cast and compared.
fn is_scalar(data_type: &DataType) -> bool {
    data_type.class().is_some_and(|class| match class {
        Class::Text
        | Class::Bool
        | Class::Integer { .. }
        | Class::Float { .. }
        | Class::Decimal
        | Class::Date
        | Class::Instant
        | Class::Uuid
        | Class::Ipv4
        | Class::Ipv6
        | Class::Enumeration => true,
        Class::Clock
        | Class::Nullable
        | Class::Dictionary
        | Class::Array
        | Class::Map
        | Class::Tuple
        | Class::Nested
        | Class::Union
        | Class::Json
        | Class::Point
        | Class::Line
        | Class::Lines
        | Class::Areas
        | Class::Aggregate => false,
    })
}

fn widens(old: &DataType, new: &DataType) -> bool {
    match (old, new) {
        _ if old == new => true,
        (DataType::LowCardinality(old), DataType::LowCardinality(new))
        | (DataType::Nullable(old), DataType::Nullable(new))
        | (DataType::Array(old), DataType::Array(new)) => widens(old, new),
        (DataType::LowCardinality(old), new) => widens(old, new),
        (old, DataType::LowCardinality(new)) => widens(old, new),
        (DataType::Nullable(_), _) => false,
        (old, DataType::Nullable(new)) => widens(old, new),
        (DataType::Map(old_key, old), DataType::Map(new_key, new)) => old_key == new_key && widens(old, new),
        (DataType::Enum8(old), DataType::Enum8(new) | DataType::Enum16(new))
        | (DataType::Enum16(old), DataType::Enum16(new)) => old.iter().all(|label| new.contains(label)),
        (DataType::FixedString(old), DataType::FixedString(new)) => old <= new,
        (
            DataType::Decimal { precision: old, scale: old_scale },
            DataType::Decimal { precision: new, scale: new_scale },
        ) => {
            old_scale <= new_scale && i16::from(*old) - i16::from(*old_scale) <= i16::from(*new) - i16::from(*new_scale)
        }
        // The time zone of a column only affects how its values are shown.
        (DataType::Enum8(_) | DataType::Enum16(_), DataType::String)
        | (DataType::Date, DataType::Date32)
        | (DataType::DateTime { .. }, DataType::DateTime { .. })
        // At most 999 hours: they fit at any precision.
        | (DataType::Time, DataType::Time64 { .. }) => true,
        (DataType::DateTime { .. }, DataType::DateTime64 { precision, .. }) => *precision <= 7,
        (DataType::DateTime64 { precision: old, .. }, DataType::DateTime64 { precision: new, .. }) => {
            old == new || (old < new && *new <= 7)
        }
        (DataType::Time64 { precision: old }, DataType::Time64 { precision: new }) => old <= new,
        _ => match (old.class(), new.class()) {
            (Some(Class::Integer { bits: old, signed }), Some(Class::Integer { bits: new, signed: new_signed })) => {
                if signed == new_signed { old <= new } else { !signed && old < new }
            }
            (Some(Class::Integer { bits: old, signed }), Some(Class::Float { bits: new })) => {
                old - u16::from(signed) <= new
            }
            (Some(Class::Float { bits: old }), Some(Class::Float { bits: new })) => old <= new,
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(old: &str, new: &str) -> Fit {
        Fit::of(&old.parse().expect("a type"), &new.parse().expect("a type"))
    }

    #[test]
    fn what_holds_every_value_widens() {
        for (old, new) in [
            ("UInt8", "UInt16"),
            ("UInt8", "Int16"),
            ("Int32", "Int64"),
            ("Int32", "Float64"),
            ("UInt16", "Float32"),
            ("Float32", "Float64"),
            ("String", "LowCardinality(String)"),
            ("LowCardinality(String)", "String"),
            ("LowCardinality(String)", "LowCardinality(Nullable(String))"),
            ("String", "Nullable(String)"),
            ("UInt8", "Nullable(UInt32)"),
            ("Date", "Date32"),
            ("DateTime", "DateTime64(3, 'UTC')"),
            ("DateTime64(3, 'UTC')", "DateTime64(6, 'UTC')"),
            ("DateTime64(3, 'UTC')", "DateTime64(3, 'Europe/Berlin')"),
            ("Time", "Time64(9)"),
            ("Time64(3)", "Time64(6)"),
            ("Nullable(Time)", "Nullable(Time64(3))"),
            ("Decimal(9, 2)", "Decimal(18, 4)"),
            ("FixedString(4)", "FixedString(8)"),
            ("Enum8('a' = 1)", "Enum8('a' = 1, 'b' = 2)"),
            ("Enum8('a' = 1)", "Enum16('a' = 1)"),
            ("Enum8('a' = 1)", "String"),
            ("Array(UInt8)", "Array(UInt16)"),
            ("Map(String, UInt8)", "Map(String, UInt16)"),
        ] {
            assert_eq!(fit(old, new), Fit::Widens, "{old} -> {new}");
        }
    }

    #[test]
    fn what_may_lose_a_value_narrows() {
        for (old, new) in [
            ("UInt16", "UInt8"),
            ("Int8", "UInt64"),
            ("UInt64", "Int64"),
            ("Int64", "Float64"),
            ("Float64", "Float32"),
            ("Float32", "Int64"),
            ("Nullable(String)", "String"),
            ("Nullable(String)", "LowCardinality(String)"),
            ("Date32", "Date"),
            ("DateTime64(6)", "DateTime64(3)"),
            ("DateTime64(3)", "DateTime64(9)"),
            ("Time64(6)", "Time64(3)"),
            ("Nullable(Time64(3))", "Time64(3)"),
            ("Decimal(18, 4)", "Decimal(18, 6)"),
            ("String", "UInt8"),
            ("UInt8", "String"),
            ("Enum8('a' = 1, 'b' = 2)", "Enum8('a' = 1)"),
            ("Enum8('a' = 1)", "Enum8('a' = 2)"),
            ("String", "UUID"),
        ] {
            assert_eq!(fit(old, new), Fit::Narrows, "{old} -> {new}");
        }
    }

    #[test]
    fn a_row_without_a_value_shows_another_default_where_types_have_others() {
        for (old, new, one) in [
            ("UInt8", "Decimal(9, 2)", true),
            ("String", "LowCardinality(String)", true),
            ("Nullable(UInt8)", "Nullable(UInt16)", true),
            ("DateTime", "DateTime64(3)", true),
            ("Time", "Time64(3)", true),
            ("Array(UInt8)", "Array(UInt16)", true),
            ("UInt8", "Nullable(UInt8)", false),
            ("Nullable(UInt8)", "UInt8", false),
            ("UInt8", "String", false),
            ("Date", "Date32", false),
            ("Enum8('a' = 1)", "Enum8('b' = 0, 'a' = 1)", false),
        ] {
            let parsed = |text: &str| text.parse().expect("a type");
            assert_eq!(have_one_default(&parsed(old), &parsed(new)), one, "{old} -> {new}");
        }
    }

    #[test]
    fn what_the_server_can_not_compare_never_fits() {
        for (old, new) in [
            ("Array(UInt16)", "Array(UInt8)"),
            ("Array(UInt8)", "String"),
            ("Time64(3)", "Time"),
            ("Time", "DateTime"),
            ("Map(String, UInt8)", "Map(UInt8, UInt8)"),
            ("Tuple(a UInt8)", "Tuple(a UInt16)"),
            ("String", "AggregateFunction(sum, UInt64)"),
        ] {
            assert_eq!(fit(old, new), Fit::Never, "{old} -> {new}");
        }
    }
}
