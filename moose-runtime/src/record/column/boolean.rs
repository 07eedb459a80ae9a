//! `Bool`: one byte, 0 or 1.

use std::fmt;

use serde::de::{self, Deserializer, Visitor};

use super::{Column, ColumnType, NullableInside, Stores};
use crate::record::{DataType, ValueError};

/// Values of `Bool`.
#[derive(Debug, Default)]
pub struct BoolColumn {
    values: Vec<u8>,
}

impl Column for BoolColumn {
    const DATA_TYPE: DataType = DataType::Bool;

    #[inline]
    fn rows(&self) -> usize {
        self.values.len()
    }

    #[inline]
    fn byte_size(&self) -> usize {
        self.values.len()
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
    }

    fn push_default(&mut self) {
        self.values.push(0);
    }

    fn write_data(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.values);
    }
}

impl Stores<bool> for BoolColumn {
    #[inline]
    fn append(&mut self, value: &bool) -> Result<(), ValueError> {
        self.values.push(u8::from(*value));
        Ok(())
    }

    #[inline]
    fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
        self.values.push(u8::from(input.deserialize_bool(BoolVisitor)?));
        Ok(())
    }
}

struct BoolVisitor;

impl Visitor<'_> for BoolVisitor {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a boolean")
    }

    #[inline]
    fn visit_bool<E: de::Error>(self, value: bool) -> Result<bool, E> {
        Ok(value)
    }
}

#[diagnostic::do_not_recommend]
impl ColumnType for bool {
    type Column = BoolColumn;
}

#[diagnostic::do_not_recommend]
impl NullableInside for BoolColumn {}
