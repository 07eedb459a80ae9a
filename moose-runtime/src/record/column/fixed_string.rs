//! `FixedString(N)`: text of exactly N bytes. ClickHouse fills a shorter one with zeros, and so would store another.

use std::borrow::Cow;

use serde::de::Deserializer;

use super::{AllowsFixed, Column, MapKeyColumn, NullableInside, Stores, StringColumn, string::WithString};
use crate::record::{DataType, ValueError};

/// Values of `FixedString(N)`.
#[derive(Debug, Default)]
pub struct FixedStringColumn<const N: u32> {
    bytes: Vec<u8>,
}

/// That a text has the length.
pub(super) fn check_length<const N: u32>(value: &str) -> Result<&[u8], ValueError> {
    if value.len() == N as usize {
        return Ok(value.as_bytes());
    }
    Err(ValueError::out_of_range(format!("a string of exactly {N} bytes of UTF-8")))
}

impl<const N: u32> FixedStringColumn<N> {
    /// Appends a value.
    pub fn push(&mut self, value: &str) -> Result<(), ValueError> {
        self.bytes.extend_from_slice(check_length::<N>(value)?);
        Ok(())
    }
}

impl<const N: u32> Column for FixedStringColumn<N> {
    const DATA_TYPE: DataType = {
        assert!(N >= 1 && N <= 256, "ClickHouse takes a `FixedString` of 1 to 256 bytes");
        DataType::FixedString(N)
    };

    fn rows(&self) -> usize {
        self.bytes.len() / N as usize
    }

    fn byte_size(&self) -> usize {
        self.bytes.len()
    }

    fn truncate(&mut self, rows: usize) {
        self.bytes.truncate(rows.saturating_mul(N as usize));
    }

    fn push_default(&mut self) {
        self.bytes.resize(self.bytes.len() + N as usize, 0);
    }

    fn write_data(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes);
    }
}

macro_rules! strings {
    ($($type:ty),*) => { $(
        impl<const N: u32> Stores<$type> for FixedStringColumn<N> {
            fn append(&mut self, value: &$type) -> Result<(), ValueError> {
                self.push(value)
            }

            fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
                input.deserialize_str(WithString { expected: "a string", then: |value: &str| self.push(value) })
            }
        }
    )* };
}

strings!(String, Box<str>, Cow<'static, str>);

#[diagnostic::do_not_recommend]
impl<const N: u32> NullableInside for FixedStringColumn<N> {}
#[diagnostic::do_not_recommend]
impl<const N: u32> MapKeyColumn for FixedStringColumn<N> {}
#[diagnostic::do_not_recommend]
impl<const N: u32> AllowsFixed<N> for StringColumn {
    type Fixed = FixedStringColumn<N>;
}
