//! Values of fixed size: numbers, dates, times, addresses.

use serde::de::Deserializer;

use super::{Column, NullableInside, Stores, string::WithString};
use crate::record::{DataType, ValueError};

/// A value of fixed size, as its column stores it.
pub trait Scalar: Copy + Default + Send + 'static {
    /// The ClickHouse type.
    const DATA_TYPE: DataType;
    /// Appends the values in Native format.
    fn write(values: &[Self], out: &mut Vec<u8>);
}

/// Converts a value of the Rust type `T` to the stored one, with checks.
pub trait Holds<T>: Scalar {
    /// Converts a value.
    fn of(value: &T) -> Result<Self, ValueError>;
    /// Parses and converts a value.
    fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error>;
}

/// Parses a value from a JSON string.
#[inline]
pub(super) fn read_text<'de, S, D: Deserializer<'de>>(
    input: D,
    expected: &'static str,
    parse: impl FnOnce(&str) -> Result<S, ValueError>,
) -> Result<S, D::Error> {
    input.deserialize_str(WithString { expected, then: parse })
}

/// A column of values of fixed size.
#[derive(Debug)]
pub struct ScalarColumn<S> {
    values: Vec<S>,
}

impl<S> Default for ScalarColumn<S> {
    fn default() -> Self {
        Self { values: Vec::new() }
    }
}

impl<S: Scalar> Column for ScalarColumn<S> {
    const DATA_TYPE: DataType = S::DATA_TYPE;

    #[inline]
    fn rows(&self) -> usize {
        self.values.len()
    }

    #[inline]
    fn byte_size(&self) -> usize {
        size_of_val(self.values.as_slice())
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
    }

    fn push_default(&mut self) {
        self.values.push(S::default());
    }

    fn write_data(&self, out: &mut Vec<u8>) {
        S::write(&self.values, out);
    }
}

impl<T, S: Holds<T>> Stores<T> for ScalarColumn<S> {
    #[inline]
    fn append(&mut self, value: &T) -> Result<(), ValueError> {
        self.values.push(S::of(value)?);
        Ok(())
    }

    #[inline]
    fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
        self.values.push(S::read(input)?);
        Ok(())
    }
}

#[diagnostic::do_not_recommend]
impl<S: Scalar> NullableInside for ScalarColumn<S> {}
