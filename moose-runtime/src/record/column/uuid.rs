//! `UUID`: two 64-bit halves, the high one first, each in little-endian order.

use ::uuid::Uuid;
use serde::de::Deserializer;

use super::{Column, ColumnType, MapKeyColumn, NullableInside, Stores, string::WithString};
use crate::record::{DataType, ValueError, native::write_fixed};

pub(super) const EXPECTED: &str = "a UUID such as \"67e55044-10b1-426f-9247-bb680e5fe0c8\"";

/// A UUID as ClickHouse stores it.
pub(super) fn bytes(value: Uuid) -> [u8; 16] {
    value.as_u128().rotate_right(64).to_le_bytes()
}

/// Parses a UUID.
#[inline]
pub(super) fn parse(text: &str) -> Result<Uuid, ValueError> {
    Uuid::try_parse(text).map_err(|_| ValueError::invalid_value(EXPECTED))
}

/// Values of `UUID`.
#[derive(Debug, Default)]
pub struct UuidColumn {
    values: Vec<Uuid>,
}

impl Column for UuidColumn {
    const DATA_TYPE: DataType = DataType::Uuid;

    #[inline]
    fn rows(&self) -> usize {
        self.values.len()
    }

    #[inline]
    fn byte_size(&self) -> usize {
        self.values.len() * 16
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
    }

    fn push_default(&mut self) {
        self.values.push(Uuid::nil());
    }

    fn write_data(&self, out: &mut Vec<u8>) {
        write_fixed(out, &self.values, bytes);
    }
}

impl Stores<Uuid> for UuidColumn {
    #[inline]
    fn append(&mut self, value: &Uuid) -> Result<(), ValueError> {
        self.values.push(*value);
        Ok(())
    }

    #[inline]
    fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
        let then = |text: &str| {
            self.values.push(parse(text)?);
            Ok(())
        };
        input.deserialize_str(WithString { expected: EXPECTED, then })
    }
}

#[diagnostic::do_not_recommend]
impl ColumnType for Uuid {
    type Column = UuidColumn;
}

#[diagnostic::do_not_recommend]
impl NullableInside for UuidColumn {}

#[diagnostic::do_not_recommend]
impl MapKeyColumn for UuidColumn {}
