//! Appends a parsed record directly to the columns, with no value of the struct in between.
//!
//! After an error the columns differ in length, and the caller truncates them. A field may be present once, whether
//! under its name or an alias; that is checked before anything is appended.

use std::{fmt, marker::PhantomData};

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, Visitor};

use super::{
    Column, ColumnVisitor, ColumnVisitorMut, Field, RecordColumns, Stores,
    json::{Reader, Refused, Skip},
};

/// Parses one value into a column.
#[derive(Debug)]
pub struct Seed<'a, T: ?Sized, C> {
    column: &'a mut C,
    value: PhantomData<fn(&T)>,
}

impl<'a, T: ?Sized, C> Seed<'a, T, C> {
    /// Into this column.
    #[inline]
    pub fn new(column: &'a mut C) -> Self {
        Self { column, value: PhantomData }
    }
}

impl<'de, T: ?Sized, C: Stores<T>> DeserializeSeed<'de> for Seed<'_, T, C> {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        self.column.append_json(input)
    }
}

/// Parses a record that must be exactly one JSON value.
#[inline]
pub(super) fn append<R, C: RecordColumns<R>>(columns: &mut C, record: &str) -> Result<(), Refused> {
    let mut reader = Reader::new(record);
    reader.deserialize_map(RecordVisitor::<R, C>::new(columns))?;
    reader.end()
}

/// Parses one record into its columns.
pub(super) struct RecordVisitor<'a, R, C> {
    columns: &'a mut C,
    record: PhantomData<fn(&R)>,
}

impl<'a, R, C> RecordVisitor<'a, R, C> {
    pub(super) fn new(columns: &'a mut C) -> Self {
        Self { columns, record: PhantomData }
    }
}

impl<'de, R, C: RecordColumns<R>> Visitor<'de> for RecordVisitor<'_, R, C> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = Seen::default();
        // Most records have their fields in declaration order.
        let mut next = 0;
        while let Some(field) = map.next_key_seed(KeySeed::<R, C>::expecting(next))? {
            let Some(field) = field else {
                map.next_value_seed(Skip)?;
                continue;
            };
            next = field + 1;
            if !seen.insert(field) {
                return Err(de::Error::duplicate_field(name::<R, C>(field)));
            }
            self.columns.append_field(field, &mut map)?;
        }
        if seen.count != C::FIELDS.len() {
            for field in (0..C::FIELDS.len()).filter(|field| !seen.contains(*field)) {
                self.columns.append_missing(field)?;
            }
        }
        Ok(())
    }
}

fn name<R, C: RecordColumns<R>>(field: usize) -> &'static str {
    C::FIELDS.get(field).map_or("", Field::name)
}

/// The fields that a record has given.
#[derive(Default)]
pub(super) struct Seen {
    /// The first 64, without allocation.
    first: u64,
    rest: Vec<bool>,
    count: usize,
}

impl Seen {
    /// Adds a field; returns whether it is new.
    #[inline]
    pub(super) fn insert(&mut self, field: usize) -> bool {
        let new = !self.contains(field);
        if field < 64 {
            self.first |= 1 << field;
        } else {
            self.insert_far(field - 64);
        }
        self.count += usize::from(new);
        new
    }

    #[cold]
    fn insert_far(&mut self, field: usize) {
        if self.rest.len() <= field {
            self.rest.resize(field + 1, false);
        }
        if let Some(seen) = self.rest.get_mut(field) {
            *seen = true;
        }
    }

    /// Whether the field was added.
    #[inline]
    pub(super) fn contains(&self, field: usize) -> bool {
        if field < 64 { self.first & (1 << field) != 0 } else { self.rest.get(field - 64).is_some_and(|seen| *seen) }
    }
}

/// Parses a key as the index of a field, or as unknown.
struct KeySeed<R, C> {
    /// The field to compare first: otherwise finding a name takes one comparison per field.
    expected: usize,
    record: PhantomData<fn(&R, &C)>,
}

impl<R, C> KeySeed<R, C> {
    #[inline]
    fn expecting(expected: usize) -> Self {
        Self { expected, record: PhantomData }
    }
}

impl<'de, R, C: RecordColumns<R>> DeserializeSeed<'de> for KeySeed<R, C> {
    type Value = Option<usize>;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_identifier(self)
    }
}

impl<R, C: RecordColumns<R>> Visitor<'_> for KeySeed<R, C> {
    type Value = Option<usize>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name of a field")
    }

    #[inline]
    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        if C::FIELDS.get(self.expected).is_some_and(|field| field.name() == name) {
            return Ok(Some(self.expected));
        }
        let field = C::field(name);
        if C::DENY_UNKNOWN_FIELDS && field.is_none() {
            return Err(E::unknown_field("", &[]));
        }
        Ok(field)
    }
}

/// Number of rows in a record's columns, which are level between records.
#[inline]
pub(super) fn rows<R, C: RecordColumns<R>>(columns: &C) -> usize {
    struct First(Option<usize>);
    impl ColumnVisitor for First {
        #[inline]
        fn column<C: Column>(&mut self, column: &C) {
            self.0.get_or_insert_with(|| column.rows());
        }
    }
    let mut first = First(None);
    columns.visit(&mut first);
    first.0.unwrap_or(0)
}

/// Whether every column has exactly that many rows.
#[inline]
pub(super) fn are_level<R, C: RecordColumns<R>>(columns: &C, rows: usize) -> bool {
    struct Level {
        rows: usize,
        level: bool,
    }
    impl ColumnVisitor for Level {
        #[inline]
        fn column<C: Column>(&mut self, column: &C) {
            self.level &= column.rows() == self.rows;
        }
    }
    let mut level = Level { rows, level: true };
    columns.visit(&mut level);
    level.level
}

/// Size of the columns once written.
#[inline]
pub(super) fn byte_size<R, C: RecordColumns<R>>(columns: &C) -> usize {
    struct Sum(usize);
    impl ColumnVisitor for Sum {
        #[inline]
        fn column<C: Column>(&mut self, column: &C) {
            self.0 += column.byte_size();
        }
    }
    let mut sum = Sum(0);
    columns.visit(&mut sum);
    sum.0
}

/// Truncates every column to the first `rows`.
pub(super) fn truncate<R, C: RecordColumns<R>>(columns: &mut C, rows: usize) {
    struct Truncate(usize);
    impl ColumnVisitorMut for Truncate {
        fn column<C: Column>(&mut self, column: &mut C) {
            column.truncate(self.0);
        }
    }
    columns.visit_mut(&mut Truncate(rows));
}
