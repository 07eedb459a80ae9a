//! `BFloat16`, the compact form of `f32`: its upper two bytes. The lower ones are cut off, as ClickHouse does; an
//! integer that would lose digits is rejected.

use serde::de::Deserializer;

use super::{AllowsCompact, Holds, NumberColumn, Scalar, ScalarColumn};
use crate::record::{DataType, ValueError, native::write_fixed};

const EXPECTED: &str = "a number that fits a 16-bit brain float, and no integer that it would round";

/// A number of `BFloat16`: the upper half of one of 32 bits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Brain(u16);

/// Values of `BFloat16`.
pub type BFloat16Column = ScalarColumn<Brain>;

impl Scalar for Brain {
    const DATA_TYPE: DataType = DataType::BFloat16;

    fn write(values: &[Self], out: &mut Vec<u8>) {
        write_fixed(out, values, |number| number.0.to_le_bytes());
    }
}

impl Holds<f32> for Brain {
    fn of(value: &f32) -> Result<Self, ValueError> {
        let [_, _, low, high] = f32::of(value)?.to_le_bytes();
        let kept = u16::from_le_bytes([low, high]);
        let changed = f32::from_bits(u32::from(kept) << 16).to_bits() != value.to_bits();
        if changed && value.fract() == 0.0 {
            return Err(ValueError::out_of_range(EXPECTED));
        }
        Ok(Self(kept))
    }

    fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        Self::of(&f32::read(input)?).map_err(ValueError::into_reader)
    }
}

#[diagnostic::do_not_recommend]
impl AllowsCompact for NumberColumn<f32> {
    type Compact = BFloat16Column;
}
