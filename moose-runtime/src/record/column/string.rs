//! `String`: kept as Native wants it, each value preceded by its length.

use std::{borrow::Cow, fmt};

use serde::de::{self, Deserializer, Visitor};

use super::{Column, ColumnType, MapKeyColumn, NullableInside, Stores};
use crate::record::{DataType, ValueError, native::write_string};

/// Values of `String`.
#[derive(Debug, Default)]
pub struct StringColumn {
    /// All values, each preceded by its length, as they are written.
    bytes: Vec<u8>,
    /// The end of each value, for truncation.
    ends: Vec<usize>,
}

impl StringColumn {
    /// Appends a value.
    #[inline]
    pub fn push(&mut self, value: &str) {
        write_string(&mut self.bytes, value);
        self.ends.push(self.bytes.len());
    }
}

impl Column for StringColumn {
    const DATA_TYPE: DataType = DataType::String;

    #[inline]
    fn rows(&self) -> usize {
        self.ends.len()
    }

    #[inline]
    fn byte_size(&self) -> usize {
        self.bytes.len()
    }

    fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        self.bytes.truncate(self.ends.last().copied().unwrap_or(0));
    }

    fn push_default(&mut self) {
        self.push("");
    }

    fn write_data(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes);
    }
}

/// Passes a string to a function without owning it.
pub(super) struct WithString<F> {
    /// What the string should be, for messages.
    pub(super) expected: &'static str,
    /// The function.
    pub(super) then: F,
}

impl<T, F: FnOnce(&str) -> Result<T, ValueError>> Visitor<'_> for WithString<F> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.expected)
    }

    #[inline]
    fn visit_str<E: de::Error>(self, value: &str) -> Result<T, E> {
        (self.then)(value).map_err(ValueError::into_reader)
    }
}

macro_rules! strings {
    ($($type:ty),*) => { $(
        impl Stores<$type> for StringColumn {
            #[inline]
            fn append(&mut self, value: &$type) -> Result<(), ValueError> {
                self.push(value);
                Ok(())
            }

            #[inline]
            fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
                let then = |value: &str| { self.push(value); Ok(()) };
                input.deserialize_str(WithString { expected: "a string", then })
            }
        }

        #[diagnostic::do_not_recommend]
        impl ColumnType for $type {
            type Column = StringColumn;
        }
    )* };
}

strings!(String, Box<str>, Cow<'static, str>);

#[diagnostic::do_not_recommend]
impl NullableInside for StringColumn {}

#[diagnostic::do_not_recommend]
impl MapKeyColumn for StringColumn {}
