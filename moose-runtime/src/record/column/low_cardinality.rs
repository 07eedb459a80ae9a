//! `LowCardinality(String)` and `LowCardinality(Nullable(String))`: a dictionary of the block, and a code per row.
//!
//! The dictionary holds the values in the order in which rows first have them, and forgets a value together with the row
//! that brought it, so the bytes depend on the rows alone.

use std::{collections::HashMap, fmt};

use serde::de::{self, Deserializer, Visitor};

use super::{Column, Stores, string::WithString};
use crate::record::{
    DataType, ValueError,
    native::{write_fixed, write_string},
};

/// The dictionary stands in the block itself, as additional keys.
const KEYS_IN_BLOCK: u64 = 1 << 9;
/// Version of the format, Native's prefix of the column.
const VERSION: u64 = 1;

/// Values of `LowCardinality(String)`, or of `LowCardinality(Nullable(String))` where `NULLABLE`.
#[derive(Debug, Default)]
pub struct LowCardinalityColumn<const NULLABLE: bool> {
    /// The code of each value of the dictionary, without NULL's.
    code_of: HashMap<Box<str>, u32>,
    /// The values in order of their codes, without NULL's.
    dictionary: Vec<Entry>,
    /// Bytes of the dictionary once written, without NULL's.
    dictionary_size: usize,
    /// Code of each row.
    codes: Vec<u32>,
    /// Where [`slot_of`] last saw a string: most values repeat, and this costs no hashing.
    recent: Recent,
}

#[derive(Debug)]
struct Entry {
    value: Box<str>,
    /// The row that brought the value.
    first_row: usize,
}

#[derive(Debug)]
struct Recent([u32; SLOTS]);

impl Default for Recent {
    fn default() -> Self {
        Self([u32::MAX; SLOTS])
    }
}

const SLOTS: usize = 256;

/// A slot for a string, by what is cheap to see of it.
#[inline]
fn slot_of(value: &str) -> usize {
    let bytes = value.as_bytes();
    let byte = |place: usize| usize::from(bytes.get(place).copied().unwrap_or(0));
    let last = bytes.len().wrapping_sub(1);
    (bytes.len() ^ byte(0) ^ byte(last).rotate_left(3) ^ byte(last / 2).rotate_left(1)) % SLOTS
}

impl<const NULLABLE: bool> LowCardinalityColumn<NULLABLE> {
    /// Codes that stand before the dictionary's: NULL has the first one.
    const RESERVED: u32 = if NULLABLE { 1 } else { 0 };

    /// Appends a value.
    #[inline]
    pub fn push(&mut self, value: &str) {
        let slot = slot_of(value);
        let seen = self.recent.0.get(slot).copied().unwrap_or(u32::MAX);
        if self.dictionary.get(seen as usize).is_some_and(|entry| *entry.value == *value) {
            self.codes.push(seen + Self::RESERVED);
            return;
        }
        let place = self.place_of(value);
        if let Some(recent) = self.recent.0.get_mut(slot) {
            *recent = place;
        }
        self.codes.push(place + Self::RESERVED);
    }

    /// Place of the value in the dictionary, into which it is put where it is new.
    #[expect(clippy::expect_used, reason = "that many different strings don't fit the bytes of a batch")]
    fn place_of(&mut self, value: &str) -> u32 {
        if let Some(place) = self.code_of.get(value) {
            return *place;
        }
        let place = u32::try_from(self.dictionary.len()).expect("BUG: a block of more than 2^32 different strings");
        self.dictionary.push(Entry { value: value.into(), first_row: self.codes.len() });
        self.dictionary_size += size_with_length(value);
        self.code_of.insert(value.into(), place);
        place
    }

    /// Keys of the block's dictionary, NULL's included.
    fn keys(&self) -> usize {
        self.dictionary.len() + Self::RESERVED as usize
    }

    /// Bytes of a code: 1, 2 or 4.
    fn width(&self) -> usize {
        match self.keys() {
            0..=0x100 => 1,
            0x101..=0x1_0000 => 2,
            _ => 4,
        }
    }
}

/// Bytes of a string with its length in front.
fn size_with_length(value: &str) -> usize {
    let bits = (usize::BITS - value.len().leading_zeros()).max(1);
    value.len() + bits.div_ceil(7) as usize
}

impl<const NULLABLE: bool> Column for LowCardinalityColumn<NULLABLE> {
    const DATA_TYPE: DataType =
        DataType::LowCardinality(if NULLABLE { &DataType::Nullable(&DataType::String) } else { &DataType::String });

    #[inline]
    fn rows(&self) -> usize {
        self.codes.len()
    }

    #[inline]
    fn byte_size(&self) -> usize {
        // Version; and where there are rows: width, number of keys, keys, number of rows, codes.
        if self.codes.is_empty() {
            return 8;
        }
        32 + self.dictionary_size + Self::RESERVED as usize + self.codes.len() * self.width()
    }

    fn truncate(&mut self, rows: usize) {
        self.codes.truncate(rows);
        while self.dictionary.last().is_some_and(|entry| entry.first_row >= rows) {
            if let Some(entry) = self.dictionary.pop() {
                self.dictionary_size -= size_with_length(&entry.value);
                self.code_of.remove(&entry.value);
            }
        }
    }

    fn push_default(&mut self) {
        if NULLABLE { self.codes.push(0) } else { self.push("") }
    }

    fn write_prefix(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&VERSION.to_le_bytes());
    }

    #[expect(clippy::cast_possible_truncation, reason = "the width was chosen so that every code fits")]
    fn write_data(&self, out: &mut Vec<u8>) {
        // ClickHouse writes and expects nothing at all here for a column of empty arrays.
        if self.codes.is_empty() {
            return;
        }
        let width = self.width();
        out.extend_from_slice(&(KEYS_IN_BLOCK | u64::from(width.trailing_zeros())).to_le_bytes());
        out.extend_from_slice(&(self.keys() as u64).to_le_bytes());
        if NULLABLE {
            write_string(out, "");
        }
        for entry in &self.dictionary {
            write_string(out, &entry.value);
        }
        out.extend_from_slice(&(self.codes.len() as u64).to_le_bytes());
        match width {
            1 => write_fixed(out, &self.codes, |code| [code as u8]),
            2 => write_fixed(out, &self.codes, |code| (code as u16).to_le_bytes()),
            _ => write_fixed(out, &self.codes, u32::to_le_bytes),
        }
    }
}

macro_rules! strings {
    ($($type:ty),*) => { $(
        impl Stores<$type> for LowCardinalityColumn<false> {
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

        impl Stores<Option<$type>> for LowCardinalityColumn<true> {
            fn append(&mut self, value: &Option<$type>) -> Result<(), ValueError> {
                match value {
                    Some(value) => self.push(value),
                    None => self.push_default(),
                }
                Ok(())
            }

            #[inline]
            fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
                input.deserialize_option(OptionVisitor(self))
            }

            fn append_missing<E: de::Error>(&mut self, _: &'static str) -> Result<(), E> {
                self.push_default();
                Ok(())
            }
        }
    )* };
}

strings!(String, Box<str>);

struct OptionVisitor<'a>(&'a mut LowCardinalityColumn<true>);

impl<'de> Visitor<'de> for OptionVisitor<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string or null")
    }

    fn visit_none<E: de::Error>(self) -> Result<(), E> {
        self.0.push_default();
        Ok(())
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.visit_none()
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        let then = |value: &str| {
            self.0.push(value);
            Ok(())
        };
        input.deserialize_str(WithString { expected: "a string or null", then })
    }
}
