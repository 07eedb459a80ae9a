//! `Decimal(P, S)`: integers of 32 to 256 bits, scaled by 10^S.
//!
//! JSON gives a decimal as a number or as a string, and its digits are read as written. A non-zero digit beyond the
//! scale is rejected.

use rust_decimal::Decimal;
use serde::de::Deserializer;

use super::{AllowsDecimal, Column, NullableInside, Stores};
use crate::record::{
    DataType, ValueError,
    digits::{self, RawError, Unfit},
    wide::{Int256, UInt256},
};

const EXPECTED: &str = "a decimal number, or a string of one";

/// Values of `Decimal(P, S)`.
#[derive(Debug, Default)]
pub struct DecimalColumn<const P: u8, const S: u8> {
    /// The scaled integers, each in [`WIDTH`](Self::WIDTH) bytes.
    bytes: Vec<u8>,
}

impl<const P: u8, const S: u8> DecimalColumn<P, S> {
    /// Bytes per value.
    const WIDTH: usize = match P {
        0..=9 => 4,
        10..=18 => 8,
        19..=38 => 16,
        _ => 32,
    };

    fn push(&mut self, negative: bool, magnitude: UInt256) -> Result<(), ValueError> {
        let inside = magnitude < UInt256::ten_to_the(P);
        let value = Int256::new(negative, magnitude).filter(|_| inside).ok_or_else(Self::too_large)?;
        self.bytes.extend_from_slice(value.to_le_bytes().get(..Self::WIDTH).unwrap_or_default());
        Ok(())
    }

    #[cold]
    fn too_large() -> ValueError {
        ValueError::out_of_range(format!("at most {} digits before the decimal point", P - S))
    }

    #[cold]
    fn too_fine() -> ValueError {
        ValueError::out_of_range(format!("at most {S} digits after the decimal point"))
    }
}

impl<const P: u8, const S: u8> Column for DecimalColumn<P, S> {
    const DATA_TYPE: DataType = {
        assert!(P >= 1 && P <= 76 && S <= P, "a decimal has 1 to 76 digits, and no more of them after its point");
        DataType::Decimal { precision: P, scale: S }
    };

    fn rows(&self) -> usize {
        self.bytes.len() / Self::WIDTH
    }

    fn byte_size(&self) -> usize {
        self.bytes.len()
    }

    fn truncate(&mut self, rows: usize) {
        self.bytes.truncate(rows.saturating_mul(Self::WIDTH));
    }

    fn push_default(&mut self) {
        self.bytes.resize(self.bytes.len() + Self::WIDTH, 0);
    }

    fn write_data(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes);
    }
}

impl<const P: u8, const S: u8> Stores<Decimal> for DecimalColumn<P, S> {
    fn append(&mut self, value: &Decimal) -> Result<(), ValueError> {
        let value = value.normalize();
        let zeros = u32::from(S).checked_sub(value.scale()).ok_or_else(Self::too_fine)?;
        let mut magnitude = UInt256::from(value.mantissa().unsigned_abs());
        for _ in 0..zeros {
            magnitude = magnitude.times_plus(10, 0).ok_or_else(Self::too_large)?;
        }
        self.push(value.is_sign_negative(), magnitude)
    }

    fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
        digits::with_text(input, |text| {
            let (negative, magnitude) = digits::number(text, EXPECTED)?.scaled(S).map_err(|unfit| match unfit {
                Unfit::TooFine => Self::too_fine(),
                Unfit::TooLarge => Self::too_large(),
            })?;
            self.push(negative, magnitude).map_err(RawError::from)
        })
    }
}

#[diagnostic::do_not_recommend]
impl<const P: u8, const S: u8> NullableInside for DecimalColumn<P, S> {}

#[diagnostic::do_not_recommend]
impl<const P: u8, const S: u8> AllowsDecimal<P, S> for Decimal {
    type Column = DecimalColumn<P, S>;
}
