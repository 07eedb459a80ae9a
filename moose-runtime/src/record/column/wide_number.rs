//! Integers of 128 and 256 bits, parsed from their digits: a JSON number, or a string that holds one.

use serde::de::{Deserializer, Unexpected};

use super::{ColumnType, Holds, MapKeyColumn, NumberColumn, Scalar};
use crate::record::{
    DataType, ValueError,
    digits::{self, RawError},
    native::write_fixed,
    wide::{Int256, UInt256},
};

/// Reads an integer as sign and magnitude.
fn read<'de, T, D: Deserializer<'de>>(
    input: D,
    expected: &'static str,
    make: impl FnOnce(bool, UInt256) -> Option<T>,
) -> Result<T, D::Error> {
    digits::with_text(input, |text| {
        let digits = digits::number(text, expected)?;
        if digits.has_fraction() || digits.is_minus_zero() {
            return Err(RawError::WrongType(Unexpected::Float(0.0), expected));
        }
        let fits = digits.scaled(0).ok().and_then(|(negative, magnitude)| make(negative, magnitude));
        fits.ok_or_else(|| ValueError::out_of_range(expected).into())
    })
}

macro_rules! wide_integers {
    ($($type:ident, $data_type:ident, $expected:literal, $make:expr;)*) => { $(
        impl Scalar for $type {
            const DATA_TYPE: DataType = DataType::$data_type;

            fn write(values: &[Self], out: &mut Vec<u8>) {
                write_fixed(out, values, Self::to_le_bytes);
            }
        }

        impl Holds<Self> for $type {
            fn of(value: &Self) -> Result<Self, ValueError> {
                Ok(*value)
            }

            fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                read(input, $expected, $make)
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

/// The magnitude of a number without a minus sign.
fn unsigned(negative: bool, magnitude: UInt256) -> Option<UInt256> {
    (!negative).then_some(magnitude)
}

fn signed_128(negative: bool, magnitude: UInt256) -> Option<i128> {
    let magnitude = magnitude.narrow()?;
    if negative { 0_i128.checked_sub_unsigned(magnitude) } else { i128::try_from(magnitude).ok() }
}

wide_integers! {
    i128, Int128, "an integer of 128 bits with a sign, as a number or a string", signed_128;
    u128, UInt128, "an integer of 128 bits from 0 on, as a number or a string", |negative, magnitude| unsigned(negative, magnitude)?.narrow();
    Int256, Int256, "an integer of 256 bits with a sign, as a number or a string", Int256::new;
    UInt256, UInt256, "an integer of 256 bits from 0 on, as a number or a string", unsigned;
}
