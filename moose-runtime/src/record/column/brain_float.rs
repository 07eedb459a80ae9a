//! `BFloat16`, the compact form of `f32`: its upper two bytes. The lower ones are cut, as ClickHouse does; an integer
//! that would lose digits is refused.

use serde::de::Deserializer;

use super::{AllowsCompact, Column, NullableInside, Number, NumberColumn, Stores};
use crate::record::{DataType, ValueError, native::write_fixed};

const EXPECTED: &str = "a number that fits a 16-bit brain float, and no integer that it would round";

/// Values of `BFloat16`.
#[derive(Debug, Default)]
pub struct BFloat16Column {
    values: Vec<u16>,
}

impl BFloat16Column {
    fn push(&mut self, value: f32) -> Result<(), ValueError> {
        let [_, _, low, high] = value.check()?.to_le_bytes();
        let kept = u16::from_le_bytes([low, high]);
        let changed = f32::from_bits(u32::from(kept) << 16).to_bits() != value.to_bits();
        if changed && value.fract() == 0.0 {
            return Err(ValueError::out_of_range(EXPECTED));
        }
        self.values.push(kept);
        Ok(())
    }
}

impl Column for BFloat16Column {
    const DATA_TYPE: DataType = DataType::BFloat16;

    fn rows(&self) -> usize {
        self.values.len()
    }

    fn byte_size(&self) -> usize {
        size_of_val(self.values.as_slice())
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
    }

    fn push_default(&mut self) {
        self.values.push(0);
    }

    fn write_data(&self, out: &mut Vec<u8>) {
        write_fixed(out, &self.values, u16::to_le_bytes);
    }
}

impl Stores<f32> for BFloat16Column {
    fn append(&mut self, value: &f32) -> Result<(), ValueError> {
        self.push(*value)
    }

    fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
        self.push(<f32 as Number>::read(input)?).map_err(ValueError::into_reader)
    }
}

#[diagnostic::do_not_recommend]
impl NullableInside for BFloat16Column {}

#[diagnostic::do_not_recommend]
impl AllowsCompact for NumberColumn<f32> {
    type Compact = BFloat16Column;
}
