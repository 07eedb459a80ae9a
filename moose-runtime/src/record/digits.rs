//! Parses numbers digit by digit as written in JSON, as a number or in a string, without a float in between.

use std::{borrow::Cow, fmt};

use serde::de::{self, Deserializer, Unexpected, Visitor};

use super::{
    ValueError,
    json::{self, RAW_TEXT},
    wide::UInt256,
};

/// Passes the text of a JSON value to a function.
pub(super) fn with_text<'de, T, D: Deserializer<'de>>(
    input: D,
    then: impl FnOnce(&str) -> Result<T, RawError>,
) -> Result<T, D::Error> {
    struct Text<F>(F);

    impl<T, F: FnOnce(&str) -> Result<T, RawError>> Visitor<'_> for Text<F> {
        type Value = T;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a value of JSON")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            (self.0)(text).map_err(RawError::into_reader)
        }
    }

    input.deserialize_newtype_struct(RAW_TEXT, Text(then))
}

/// Why a column rejects the text of a JSON value.
#[derive(Debug)]
pub(super) enum RawError {
    /// The value is of this type, but the column expects another.
    WrongType(Unexpected<'static>, &'static str),
    /// The value does not fit.
    Value(ValueError),
}

impl RawError {
    #[cold]
    pub(super) fn into_reader<E: de::Error>(self) -> E {
        match self {
            Self::WrongType(found, expected) => E::invalid_type(found, &expected),
            Self::Value(error) => error.into_reader(),
        }
    }
}

impl From<ValueError> for RawError {
    fn from(error: ValueError) -> Self {
        Self::Value(error)
    }
}

/// Parses the number in a JSON value: a number, or a string of one.
pub(super) fn number(text: &str, expected: &'static str) -> Result<Digits, RawError> {
    let text = if text.starts_with('"') { json::string(text) } else { Cow::Borrowed(text) };
    let first = text.bytes().next().unwrap_or(b' ');
    match first {
        b'-' | b'0'..=b'9' => Digits::parse(&text).ok_or_else(|| ValueError::invalid_value(expected).into()),
        b'{' => Err(RawError::WrongType(Unexpected::Map, expected)),
        b'[' => Err(RawError::WrongType(Unexpected::Seq, expected)),
        b't' | b'f' => Err(RawError::WrongType(Unexpected::Bool(true), expected)),
        b'n' => Err(RawError::WrongType(Unexpected::Unit, expected)),
        _ => Err(ValueError::invalid_value(expected).into()),
    }
}

/// A decimal number: sign, digits without trailing zeros, and a power of ten as the factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Digits {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
    /// Whether there is a point or an exponent.
    fraction: bool,
}

/// Why a number can't be a scaled integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It has digits beyond the scale.
    TooFine,
    /// It is too large.
    TooLarge,
}

impl Digits {
    /// Parses by the grammar of JSON's numbers.
    fn parse(text: &str) -> Option<Self> {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(place) => (text.get(..place)?, Some(text.get(place + 1..)?)),
            None => (text, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_whole = are_digits(whole) && (whole == "0" || !whole.starts_with('0'));
        if !is_whole || fraction.is_some_and(|fraction| !are_digits(fraction)) {
            return None;
        }
        let power = match exponent {
            Some(text) => {
                let (sign, digits) = match text.as_bytes().first()? {
                    b'-' => (-1, text.get(1..)?),
                    b'+' => (1, text.get(1..)?),
                    _ => (1, text),
                };
                if !are_digits(digits) {
                    return None;
                }
                // A larger exponent is out of every range, in both directions.
                sign * digits.parse().unwrap_or(i64::from(u32::MAX)).min(i64::from(u32::MAX))
            }
            None => 0,
        };
        let mut digits: Vec<u8> =
            whole.bytes().chain(fraction.unwrap_or_default().bytes()).map(|byte| byte - b'0').collect();
        let mut exponent_of_last = power - i64::try_from(fraction.map_or(0, str::len)).ok()?;
        while digits.last() == Some(&0) {
            digits.pop();
            exponent_of_last += 1;
        }
        let fraction = fraction.is_some() || exponent.is_some();
        Some(Self { negative, digits, exponent: exponent_of_last, fraction })
    }

    /// Whether the number is written with a point or an exponent.
    pub(super) fn has_fraction(&self) -> bool {
        self.fraction
    }

    /// Whether the number is a negative zero.
    pub(super) fn is_minus_zero(&self) -> bool {
        self.negative && self.digits.is_empty()
    }

    /// The sign of the number, and its magnitude times `10^scale`.
    pub(super) fn scaled(&self, scale: u8) -> Result<(bool, UInt256), Unfit> {
        if self.digits.is_empty() {
            return Ok((false, UInt256::ZERO));
        }
        let zeros = u32::try_from(self.exponent + i64::from(scale))
            .map_err(|_| if self.exponent < 0 { Unfit::TooFine } else { Unfit::TooLarge })?;
        let mut magnitude = UInt256::ZERO;
        for digit in &self.digits {
            magnitude = magnitude.times_plus(10, u64::from(*digit)).ok_or(Unfit::TooLarge)?;
        }
        for _ in 0..zeros {
            magnitude = magnitude.times_plus(10, 0).ok_or(Unfit::TooLarge)?;
        }
        Ok((self.negative, magnitude))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(text: &str, scale: u8) -> Result<String, Unfit> {
        let (negative, magnitude) = Digits::parse(text).unwrap().scaled(scale)?;
        Ok(format!("{}{magnitude}", if negative { "-" } else { "" }))
    }

    #[test]
    fn numbers_are_scaled_without_rounding() {
        for (text, scale, expected) in [
            ("0", 5, "0"),
            ("-0.000", 0, "0"),
            ("-12.34", 2, "-1234"),
            ("12.3400", 2, "1234"),
            ("12", 2, "1200"),
            ("1e3", 0, "1000"),
            ("1.5E+2", 1, "1500"),
            ("1500e-2", 0, "15"),
            ("0.1", 1, "1"),
        ] {
            assert_eq!(scaled(text, scale).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(scaled("12.345", 2), Err(Unfit::TooFine));
        assert_eq!(scaled("1e-400", 76), Err(Unfit::TooFine));
        assert_eq!(scaled("1e400", 0), Err(Unfit::TooLarge));
        assert_eq!(scaled("1e99999999999999999999", 0), Err(Unfit::TooLarge));
        assert_eq!(scaled("1e-99999999999999999999", 0), Err(Unfit::TooFine));
        assert_eq!(scaled(&"9".repeat(100), 0), Err(Unfit::TooLarge));
        let most = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
        assert_eq!(scaled(most, 0).as_deref(), Ok(most));
        assert_eq!(scaled(&most.replace("9935", "9936"), 0), Err(Unfit::TooLarge));
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "-", "01", "1.", ".5", "1e", "1e+", "+1", "1_000", "0x10", " 1", "1 ", "NaN", "--1", "1.2.3"] {
            assert_eq!(Digits::parse(text), None, "{text}");
        }
    }
}
