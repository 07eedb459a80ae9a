//! The fast JSON parser for records: tokens, or an error without details if the text is not JSON.
//!
//! It accepts what `serde_json` accepts and gives the same values, float for float; a test compares the two. It exists
//! because a record is parsed twice, at the front door and on the way to the table, and this file is most of that cost.
//! What is rare (escapes, raw text, what user-defined types may ask for) is left to `serde_json`. The reason for a
//! rejection is found elsewhere, by [`explain`](crate::record::explain).

use std::borrow::Cow;

use serde::de::Visitor;

use super::{
    event::{Number, Refused},
    serde::{first_value, unescaped},
};

/// Maximum nesting depth of arrays and objects, plus one.
const DEPTH: u8 = 128;

/// A position in a text.
#[derive(Debug)]
pub(in crate::record) struct Reader<'de> {
    text: &'de str,
    at: usize,
    depth: u8,
}

pub(super) type Read<T> = Result<T, Refused>;

impl<'de> Reader<'de> {
    /// At the start of a text.
    #[inline]
    pub(in crate::record) fn new(text: &'de str) -> Self {
        Self { text, at: 0, depth: DEPTH }
    }

    /// Checks that only whitespace follows.
    #[inline]
    pub(in crate::record) fn end(mut self) -> Read<()> {
        if self.next_token().is_none() { Ok(()) } else { Err(Refused) }
    }

    #[inline]
    fn rest(&self) -> &'de [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte after whitespace, not yet consumed.
    #[inline]
    pub(super) fn next_token(&mut self) -> Option<u8> {
        loop {
            match self.peek() {
                Some(b' ' | b'\n' | b'\t' | b'\r') => self.at += 1,
                byte => return byte,
            }
        }
    }

    /// Consumes this byte after whitespace.
    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> Read<()> {
        if self.next_token() != Some(byte) {
            return Err(Refused);
        }
        self.at += 1;
        Ok(())
    }

    #[inline]
    pub(super) fn take_word(&mut self, word: &str) -> Read<()> {
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(Refused);
        }
        self.at += word.len();
        Ok(())
    }

    /// The text from `start` to the current position.
    #[inline]
    fn since(&self, start: usize) -> Read<&'de str> {
        self.text.get(start..self.at).ok_or(Refused)
    }

    /// A string, without its quotes.
    #[inline]
    pub(super) fn string(&mut self) -> Read<Cow<'de, str>> {
        self.take(b'"')?;
        let start = self.at;
        self.at += plain_length(self.rest());
        match self.peek() {
            Some(b'"') => {
                let text = self.since(start)?;
                self.at += 1;
                Ok(Cow::Borrowed(text))
            }
            Some(b'\\') => self.escaped(start),
            _ => Err(Refused),
        }
    }

    /// A string with escapes, whose first byte is at `start`.
    #[cold]
    fn escaped(&mut self, start: usize) -> Read<Cow<'de, str>> {
        loop {
            self.at += plain_length(self.rest());
            match self.peek() {
                Some(b'\\') => self.at += 2,
                Some(b'"') => break,
                _ => return Err(Refused),
            }
        }
        self.at += 1;
        unescaped(self.since(start - 1)?).map(Cow::Owned)
    }

    /// A number. `single` asks for a float of 32 bits, so that it is rounded only once.
    #[inline]
    fn number(&mut self, single: bool) -> Read<Number> {
        let start = self.at;
        let negative = self.peek() == Some(b'-');
        self.at += usize::from(negative);
        let digits = self.at;
        let (mut value, mut fits) = (0_u64, true);
        while let Some(digit) = self.digit() {
            (value, fits) = match value.checked_mul(10).and_then(|value| value.checked_add(digit)) {
                Some(value) => (value, fits),
                None => (value, false),
            };
        }
        let count = self.at - digits;
        if count == 0 || (count > 1 && self.text.as_bytes().get(digits) == Some(&b'0')) {
            return Err(Refused);
        }
        if matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            self.fraction_and_exponent()?;
        } else if fits && !negative {
            return Ok(Number::Unsigned(value));
        } else if let (true, Some(value @ ..0)) = (fits, 0_i64.checked_sub_unsigned(value)) {
            return Ok(Number::Signed(value));
        }
        let text = self.since(start)?;
        let value = if single { text.parse().map(f32::into) } else { text.parse::<f64>() };
        value.ok().filter(|value| value.is_finite()).map(Number::Float).ok_or(Refused)
    }

    #[inline]
    fn digit(&mut self) -> Option<u64> {
        let digit = self.peek()?.wrapping_sub(b'0');
        (digit <= 9).then(|| {
            self.at += 1;
            u64::from(digit)
        })
    }

    fn fraction_and_exponent(&mut self) -> Read<()> {
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.some_digits()?;
        }
        Ok(())
    }

    fn some_digits(&mut self) -> Read<()> {
        self.digit().ok_or(Refused)?;
        while self.digit().is_some() {}
        Ok(())
    }

    #[inline]
    pub(super) fn visit_number<V: Visitor<'de>>(&mut self, single: bool, visitor: V) -> Read<V::Value> {
        if !matches!(self.next_token(), Some(b'-' | b'0'..=b'9')) {
            return Err(Refused);
        }
        match self.number(single)? {
            Number::Unsigned(value) => visitor.visit_u64(value),
            Number::Signed(value) => visitor.visit_i64(value),
            Number::Float(value) => visitor.visit_f64(value),
        }
    }

    /// The raw text of the next value.
    pub(super) fn raw(&mut self) -> Read<&'de str> {
        self.next_token();
        let (value, length) = first_value(self.text.get(self.at..).ok_or(Refused)?)?;
        self.at += length;
        Ok(value)
    }

    /// The content between a pair of brackets.
    #[inline]
    pub(super) fn nested<T>(&mut self, close: u8, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        self.at += 1;
        self.depth = self.depth.checked_sub(1).filter(|depth| *depth > 0).ok_or(Refused)?;
        let value = read(self)?;
        self.depth += 1;
        self.take(close)?;
        Ok(value)
    }

    /// Advances to the next element or field, if there is one before `close`.
    #[inline]
    pub(super) fn step(&mut self, first: &mut bool, close: u8) -> Read<bool> {
        let is_first = std::mem::take(first);
        match self.next_token() {
            Some(byte) if byte == close => return Ok(false),
            Some(b',') if !is_first => self.at += 1,
            Some(_) if is_first => return Ok(true),
            _ => return Err(Refused),
        }
        // No trailing comma.
        if self.next_token() == Some(close) { Err(Refused) } else { Ok(true) }
    }
}

/// Number of bytes in a string before its end, an escape, or an invalid character.
#[inline]
fn plain_length(text: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const TOPS: u64 = ONES * 0x80;
    const QUOTES: u64 = ONES * 0x22;
    const ESCAPES: u64 = ONES * 0x5c;
    const SPACES: u64 = ONES * 0x20;
    let (words, rest) = text.as_chunks::<8>();
    let mut length = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let (quote, escape) = (word ^ QUOTES, word ^ ESCAPES);
        // The top bit of each byte that is zero, or below a space; bits above the lowest such byte may be wrong.
        let (quote, escape) = (quote.wrapping_sub(ONES) & !quote, escape.wrapping_sub(ONES) & !escape);
        let found = quote | escape | (word.wrapping_sub(SPACES) & !word);
        if found & TOPS != 0 {
            return length + (found & TOPS).trailing_zeros() as usize / 8;
        }
        length += 8;
    }
    length + rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | ..b' ')).count()
}
