//! Splits the JSON body of a request into records.

use std::fmt;

use serde::de::{self, Deserializer as _, SeqAccess, Visitor};
use serde_json::{Deserializer, value::RawValue};

use super::serde::{invalid_json, unreadable};
use crate::record::FieldError;

/// The content of a request's body.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Body<'a> {
    /// One value that is not an array.
    One(&'a str),
    /// The elements of an array.
    Array(Vec<&'a str>),
    /// Several values in sequence: each may be a record, but that is another content type.
    Several,
    /// An array with more elements than the limit.
    TooMany,
}

/// Splits a JSON body without looking into the values: each is valid JSON, but need not be a record. An array is read
/// no further than `max_elements`.
pub fn split(body: &str, max_elements: usize) -> Result<Body<'_>, FieldError> {
    // A large array, the common case, in one pass; the errors of anything else are found below.
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

/// Collects the elements of an array, up to a limit.
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
