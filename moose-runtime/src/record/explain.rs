//! Why a record was refused: everything that is wrong with it, each with its JSON pointer.
//!
//! This is the slow way, taken only after the columns have refused a record. It reads the text again, field by field and
//! element by element, through the same [`Stores::append_json`](super::Stores::append_json) as the fast way, into columns
//! that are thrown away. So both ways agree on what is valid.

use std::fmt;

use serde::{
    de::{
        self, IntoDeserializer, Unexpected, Visitor,
        value::{MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};

use super::{ErrorCode, FieldError, RecordColumns, decode::Seen, digits::RAW_TEXT, error::Problem, json};

/// A record with more mistakes than this is told the first of them.
const MOST_ERRORS: usize = 100;

/// Everything wrong with a record that was refused; never empty.
pub(super) fn explain<R, C: RecordColumns<R>>(record: &[u8]) -> Vec<FieldError> {
    let mut findings = Findings::default();
    match std::str::from_utf8(record) {
        Ok(text) => explain_text::<R, C>(text, &mut findings),
        Err(error) => findings.push(
            &Place::Record,
            Problem::new(ErrorCode::InvalidUtf8, format!("not UTF-8 at byte {}", error.valid_up_to())),
        ),
    }
    if findings.errors.is_empty() {
        findings.push(&Place::Record, Problem::new(ErrorCode::InvalidValue, "not a value of the record's type"));
    }
    findings.errors
}

fn explain_text<R, C: RecordColumns<R>>(record: &str, findings: &mut Findings) {
    let out_of_range = match json::check(record) {
        Ok(()) => None,
        Err(error) if error.code == ErrorCode::OutOfRange => Some(error),
        Err(error) => {
            findings.push(&Place::Record, Problem::new(error.code, error.message));
            return;
        }
    };
    explain_fields::<R, C>(Node { text: record.trim_ascii() }, &Place::Record, findings);
    // A number that no reader can hold, in a field that nobody asked for.
    if let (Some(error), true) = (out_of_range, findings.errors.is_empty()) {
        findings.push(&Place::Record, Problem::new(error.code, error.message));
    }
}

/// Everything wrong with an object that gives the fields of a struct.
pub(super) fn explain_fields<R, C: RecordColumns<R>>(object: Node<'_>, place: &Place<'_>, findings: &mut Findings) {
    if !object.is_object() {
        findings.push_wrong_type(place, "an object", object);
        return;
    }
    let mut seen = Seen::default();
    object.for_each_field(|name, value| {
        if findings.is_full() {
            return;
        }
        let place = place.field(name);
        match C::field(name).and_then(|place| Some((place, C::FIELDS.get(place)?))) {
            Some((number, field)) if seen.insert(number) => (field.explain)(value, &place, findings),
            Some((_, field)) => findings.push(&place, de::Error::duplicate_field(field.name())),
            None if C::DENY_UNKNOWN_FIELDS => findings.push(&place, de::Error::unknown_field(name, &[])),
            None => {}
        }
    });
    for (_, field) in C::FIELDS.iter().enumerate().filter(|(number, _)| !seen.contains(*number)) {
        if let Err(problem) = (field.missing)(field.name()) {
            findings.push(&place.field(field.name()), problem);
        }
    }
}

/// What is wrong with a record, as far as it is known.
#[derive(Debug, Default)]
pub struct Findings {
    errors: Vec<FieldError>,
}

impl Findings {
    /// Whether there are so many that further ones are dropped.
    pub fn is_full(&self) -> bool {
        self.errors.len() >= MOST_ERRORS
    }

    /// Adds that a value is not of the JSON type that is expected.
    pub fn push_wrong_type(&mut self, place: &Place<'_>, expected: &str, found: Node<'_>) {
        self.push(place, de::Error::invalid_type(found.unexpected(), &expected));
    }

    /// Adds what is wrong at a place.
    pub fn push(&mut self, place: &Place<'_>, problem: Problem) {
        if !self.is_full() {
            let Problem { code, message } = problem;
            self.errors.push(FieldError { pointer: place.to_string(), code, message });
        }
    }
}

impl Findings {
    /// What was found.
    pub(super) fn into_errors(self) -> Vec<FieldError> {
        self.errors
    }
}

/// A place in a record. Its text is the JSON pointer.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// The record itself.
    Record,
    /// A field of an object.
    Field(&'a Place<'a>, &'a str),
    /// An element of an array.
    Element(&'a Place<'a>, usize),
}

impl<'a> Place<'a> {
    /// A field of the object at this place.
    #[must_use]
    pub fn field(&'a self, name: &'a str) -> Self {
        Self::Field(self, name)
    }

    /// An element of the array at this place.
    #[must_use]
    pub fn element(&'a self, index: usize) -> Self {
        Self::Element(self, index)
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record => Ok(()),
            Self::Field(parent, name) => write!(formatter, "{parent}/{}", name.replace('~', "~0").replace('/', "~1")),
            Self::Element(parent, index) => write!(formatter, "{parent}/{index}"),
        }
    }
}

/// A JSON value as it stands in a record's text, which is known to be JSON.
#[derive(Clone, Copy, Debug)]
pub struct Node<'de> {
    text: &'de str,
}

impl<'de> Node<'de> {
    /// Of a text that is known to be one JSON value.
    pub(super) fn new(text: &'de str) -> Self {
        Self { text }
    }

    /// The text.
    pub(super) fn text(self) -> &'de str {
        self.text
    }

    /// The number that it is.
    pub(super) fn as_number(self) -> Option<Number> {
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

    /// Shows name and value of each field of an object in order, and nothing of any other value.
    pub fn for_each_field(self, mut then: impl FnMut(&str, Node<'de>)) {
        json::for_each_field(self.text, |name, text| then(name, Node { text }));
    }

    /// Shows the elements of an array in order, and nothing of any other value.
    pub fn for_each_element(self, mut then: impl FnMut(usize, Node<'de>)) {
        json::for_each_element(self.text, |index, text| then(index, Node { text }));
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

    pub(super) fn unexpected(self) -> Unexpected<'static> {
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

/// A number of JSON as the reader gives it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

impl<'de> de::Deserializer<'de> for Node<'de> {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.first() {
            b'n' => visitor.visit_unit(),
            b't' => visitor.visit_bool(true),
            b'f' => visitor.visit_bool(false),
            b'"' => match json::string(self.text) {
                std::borrow::Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                std::borrow::Cow::Owned(text) => visitor.visit_string(text),
            },
            b'[' => {
                let mut elements = Vec::new();
                self.for_each_element(|_, element| elements.push(element));
                visitor.visit_seq(SeqDeserializer::new(elements.into_iter()))
            }
            b'{' => {
                let mut fields = Vec::new();
                json::for_each_field(self.text, |name, text| fields.push((name.to_owned(), Node { text })));
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
            let label: de::value::StringDeserializer<Problem> =
                json::string(self.text).into_owned().into_deserializer();
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
