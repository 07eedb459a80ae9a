//! Why a single value does not fit its column, and how that travels through a deserializer's own error type.
//!
//! [`Stores::append_json`](super::Stores::append_json) is generic over the deserializer, so its errors are that
//! deserializer's. Serde's kinds of errors carry our [`ErrorCode`] there: `invalid_type` is a wrong type,
//! `invalid_length` is out of range, `invalid_value` is an invalid value. `into_reader` below is one direction,
//! [`Problem`] the other.

use std::{borrow::Cow, fmt};

use serde::de::{self, Expected, Unexpected};

use super::{ErrorCode, FieldError, json::Place};

/// A value that its column can't hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", message(*.code, .expected))]
#[non_exhaustive]
pub struct ValueError {
    /// The kind of error.
    pub code: ErrorCode,
    /// What the column accepts, such as `an integer from 0 to 255`.
    pub expected: Cow<'static, str>,
    /// JSON pointer to the place inside the value, empty for the value itself.
    pub pointer: String,
}

impl ValueError {
    /// The value has another JSON type than the column accepts.
    pub fn wrong_type(expected: impl Into<Cow<'static, str>>) -> Self {
        Self { code: ErrorCode::WrongType, expected: expected.into(), pointer: String::new() }
    }

    /// The value has the right type, but is out of the column's range.
    pub fn out_of_range(expected: impl Into<Cow<'static, str>>) -> Self {
        Self { code: ErrorCode::OutOfRange, expected: expected.into(), pointer: String::new() }
    }

    /// The value has the right JSON type, but is not a value of the column's type.
    pub fn invalid_value(expected: impl Into<Cow<'static, str>>) -> Self {
        Self { code: ErrorCode::InvalidValue, expected: expected.into(), pointer: String::new() }
    }

    /// Converts it to an error of the deserializer.
    #[cold]
    pub fn into_reader<E: de::Error>(self) -> E {
        let expected = &&*self.expected;
        match self.code {
            ErrorCode::WrongType => E::invalid_type(Unexpected::Other("another type"), expected),
            ErrorCode::OutOfRange => E::invalid_length(0, expected),
            _ => E::invalid_value(Unexpected::Other("another value"), expected),
        }
    }

    /// Prepends a field's name to the pointer, for an error in the value of that field.
    #[cold]
    #[must_use]
    pub fn in_field(mut self, field: &str) -> Self {
        self.pointer.insert_str(0, &Place::Record.field(field).to_string());
        self
    }

    /// Prepends an index to the pointer, for an error in that element.
    #[cold]
    #[must_use]
    pub fn in_element(mut self, index: usize) -> Self {
        self.pointer.insert_str(0, &Place::Record.element(index).to_string());
        self
    }
}

impl From<ValueError> for FieldError {
    fn from(error: ValueError) -> Self {
        Self { message: error.to_string(), pointer: error.pointer, code: error.code }
    }
}

/// The message of an error, without the value.
fn message(code: ErrorCode, expected: &str) -> String {
    match code {
        ErrorCode::WrongType => format!("wrong type: expected {expected}"),
        ErrorCode::OutOfRange => format!("out of range: expected {expected}"),
        _ => format!("invalid value: expected {expected}"),
    }
}

/// The error of the deserializer that explains: a code and our message.
#[derive(Debug)]
pub struct Problem {
    /// The kind of error.
    pub code: ErrorCode,
    /// What is wrong and what is expected, without the value.
    pub message: String,
}

impl Problem {
    /// With this message.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl de::Error for Problem {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::new(ErrorCode::InvalidValue, text.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(ErrorCode::WrongType, format!("expected {expected}, found {}", kind(found)))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(ErrorCode::InvalidValue, message(ErrorCode::InvalidValue, &expected.to_string()))
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::new(ErrorCode::OutOfRange, message(ErrorCode::OutOfRange, &expected.to_string()))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(ErrorCode::MissingField, format!("the field `{field}` is missing"))
    }

    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        Self::new(ErrorCode::UnknownField, "the type has no such field, and takes no others")
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(ErrorCode::DuplicateField, format!("the field `{field}` is there more than once"))
    }
}

/// The kind of what was found, without its value.
fn kind(found: Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "an integer",
        Unexpected::Float(_) => "a number with a fraction or an exponent",
        Unexpected::Char(_) | Unexpected::Str(_) | Unexpected::Bytes(_) => "a string",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "an array",
        Unexpected::Map => "an object",
        _ => "another type",
    }
}
