//! The use of `serde_json` by the record parsers.
//!
//! Its error texts stay in here: they quote the payload and its offsets in ways that are not part of our contract.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Deserializer, error::Category, value::RawValue};

use super::{event::Refused, skip::Skip};
use crate::record::{ErrorCode, FieldError};

/// The first value of a text, and where it ends.
pub(super) fn first_value(text: &str) -> Result<(&str, usize), Refused> {
    let mut values = Deserializer::from_str(text).into_iter::<&RawValue>();
    let value = values.next().and_then(Result::ok).ok_or(Refused)?;
    Ok((value.get(), values.byte_offset()))
}

/// Decodes a string with escapes, given with its quotes.
pub(super) fn unescaped(text: &str) -> Result<String, Refused> {
    serde_json::from_str(text).map_err(|_| Refused)
}

/// Lets `serde_json` parse a text that is one value.
pub(super) fn hand_over<'de, T>(
    text: &'de str,
    read: impl FnOnce(&mut Deserializer<serde_json::de::StrRead<'de>>) -> serde_json::Result<T>,
) -> Result<T, Refused> {
    read(&mut Deserializer::from_str(text)).map_err(|_| Refused)
}

/// Checks that a text is exactly one JSON value, not nested too deeply. A number beyond every float is `OutOfRange`.
pub(in crate::record) fn check(text: &str) -> Result<(), FieldError> {
    let mut reader = Deserializer::from_str(text);
    Skip.deserialize(&mut reader).map_err(|error| unreadable(&error))?;
    reader.end().map_err(|error| match error.classify() {
        Category::Syntax => invalid_json(format!("more than one JSON value, at {}", position(&error))),
        _ => unreadable(&error),
    })
}

/// Converts an error of the parser.
pub(super) fn unreadable(error: &serde_json::Error) -> FieldError {
    // `serde_json` has no error kinds for these two, only messages; a test checks that they stay the same.
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

pub(super) fn invalid_json(message: String) -> FieldError {
    FieldError { pointer: String::new(), code: ErrorCode::InvalidJson, message }
}

/// Calls `then` with name and value of each field of a text that is known to be a JSON object.
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
    // Anything but an object has no fields.
    let _ = Deserializer::from_str(text).deserialize_map(Fields(then));
}

/// Calls `then` with each element of a text that is known to be a JSON array.
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
    // Anything but an array has no elements.
    let _ = Deserializer::from_str(text).deserialize_seq(Elements(then));
}

/// Decodes a text that is known to be a JSON string.
pub(in crate::record) fn string(text: &str) -> Cow<'_, str> {
    serde_json::from_str::<Text<'_>>(text).map_or(Cow::Borrowed(""), |text| text.0)
}

/// A string, borrowed where it has no escapes.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);
