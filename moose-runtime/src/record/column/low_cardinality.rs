//! `LowCardinality(…)` and `LowCardinality(Nullable(…))`: a dictionary per block, and an index into it per row.
//!
//! The dictionary holds the values in the order of their first rows. Truncating rows also removes the values that they
//! added, so the bytes depend on the rows alone.

use std::{collections::HashMap, fmt, marker::PhantomData};

use serde::de::{self, Deserializer, Visitor};

use super::{
    AllowsLowCardinality, Column, FixedStringColumn, MapKeyColumn, Newtype, NewtypeColumn, Stores, StringColumn,
    UuidColumn,
    key::{DictionaryKey, FixedText, Id, KeyOf, Text, Wrapped},
    string::WithString,
};
use crate::record::{DataType, ValueError, native::write_fixed};

/// Flag: the dictionary is in the block itself, as additional keys.
const KEYS_IN_BLOCK: u64 = 1 << 9;
/// Version of the format, Native's prefix of the column.
const VERSION: u64 = 1;

/// A column whose values can be in a dictionary.
pub trait Dictionary: Column {
    /// The type of its values.
    type Key: DictionaryKey;
}

/// Values of `LowCardinality(…)`, or of `LowCardinality(Nullable(…))` where `NULLABLE`.
#[derive(Debug)]
pub struct LowCardinalityColumn<const NULLABLE: bool, K = Text> {
    /// The index of each value of the dictionary, without NULL's.
    code_of: HashMap<Box<[u8]>, u32>,
    /// The values in order of their indexes, without NULL's.
    dictionary: Vec<Entry>,
    /// Size of the dictionary once written, without NULL's.
    dictionary_size: usize,
    /// Index of each row's value.
    codes: Vec<u32>,
    /// A small cache of recent values, by [`slot_of`]: most values repeat, and this needs no hashing.
    recent: Recent,
    key: PhantomData<fn() -> K>,
}

impl<const NULLABLE: bool, K> Default for LowCardinalityColumn<NULLABLE, K> {
    fn default() -> Self {
        Self {
            code_of: HashMap::new(),
            dictionary: Vec::new(),
            dictionary_size: 0,
            codes: Vec::new(),
            recent: Recent::default(),
            key: PhantomData,
        }
    }
}

#[derive(Debug)]
struct Entry {
    value: Box<[u8]>,
    /// The row that added the value.
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

/// The cache slot of a value, computed from what is cheap to read of it.
#[inline]
fn slot_of(bytes: &[u8]) -> usize {
    let byte = |place: usize| usize::from(bytes.get(place).copied().unwrap_or(0));
    let last = bytes.len().wrapping_sub(1);
    (bytes.len() ^ byte(0) ^ byte(last).rotate_left(3) ^ byte(last / 2).rotate_left(1)) % SLOTS
}

impl<const NULLABLE: bool, K: DictionaryKey> LowCardinalityColumn<NULLABLE, K> {
    /// Reserved indexes before the dictionary's: NULL has the first one.
    const RESERVED: u32 = if NULLABLE { 1 } else { 0 };

    /// Appends a value.
    #[inline]
    fn push(&mut self, value: &[u8]) {
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

    /// The index of the value in the dictionary; a new value is added.
    #[expect(clippy::expect_used, reason = "that many different values don't fit the bytes of a batch")]
    fn place_of(&mut self, value: &[u8]) -> u32 {
        if let Some(place) = self.code_of.get(value) {
            return *place;
        }
        let place = u32::try_from(self.dictionary.len()).expect("BUG: a block of more than 2^32 different values");
        self.dictionary.push(Entry { value: value.into(), first_row: self.codes.len() });
        self.dictionary_size += K::size(value);
        self.code_of.insert(value.into(), place);
        place
    }

    /// Number of keys in the block's dictionary, NULL's included.
    fn keys(&self) -> usize {
        self.dictionary.len() + Self::RESERVED as usize
    }

    /// Bytes per index: 1, 2 or 4.
    fn width(&self) -> usize {
        match self.keys() {
            0..=0x100 => 1,
            0x101..=0x1_0000 => 2,
            _ => 4,
        }
    }
}

impl<const NULLABLE: bool, K: DictionaryKey> Column for LowCardinalityColumn<NULLABLE, K> {
    const DATA_TYPE: DataType =
        DataType::LowCardinality(if NULLABLE { &DataType::Nullable(&K::DATA_TYPE) } else { &K::DATA_TYPE });

    #[inline]
    fn rows(&self) -> usize {
        self.codes.len()
    }

    #[inline]
    fn byte_size(&self) -> usize {
        // Version; and if there are rows: width, number of keys, keys, number of rows, indexes.
        if self.codes.is_empty() {
            return 8;
        }
        let null = if NULLABLE { K::size(K::NULL) } else { 0 };
        32 + self.dictionary_size + null + self.codes.len() * self.width()
    }

    fn truncate(&mut self, rows: usize) {
        self.codes.truncate(rows);
        while self.dictionary.last().is_some_and(|entry| entry.first_row >= rows) {
            if let Some(entry) = self.dictionary.pop() {
                self.dictionary_size -= K::size(&entry.value);
                self.code_of.remove(&entry.value);
            }
        }
    }

    fn push_default(&mut self) {
        if NULLABLE { self.codes.push(0) } else { self.push(K::NULL) }
    }

    fn write_prefix(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&VERSION.to_le_bytes());
    }

    #[expect(clippy::cast_possible_truncation, reason = "the width was chosen so that every code fits")]
    fn write_data(&self, out: &mut Vec<u8>) {
        // For a column of empty arrays ClickHouse writes and expects nothing at all here.
        if self.codes.is_empty() {
            return;
        }
        let width = self.width();
        out.extend_from_slice(&(KEYS_IN_BLOCK | u64::from(width.trailing_zeros())).to_le_bytes());
        out.extend_from_slice(&(self.keys() as u64).to_le_bytes());
        if NULLABLE {
            K::write(K::NULL, out);
        }
        for entry in &self.dictionary {
            K::write(&entry.value, out);
        }
        out.extend_from_slice(&(self.codes.len() as u64).to_le_bytes());
        match width {
            1 => write_fixed(out, &self.codes, |code| [code as u8]),
            2 => write_fixed(out, &self.codes, |code| (code as u16).to_le_bytes()),
            _ => write_fixed(out, &self.codes, u32::to_le_bytes),
        }
    }
}

impl<T, K: KeyOf<T>> Stores<T> for LowCardinalityColumn<false, K> {
    fn append(&mut self, value: &T) -> Result<(), ValueError> {
        K::with_value(value, |bytes| self.push(bytes))
    }

    #[inline]
    fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
        let then = |text: &str| K::with_text(text, |bytes| self.push(bytes));
        input.deserialize_str(WithString { expected: K::EXPECTED, then })
    }
}

impl<T, K: KeyOf<T>> Stores<Option<T>> for LowCardinalityColumn<true, K> {
    fn append(&mut self, value: &Option<T>) -> Result<(), ValueError> {
        if let Some(value) = value {
            return K::with_value(value, |bytes| self.push(bytes));
        }
        self.push_default();
        Ok(())
    }

    #[inline]
    fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
        input.deserialize_option(OptionVisitor { column: self, value: PhantomData::<fn(&T)> })
    }

    fn append_missing<E: de::Error>(&mut self, _: &'static str) -> Result<(), E> {
        self.push_default();
        Ok(())
    }
}

struct OptionVisitor<'a, T, K> {
    column: &'a mut LowCardinalityColumn<true, K>,
    value: PhantomData<fn(&T)>,
}

impl<'de, T, K: KeyOf<T>> Visitor<'de> for OptionVisitor<'_, T, K> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} or null", K::EXPECTED)
    }

    fn visit_none<E: de::Error>(self) -> Result<(), E> {
        self.column.push_default();
        Ok(())
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.visit_none()
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        let then = |text: &str| K::with_text(text, |bytes| self.column.push(bytes));
        input.deserialize_str(WithString { expected: K::EXPECTED, then })
    }
}

#[diagnostic::do_not_recommend]
impl<K: DictionaryKey> MapKeyColumn for LowCardinalityColumn<false, K> {}

macro_rules! dictionaries {
    ($([$($parameter:tt)*] $column:ty: $key:ty;)*) => { $(
        #[diagnostic::do_not_recommend]
        impl<$($parameter)*> Dictionary for $column {
            type Key = $key;
        }

        #[diagnostic::do_not_recommend]
        impl<$($parameter)*> AllowsLowCardinality for $column {
            type LowCardinality = LowCardinalityColumn<false, $key>;
        }
    )* };
}

dictionaries! {
    [] StringColumn: Text;
    [const N: usize] FixedStringColumn<N>: FixedText<N>;
    [] UuidColumn: Id;
}

#[diagnostic::do_not_recommend]
impl<N: Newtype, C: Dictionary> Dictionary for NewtypeColumn<N, C> {
    type Key = Wrapped<N, C::Key>;
}
