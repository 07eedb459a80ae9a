//! What records need of `serde_json`: the one file that names it for them.
//!
//! Its error texts stay here. They quote the payload and its offsets in ways that are not our contract.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{self, DeserializeSeed, Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
pub use serde_json::Value;
use serde_json::{Deserializer, error::Category, value::RawValue};

use super::{
    ErrorCode, FieldError, RecordColumns,
    decode::{RecordVisitor, Skip},
    reader::Reader,
};

/// What stands in a request's body.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Body<'a> {
    /// One value that is not an array.
    One(&'a str),
    /// The elements of an array.
    Array(Vec<&'a str>),
    /// Several values one after another: each may be a record, but that is another content type.
    Several,
    /// An array of more elements than are wanted.
    TooMany,
}

/// Takes a body of JSON apart, without looking into the values: each is JSON, and not yet known to be a record. An array
/// is read no further than `max_elements`.
pub fn split(body: &str, max_elements: usize) -> Result<Body<'_>, FieldError> {
    // The common large body, in one pass; what is wrong with any other is found out below.
    if body.trim_ascii_start().starts_with('[') {
        let mut elements = Elements { found: Vec::new(), max: max_elements, too_many: false };
        let mut reader = Deserializer::from_str(body);
        let read = reader.deserialize_seq(&mut elements).and_then(|()| reader.end());
        if elements.too_many {
            return Ok(Body::TooMany);
        }
        if read.is_ok() {
            return Ok(Body::Array(elements.found));
        }
    }
    let mut values = Deserializer::from_str(body).into_iter::<&RawValue>();
    let first = match values.next() {
        Some(first) => first.map_err(|error| unreadable(&error))?,
        None => return Err(invalid_json("there is no JSON value".to_owned())),
    };
    match values.next() {
        Some(Ok(_)) => Ok(Body::Several),
        Some(Err(error)) => Err(unreadable(&error)),
        None => Ok(Body::One(first.get())),
    }
}

/// Gathers the elements of an array, up to a bound.
struct Elements<'de> {
    found: Vec<&'de str>,
    max: usize,
    too_many: bool,
}

impl<'de> Visitor<'de> for &mut Elements<'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element::<&'de RawValue>()? {
            if self.found.len() == self.max {
                self.too_many = true;
                return Err(de::Error::custom("too many elements"));
            }
            self.found.push(element.get());
        }
        Ok(())
    }
}

/// The record was not appended; the columns need truncating.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("not a value of the record's type")
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    /// Nobody reads the words, so none are made.
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }

    fn invalid_type(_: de::Unexpected<'_>, _: &dyn de::Expected) -> Self {
        Self
    }

    fn invalid_value(_: de::Unexpected<'_>, _: &dyn de::Expected) -> Self {
        Self
    }
}

/// Reads a record that must be exactly one JSON value.
#[inline]
pub(super) fn append<R, C: RecordColumns<R>>(columns: &mut C, record: &str) -> Result<(), Refused> {
    let mut reader = Reader::new(record);
    reader.deserialize_map(RecordVisitor::<R, C>::new(columns))?;
    reader.end()
}

/// The first value of a text that begins with one, and where it ends.
pub(super) fn first_value(text: &str) -> Result<(&str, usize), Refused> {
    let mut values = Deserializer::from_str(text).into_iter::<&RawValue>();
    let value = values.next().and_then(Result::ok).ok_or(Refused)?;
    Ok((value.get(), values.byte_offset()))
}

/// What a string with escapes, given with its quotes, stands for.
pub(super) fn unescaped(text: &str) -> Result<String, Refused> {
    serde_json::from_str(text).map_err(|_| Refused)
}

/// Lets `serde_json` read a text that is one value.
pub(super) fn hand_over<'de, T>(
    text: &'de str,
    read: impl FnOnce(&mut Deserializer<serde_json::de::StrRead<'de>>) -> serde_json::Result<T>,
) -> Result<T, Refused> {
    read(&mut Deserializer::from_str(text)).map_err(|_| Refused)
}

/// Reads a text, known to be one JSON value, in a way of one's own.
pub(super) fn read<'de, S: DeserializeSeed<'de>>(text: &'de str, seed: S) -> Result<S::Value, Refused> {
    seed.deserialize(&mut Reader::new(text))
}

/// Whether a text is exactly one JSON value, not nested too deeply. A number beyond every float is `OutOfRange`.
pub(super) fn check(text: &str) -> Result<(), FieldError> {
    let mut reader = Deserializer::from_str(text);
    Skip.deserialize(&mut reader).map_err(|error| unreadable(&error))?;
    reader.end().map_err(|error| match error.classify() {
        Category::Syntax => invalid_json(format!("more than one JSON value, at {}", position(&error))),
        _ => unreadable(&error),
    })
}

/// Our error for the reader's.
fn unreadable(error: &serde_json::Error) -> FieldError {
    // The reader has no kinds for these two; a test holds it to its words.
    let text = error.to_string();
    if text.starts_with("recursion limit exceeded") {
        let message = "nested deeper than 127 levels".to_owned();
        return FieldError { pointer: String::new(), code: ErrorCode::TooDeep, message };
    }
    if text.starts_with("number out of range") {
        let message = "out of range: there is a number that no 64-bit float holds".to_owned();
        return FieldError { pointer: String::new(), code: ErrorCode::OutOfRange, message };
    }
    invalid_json(match error.classify() {
        Category::Eof => format!("not JSON: it ends too early, at {}", position(error)),
        _ => format!("not JSON at {}", position(error)),
    })
}

fn position(error: &serde_json::Error) -> String {
    if error.line() == 1 {
        format!("column {}", error.column())
    } else {
        format!("line {}, column {}", error.line(), error.column())
    }
}

fn invalid_json(message: String) -> FieldError {
    FieldError { pointer: String::new(), code: ErrorCode::InvalidJson, message }
}

/// Shows name and value of each field of a text that is known to be a JSON object.
pub(super) fn for_each_field<'de>(text: &'de str, then: impl FnMut(&str, &'de str)) {
    struct Fields<F>(F);
    impl<'de, F: FnMut(&str, &'de str)> Visitor<'de> for Fields<F> {
        type Value = ();

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
            while let Some((name, value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                (self.0)(&name.0, value.get());
            }
            Ok(())
        }
    }
    // What is not an object has no fields.
    let _ = Deserializer::from_str(text).deserialize_map(Fields(then));
}

/// Shows each element of a text that is known to be a JSON array.
pub(super) fn for_each_element<'de>(text: &'de str, then: impl FnMut(usize, &'de str)) {
    struct Elements<F>(F);
    impl<'de, F: FnMut(usize, &'de str)> Visitor<'de> for Elements<F> {
        type Value = ();

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut sequence: A) -> Result<(), A::Error> {
            let mut index = 0;
            while let Some(element) = sequence.next_element::<&'de RawValue>()? {
                (self.0)(index, element.get());
                index += 1;
            }
            Ok(())
        }
    }
    // What is not an array has no elements.
    let _ = Deserializer::from_str(text).deserialize_seq(Elements(then));
}

/// The string that a text, known to be a JSON string, stands for.
pub(super) fn string(text: &str) -> Cow<'_, str> {
    serde_json::from_str::<Text<'_>>(text).map_or(Cow::Borrowed(""), |text| text.0)
}

/// A string, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The key of a record whose key fields have these names: one string field as it stands, otherwise the JSON array of the
/// values. Spaces, escapes and the order of fields make no difference.
pub(super) fn key(record: &[u8], fields: &[&'static [&'static str]]) -> Vec<u8> {
    let mut values = vec![Value::Null; fields.len()];
    // A record that is not valid has no key that matters: what could be read of it stands.
    let _ = Deserializer::from_slice(record).deserialize_map(KeyVisitor { fields, values: &mut values });
    match values.as_mut_slice() {
        [Value::String(text)] => std::mem::take(text).into_bytes(),
        values => Value::Array(values.iter_mut().map(Value::take).collect()).to_string().into(),
    }
}

struct KeyVisitor<'a> {
    fields: &'a [&'static [&'static str]],
    values: &'a mut [Value],
}

impl<'de> Visitor<'de> for KeyVisitor<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut missing = self.fields.len();
        // A valid record has each field once, so the rest of it can stay unread.
        while missing > 0
            && let Some(name) = map.next_key::<Text<'de>>()?
        {
            let place = self.fields.iter().position(|names| names.contains(&&*name.0));
            if let Some(value) = place.and_then(|place| self.values.get_mut(place)) {
                *value = map.next_value()?;
                missing -= 1;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}
