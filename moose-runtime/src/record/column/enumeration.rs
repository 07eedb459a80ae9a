//! `Enum8` and `Enum16` for enums without data: JSON gives the label, the column keeps the value.

use std::marker::PhantomData;

use serde::de::Deserializer;

use super::{Column, MapKeyColumn, NullableInside, Stores, string::WithString};
use crate::record::{DataType, ValueError, native::write_fixed};

/// An enum without data, as `#[derive(OlapType)]` describes it.
pub trait Enumeration: Sized + Send + 'static {
    /// Label and value of every variant.
    const LABELS: &'static [(&'static str, i16)];

    /// The value of a variant.
    fn value(&self) -> i16;

    /// The value of the variant with this name in JSON.
    fn value_of(name: &str) -> Option<i16>;
}

/// Values of `Enum8` or `Enum16`, whichever is the narrower that holds all of them.
#[derive(Debug)]
pub struct EnumColumn<E> {
    values: Vec<i16>,
    enumeration: PhantomData<fn() -> E>,
}

impl<E> Default for EnumColumn<E> {
    fn default() -> Self {
        Self { values: Vec::new(), enumeration: PhantomData }
    }
}

/// Whether every value fits into one byte.
const fn is_narrow(labels: &[(&str, i16)]) -> bool {
    let mut rest = labels;
    while let [(_, value), others @ ..] = rest {
        if *value < i8::MIN as i16 || *value > i8::MAX as i16 {
            return false;
        }
        rest = others;
    }
    true
}

/// The value that a server uses as the default: the lowest.
const fn lowest(labels: &[(&str, i16)]) -> i16 {
    let mut lowest = i16::MAX;
    let mut rest = labels;
    while let [(_, value), others @ ..] = rest {
        if *value < lowest {
            lowest = *value;
        }
        rest = others;
    }
    lowest
}

impl<E: Enumeration> EnumColumn<E> {
    const IS_NARROW: bool = is_narrow(E::LABELS);

    fn expected() -> String {
        let labels: Vec<String> = E::LABELS.iter().map(|(label, _)| format!("{label:?}")).collect();
        format!("one of {}", labels.join(", "))
    }
}

impl<E: Enumeration> Column for EnumColumn<E> {
    const DATA_TYPE: DataType = if Self::IS_NARROW { DataType::Enum8(E::LABELS) } else { DataType::Enum16(E::LABELS) };

    fn rows(&self) -> usize {
        self.values.len()
    }

    fn byte_size(&self) -> usize {
        self.values.len() * if Self::IS_NARROW { 1 } else { 2 }
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
    }

    fn push_default(&mut self) {
        self.values.push(const { lowest(E::LABELS) });
    }

    fn write_data(&self, out: &mut Vec<u8>) {
        if Self::IS_NARROW {
            // The upper byte of a value that fits into one only repeats the sign.
            write_fixed(out, &self.values, |value| {
                let [low, _] = value.to_le_bytes();
                [low]
            });
        } else {
            write_fixed(out, &self.values, i16::to_le_bytes);
        }
    }
}

impl<E: Enumeration> Stores<E> for EnumColumn<E> {
    fn append(&mut self, value: &E) -> Result<(), ValueError> {
        self.values.push(value.value());
        Ok(())
    }

    fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
        let then = |name: &str| {
            self.values.push(E::value_of(name).ok_or_else(|| ValueError::invalid_value(Self::expected()))?);
            Ok(())
        };
        input.deserialize_str(WithString { expected: "the name of a variant", then })
    }
}

#[diagnostic::do_not_recommend]
impl<E: Enumeration> NullableInside for EnumColumn<E> {}
#[diagnostic::do_not_recommend]
impl<E: Enumeration> MapKeyColumn for EnumColumn<E> {}
