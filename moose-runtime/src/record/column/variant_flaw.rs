//! Checks that ClickHouse accepts the given types together in one `Variant`.

use crate::{record::DataType, schema::Class};

/// Why a type can't be a variant.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum VariantFlaw {
    /// ClickHouse has no Nullable variants.
    IsNullable,
    /// An aggregate function belongs to the whole column.
    IsAggregate,
    /// ClickHouse considers it too similar to the variant at this index.
    IsLike(usize),
}

/// Whether ClickHouse considers two types too similar for one `Variant`.
const fn are_similar(one: &DataType, other: &DataType) -> bool {
    if let (DataType::Array(one), DataType::Array(other)) = (one, other) {
        return are_similar(one, other);
    }
    match (Family::of(one.class()), Family::of(other.class())) {
        // An enum is similar to a string and to an integer.
        (Family::Text | Family::Number, Family::Enumeration) | (Family::Enumeration, Family::Text | Family::Number) => {
            true
        }
        (Family::None, _) => false,
        (one, other) => one as u8 == other as u8,
    }
}

/// Groups of types that ClickHouse considers similar.
#[derive(Clone, Copy)]
enum Family {
    None,
    Text,
    Number,
    Time,
    Tuple,
    Map,
    Line,
    Lines,
    Bool,
    Uuid,
    Ipv6,
    Point,
    Areas,
    Json,
    Enumeration,
}

impl Family {
    const fn of(class: Class) -> Self {
        match class {
            Class::Text | Class::Dictionary => Self::Text,
            Class::Integer { .. } | Class::Float { .. } | Class::Decimal | Class::Ipv4 => Self::Number,
            Class::Date | Class::Instant | Class::Clock => Self::Time,
            Class::Tuple => Self::Tuple,
            Class::Map => Self::Map,
            Class::Line => Self::Line,
            Class::Lines => Self::Lines,
            Class::Bool => Self::Bool,
            Class::Uuid => Self::Uuid,
            Class::Ipv6 => Self::Ipv6,
            Class::Point => Self::Point,
            Class::Areas => Self::Areas,
            Class::Json => Self::Json,
            Class::Enumeration => Self::Enumeration,
            Class::Nullable | Class::Array | Class::Nested | Class::Union | Class::Aggregate => Self::None,
        }
    }
}

impl VariantFlaw {
    /// The flaw of the type at an index, given those before it.
    pub const fn of(types: &[DataType], place: usize) -> Option<Self> {
        let (before, from) = types.split_at(place);
        let [data_type, ..] = from else { return None };
        match data_type {
            DataType::SimpleAggregateFunction { .. } => return Some(Self::IsAggregate),
            data_type if data_type.is_nullable() => return Some(Self::IsNullable),
            _ => {}
        }
        let mut rest = before;
        while let [others @ .., other] = rest {
            if are_similar(other, data_type) {
                return Some(Self::IsLike(others.len()));
            }
            rest = others;
        }
        None
    }
}

/// Fails the compilation of an enum whose types were not checked at their variants.
pub(super) const fn expect_fine(types: &[DataType]) {
    let mut place = 0;
    while place < types.len() {
        match VariantFlaw::of(types, place) {
            None => {}
            Some(VariantFlaw::IsNullable) => {
                panic!("a variant is never NULL by itself: take the `Option` off, and add a variant without data")
            }
            Some(VariantFlaw::IsAggregate) => {
                panic!("an aggregate is a column, and no variant: take the `aggregate` off")
            }
            Some(VariantFlaw::IsLike(_)) => panic!(
                "two variants are stored as types that ClickHouse takes for too similar to tell apart: give one of them another type"
            ),
        }
        place += 1;
    }
}
