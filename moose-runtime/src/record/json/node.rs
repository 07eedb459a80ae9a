//! A parsed JSON value that borrows its text, for explaining errors.

use std::borrow::Cow;

use serde::{
    de::{
        self, IntoDeserializer, Unexpected, Visitor,
        value::{MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};

use super::{
    event::{Number, RAW_TEXT},
    serde::{for_each_element, for_each_field, string},
};
use crate::record::error::Problem;

/// A JSON value in a record's text, which is known to be valid JSON.
#[derive(Clone, Copy, Debug)]
pub struct Node<'de> {
    text: &'de str,
}

impl<'de> Node<'de> {
    /// From a text that is known to be one JSON value.
    pub(in crate::record) fn new(text: &'de str) -> Self {
        Self { text }
    }

    /// The text.
    pub(in crate::record) fn text(self) -> &'de str {
        self.text
    }

    /// The number, if it is one.
    pub(in crate::record) fn as_number(self) -> Option<Number> {
        matches!(self.first(), b'-' | b'0'..=b'9').then(|| self.number())
    }

    /// Whether it is `true` or `false`.
    pub fn is_boolean(self) -> bool {
        matches!(self.first(), b't' | b'f')
    }

    /// Whether it is `null`.
    pub fn is_null(self) -> bool {
        self.first() == b'n'
    }

    /// Whether it is an array.
    pub fn is_array(self) -> bool {
        self.first() == b'['
    }

    /// Whether it is an object.
    pub fn is_object(self) -> bool {
        self.first() == b'{'
    }

    /// Calls `then` with name and value of each field of an object, in order; not at all for any other value.
    pub fn for_each_field(self, mut then: impl FnMut(&str, Node<'de>)) {
        for_each_field(self.text, |name, text| then(name, Node { text }));
    }

    /// Calls `then` with the elements of an array, in order; not at all for any other value.
    pub fn for_each_element(self, mut then: impl FnMut(usize, Node<'de>)) {
        for_each_element(self.text, |index, text| then(index, Node { text }));
    }

    fn first(self) -> u8 {
        self.text.bytes().next().unwrap_or(b'n')
    }

    fn number(self) -> Number {
        let minus_zero = self.text == "-0";
        if let Ok(value) = self.text.parse() {
            Number::Unsigned(value)
        } else if let (Ok(value), false) = (self.text.parse(), minus_zero) {
            Number::Signed(value)
        } else {
            Number::Float(self.text.parse().unwrap_or(f64::INFINITY))
        }
    }

    pub(in crate::record) fn unexpected(self) -> Unexpected<'static> {
        match self.first() {
            b'n' => Unexpected::Unit,
            b't' | b'f' => Unexpected::Bool(true),
            b'"' => Unexpected::Str(""),
            b'[' => Unexpected::Seq,
            b'{' => Unexpected::Map,
            _ => match self.number() {
                Number::Unsigned(value) => Unexpected::Unsigned(value),
                Number::Signed(value) => Unexpected::Signed(value),
                Number::Float(value) => Unexpected::Float(value),
            },
        }
    }
}

impl<'de> de::Deserializer<'de> for Node<'de> {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.first() {
            b'n' => visitor.visit_unit(),
            b't' => visitor.visit_bool(true),
            b'f' => visitor.visit_bool(false),
            b'"' => match string(self.text) {
                Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            },
            b'[' => {
                let mut elements = Vec::new();
                self.for_each_element(|_, element| elements.push(element));
                visitor.visit_seq(SeqDeserializer::new(elements.into_iter()))
            }
            b'{' => {
                let mut fields = Vec::new();
                for_each_field(self.text, |name, text| fields.push((name.to_owned(), Node { text })));
                visitor.visit_map(MapDeserializer::new(fields.into_iter()))
            }
            _ => match self.number() {
                Number::Unsigned(value) => visitor.visit_u64(value),
                Number::Signed(value) => visitor.visit_i64(value),
                Number::Float(value) => visitor.visit_f64(value),
            },
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Problem> {
        if name == RAW_TEXT { visitor.visit_borrowed_str(self.text) } else { visitor.visit_newtype_struct(self) }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        if self.first() == b'"' {
            let label: de::value::StringDeserializer<Problem> = string(self.text).into_owned().into_deserializer();
            return de::Deserializer::deserialize_enum(label, name, variants, visitor);
        }
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Problem> for Node<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
