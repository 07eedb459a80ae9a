//! What the JSON parsers produce: numbers, raw text, and an error without details (`Refused`).

use std::fmt;

use serde::de;

/// Requesting a newtype struct of this name gives the raw text of a value.
pub(in crate::record) const RAW_TEXT: &str = "moose::RawText";

/// A JSON number as parsed.
#[derive(Clone, Copy, Debug)]
pub(in crate::record) enum Number {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

/// The error without details: the record was not appended, and the columns need truncating.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::record) struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("not a value of the record's type")
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    /// Nobody reads the message, so none is built.
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
