//! Which types ClickHouse takes in one `Variant`.

use crate::record::DataType;

/// What can be wrong with the type of a variant.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum VariantFlaw {
    /// ClickHouse has no variants that are NULL by themselves.
    IsNullable,
    /// A function of an aggregate is the column's.
    IsAggregate,
    /// ClickHouse takes it for too similar to the variant at this place.
    IsLike(usize),
}

/// Whether ClickHouse takes two types for too similar to stand in one `Variant`.
const fn are_similar(one: &DataType, other: &DataType) -> bool {
    if let (DataType::Array(one), DataType::Array(other)) = (one, other) {
        return are_similar(one, other);
    }
    let families = [family(one), family(other)];
    match families {
        // An enum is like a text and like an integer.
        [1 | 2, ENUM] | [ENUM, 1 | 2] => true,
        [one, other] => one != 0 && one == other,
    }
}

/// The family of enums.
const ENUM: u8 = 14;

const fn family(data_type: &DataType) -> u8 {
    match data_type {
        DataType::String | DataType::FixedString(_) | DataType::LowCardinality(_) => 1,
        DataType::Enum8(_) | DataType::Enum16(_) => ENUM,
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Int128
        | DataType::Int256
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::UInt128
        | DataType::UInt256
        | DataType::BFloat16
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal { .. }
        | DataType::Ipv4 => 2,
        DataType::Date
        | DataType::Date32
        | DataType::Time
        | DataType::Time64 { .. }
        | DataType::DateTime { .. }
        | DataType::DateTime64 { .. } => 3,
        DataType::Tuple(_) | DataType::NamedTuple(_) => 4,
        DataType::Map(..) => 5,
        DataType::Ring | DataType::LineString => 6,
        DataType::Polygon | DataType::MultiLineString => 7,
        DataType::Bool => 8,
        DataType::Uuid => 9,
        DataType::Ipv6 => 10,
        DataType::Point => 11,
        DataType::MultiPolygon => 12,
        DataType::Json(_) => 13,
        _ => 0,
    }
}

impl VariantFlaw {
    /// What is wrong with the type at a place, beside those before it.
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

/// Fails the compilation of an enum whose types were not looked at where they stand.
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
