//! Integers and floats of 8 to 64 bits.
//!
//! No value is changed: a fraction for an integer column, a number out of range, and an integer that a float can't hold
//! exactly are rejected. (JSON integers of more than 64 bits are read as floats, and rounded as such.)

use std::{fmt, marker::PhantomData};

use serde::de::{self, Deserializer, Unexpected, Visitor};

use super::{ColumnType, Holds, MapKeyColumn, Scalar, ScalarColumn};
use crate::record::{DataType, ValueError, native::write_fixed};

/// Numbers of one type.
pub type NumberColumn<T> = ScalarColumn<T>;

macro_rules! integers {
    ($($type:ident, $data_type:ident, $deserialize:ident, $expected:literal;)*) => { $(
        impl Scalar for $type {
            const DATA_TYPE: DataType = DataType::$data_type;

            fn write(values: &[Self], out: &mut Vec<u8>) {
                write_fixed(out, values, Self::to_le_bytes);
            }
        }

        impl Holds<Self> for $type {
            #[inline]
            fn of(value: &Self) -> Result<Self, ValueError> {
                Ok(*value)
            }

            #[inline]
            fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                input.$deserialize(IntegerVisitor::<Self> { expected: $expected, integer: PhantomData })
            }
        }

        #[diagnostic::do_not_recommend]
        impl ColumnType for $type {
            type Column = NumberColumn<Self>;
        }

        #[diagnostic::do_not_recommend]
        impl MapKeyColumn for NumberColumn<$type> {}
    )* };
}

integers! {
    i8, Int8, deserialize_i8, "an integer from -128 to 127";
    i16, Int16, deserialize_i16, "an integer from -32768 to 32767";
    i32, Int32, deserialize_i32, "an integer from -2147483648 to 2147483647";
    i64, Int64, deserialize_i64, "an integer from -9223372036854775808 to 9223372036854775807";
    u8, UInt8, deserialize_u8, "an integer from 0 to 255";
    u16, UInt16, deserialize_u16, "an integer from 0 to 65535";
    u32, UInt32, deserialize_u32, "an integer from 0 to 4294967295";
    u64, UInt64, deserialize_u64, "an integer from 0 to 18446744073709551615";
}

struct IntegerVisitor<T> {
    expected: &'static str,
    integer: PhantomData<T>,
}

impl<T: TryFrom<u64> + TryFrom<i64>> Visitor<'_> for IntegerVisitor<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.expected)
    }

    #[inline]
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<T, E> {
        T::try_from(value).map_err(|_| ValueError::out_of_range(self.expected).into_reader())
    }

    #[inline]
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<T, E> {
        T::try_from(value).map_err(|_| ValueError::out_of_range(self.expected).into_reader())
    }

    #[cold]
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<T, E> {
        // The parser gives an integer of more than 64 bits as a float.
        if value.abs() >= 9_223_372_036_854_775_808.0 {
            return Err(ValueError::out_of_range(self.expected).into_reader());
        }
        Err(E::invalid_type(Unexpected::Float(value), &self))
    }
}

/// Whether an integer can be represented exactly in a float's mantissa of that many bits.
#[inline]
fn is_exact(magnitude: u64, mantissa: u32) -> bool {
    magnitude == 0 || 64 - magnitude.leading_zeros() - magnitude.trailing_zeros() <= mantissa
}

macro_rules! floats {
    ($($type:ident, $data_type:ident, $deserialize:ident, $expected:literal, $from_double:expr;)*) => { $(
        impl Scalar for $type {
            const DATA_TYPE: DataType = DataType::$data_type;

            fn write(values: &[Self], out: &mut Vec<u8>) {
                write_fixed(out, values, Self::to_le_bytes);
            }
        }

        impl Holds<Self> for $type {
            #[inline]
            fn of(value: &Self) -> Result<Self, ValueError> {
                if value.is_finite() { Ok(*value) } else { Err(ValueError::out_of_range($expected)) }
            }

            #[inline]
            fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                struct FloatVisitor;

                impl Visitor<'_> for FloatVisitor {
                    type Value = $type;

                    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                        formatter.write_str("a number")
                    }

                    #[inline]
                    fn visit_f64<E: de::Error>(self, value: f64) -> Result<$type, E> {
                        let narrow: fn(f64) -> $type = $from_double;
                        $type::of(&narrow(value)).map_err(ValueError::into_reader)
                    }

                    #[inline]
                    #[expect(clippy::cast_precision_loss, reason = "checked to lose nothing")]
                    fn visit_u64<E: de::Error>(self, value: u64) -> Result<$type, E> {
                        if is_exact(value, $type::MANTISSA_DIGITS) {
                            return Ok(value as $type);
                        }
                        Err(ValueError::out_of_range($expected).into_reader())
                    }

                    #[inline]
                    #[expect(clippy::cast_precision_loss, reason = "checked to lose nothing")]
                    fn visit_i64<E: de::Error>(self, value: i64) -> Result<$type, E> {
                        if is_exact(value.unsigned_abs(), $type::MANTISSA_DIGITS) {
                            return Ok(value as $type);
                        }
                        Err(ValueError::out_of_range($expected).into_reader())
                    }
                }

                input.$deserialize(FloatVisitor)
            }
        }

        #[diagnostic::do_not_recommend]
        impl ColumnType for $type {
            type Column = NumberColumn<Self>;
        }
    )* };
}

/// Rounds to the nearest, as the parser has done already; a value too large becomes infinite and is rejected.
#[expect(clippy::cast_possible_truncation, reason = "rounding a decimal fraction to the nearest is what a float is")]
fn narrow(value: f64) -> f32 {
    value as f32
}

floats! {
    f32, Float32, deserialize_f32, "a number that fits a 32-bit float, and no integer that it would round", narrow;
    f64, Float64, deserialize_f64, "a number that fits a 64-bit float, and no integer that it would round", std::convert::identity;
}
