//! `FixedString(N)`: text of exactly N bytes, or any N bytes. Shorter text is rejected, because ClickHouse would pad it
//! with zeros and so store another value.
//!
//! Bytes are a string in JSON where they are UTF-8, and otherwise an array of numbers, as serde writes them.

use std::{borrow::Cow, fmt};

use serde::de::{self, Deserializer, SeqAccess, Visitor};

use super::{
    AllowsFixed, ArrayColumn, Column, MapKeyColumn, NullableInside, NumberColumn, Stores, StringColumn,
    string::WithString,
};
use crate::record::{DataType, Findings, Node, Place, ValueError};

/// Values of `FixedString(N)`.
#[derive(Debug, Default)]
pub struct FixedStringColumn<const N: usize> {
    bytes: Vec<u8>,
}

/// Checks the length of a text.
pub(super) fn check_length<const N: usize>(value: &str) -> Result<&[u8], ValueError> {
    if value.len() == N {
        return Ok(value.as_bytes());
    }
    Err(ValueError::out_of_range(format!("a string of exactly {N} bytes of UTF-8")))
}

impl<const N: usize> FixedStringColumn<N> {
    /// Appends a value.
    pub fn push(&mut self, value: &str) -> Result<(), ValueError> {
        self.bytes.extend_from_slice(check_length::<N>(value)?);
        Ok(())
    }
}

impl<const N: usize> Column for FixedStringColumn<N> {
    #[expect(clippy::cast_possible_truncation, reason = "it is at most 256")]
    const DATA_TYPE: DataType = {
        assert!(N >= 1 && N <= 256, "ClickHouse takes a `FixedString` of 1 to 256 bytes");
        DataType::FixedString(N as u32)
    };

    fn rows(&self) -> usize {
        self.bytes.len() / N
    }

    fn byte_size(&self) -> usize {
        self.bytes.len()
    }

    fn truncate(&mut self, rows: usize) {
        self.bytes.truncate(rows.saturating_mul(N));
    }

    fn push_default(&mut self) {
        self.bytes.resize(self.bytes.len() + N, 0);
    }

    fn write_data(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes);
    }
}

macro_rules! strings {
    ($($type:ty),*) => { $(
        impl<const N: usize> Stores<$type> for FixedStringColumn<N> {
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

impl<const N: usize> Stores<[u8; N]> for FixedStringColumn<N> {
    fn append(&mut self, value: &[u8; N]) -> Result<(), ValueError> {
        self.bytes.extend_from_slice(value);
        Ok(())
    }

    fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
        input.deserialize_any(BytesVisitor { column: self })
    }

    fn explain(input: Node<'_>, place: &Place<'_>, findings: &mut Findings) {
        if input.is_array() {
            <ArrayColumn<NumberColumn<u8>> as Stores<[u8; N]>>::explain(input, place, findings);
        } else if let Err(problem) = <Self as Stores<[u8; N]>>::append_json(&mut Self::default(), input) {
            findings.push(place, problem);
        }
    }
}

struct BytesVisitor<'a, const N: usize> {
    column: &'a mut FixedStringColumn<N>,
}

impl<'de, const N: usize> Visitor<'de> for BytesVisitor<'_, N> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a string or an array of exactly {N} bytes")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        self.column.push(text).map_err(ValueError::into_reader)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut bytes: A) -> Result<(), A::Error> {
        let mut count = 0;
        while let Some(byte) = bytes.next_element()? {
            self.column.bytes.push(byte);
            count += 1;
        }
        if count == N { Ok(()) } else { Err(de::Error::invalid_length(count, &self)) }
    }
}

/// Bytes, which without the attribute are an array.
#[diagnostic::do_not_recommend]
impl<const N: usize> AllowsFixed<N> for ArrayColumn<NumberColumn<u8>> {
    type Fixed = FixedStringColumn<N>;
}

#[diagnostic::do_not_recommend]
impl<const N: usize> NullableInside for FixedStringColumn<N> {}
#[diagnostic::do_not_recommend]
impl<const N: usize> MapKeyColumn for FixedStringColumn<N> {}
#[diagnostic::do_not_recommend]
impl<const N: usize> AllowsFixed<N> for StringColumn {
    type Fixed = FixedStringColumn<N>;
}
