//! Keys of a map: JSON writes each as a string, whatever its type.

use std::{collections::HashSet, marker::PhantomData};

use serde::{
    de::{self, DeserializeSeed, Deserializer, Visitor, value::StrDeserializer},
    forward_to_deserialize_any,
};

use super::{Stores, json::RAW_TEXT};

/// Up to this many keys are compared one by one.
const FEW: usize = 16;

/// Parses a key into its column, and returns whether it is new.
pub(super) struct KeySeed<'a, T, K> {
    column: &'a mut K,
    seen: &'a mut SeenKeys,
    key: PhantomData<fn(&T)>,
}

impl<'a, T, K> KeySeed<'a, T, K> {
    pub(super) fn new(column: &'a mut K, seen: &'a mut SeenKeys) -> Self {
        Self { column, seen, key: PhantomData }
    }
}

impl<'de, T, K: Stores<T>> DeserializeSeed<'de> for KeySeed<'_, T, K> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<bool, D::Error> {
        input.deserialize_str(self)
    }
}

impl<T, K: Stores<T>> Visitor<'_> for KeySeed<'_, T, K> {
    type Value = bool;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the key of a map")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<bool, E> {
        if !self.seen.insert(text) {
            return Ok(false);
        }
        read_key::<T, K, E>(self.column, text).map(|()| true)
    }
}

/// Appends the key in a text.
pub(super) fn read_key<T, K: Stores<T>, E: de::Error>(column: &mut K, text: &str) -> Result<(), E> {
    column.append_json(Key { text, error: PhantomData })
}

/// A key as its column asks for it: a string, or an integer parsed from it.
struct Key<'a, E> {
    text: &'a str,
    error: PhantomData<fn() -> E>,
}

/// Accepts only the shortest spelling, so that no two keys are the same integer.
fn integer<T: std::str::FromStr + ToString>(text: &str) -> Option<T> {
    text.parse().ok().filter(|number: &T| number.to_string() == text)
}

macro_rules! integers {
    ($($method:ident)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
            if let Some(number) = integer(self.text) {
                visitor.visit_u64(number)
            } else if let Some(number) = integer(self.text) {
                visitor.visit_i64(number)
            } else {
                visitor.visit_str(self.text)
            }
        }
    )* };
}

impl<'de, E: de::Error> Deserializer<'de> for Key<'_, E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_str(self.text)
    }

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, E> {
        if name == RAW_TEXT { visitor.visit_str(self.text) } else { visitor.visit_newtype_struct(self) }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, E> {
        StrDeserializer::new(self.text).deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i128 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The keys of an object so far.
#[derive(Debug, Default)]
pub(super) struct SeenKeys {
    few: Vec<Box<str>>,
    many: HashSet<Box<str>>,
}

impl SeenKeys {
    /// Adds a key; returns whether it is new.
    pub(super) fn insert(&mut self, key: &str) -> bool {
        if self.few.iter().any(|seen| **seen == *key) {
            return false;
        }
        if self.few.len() < FEW {
            self.few.push(key.into());
            return true;
        }
        self.many.insert(key.into())
    }
}
