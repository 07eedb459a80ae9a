//! Splits a ClickHouse expression into tokens at compile time.
#![expect(clippy::indexing_slicing, reason = "const code has no iterators, and an index past the end fails to compile")]

use super::text::equal_bytes;
use crate::schema::lexer::{Lexer, TokenKind};

/// A token of an expression.
#[derive(Clone, Copy)]
pub(super) enum Token<'a> {
    /// A bare word.
    Word(&'a [u8]),
    /// A name quoted by backticks or double quotes.
    Name(&'a [u8]),
    /// `'…'`
    Text,
    Number,
    /// `->`
    Arrow,
    /// `::`
    DoubleColon,
    /// Any other sign.
    Sign(u8),
    /// A quote that is not closed.
    Broken,
    /// A comment: ClickHouse would not read what follows.
    Comment,
    /// A character that ClickHouse's language does not have.
    Unknown,
    /// The end.
    End,
}

/// Reads an expression token by token.
#[derive(Clone, Copy)]
pub(super) struct Tokens<'a> {
    text: &'a [u8],
    lexer: Lexer<'a>,
}

impl<'a> Tokens<'a> {
    pub(super) const fn of(expression: &'a str) -> Self {
        Self { text: expression.as_bytes(), lexer: Lexer::new(expression) }
    }

    /// The next token. A name with an escaped quote is kept as written, and then found to be no column's.
    pub(super) const fn next(&mut self) -> Token<'a> {
        loop {
            let Some(token) = self.lexer.next() else { return Token::End };
            let text = self.text.split_at(token.end).0.split_at(token.start).1;
            return match token.kind {
                TokenKind::Blank => continue,
                TokenKind::Comment => Token::Comment,
                TokenKind::Unended if text[0] == b'/' => Token::Comment,
                TokenKind::Unended => Token::Broken,
                TokenKind::Unknown => Token::Unknown,
                TokenKind::Word => Token::Word(text),
                TokenKind::Number => Token::Number,
                TokenKind::Text => Token::Text,
                TokenKind::Name => {
                    // A typographic quote has three bytes.
                    let quote = if text[0] < 0x80 { 1 } else { 3 };
                    Token::Name(text.split_at(text.len() - quote).0.split_at(quote).1)
                }
                TokenKind::Sign => match text {
                    b"->" => Token::Arrow,
                    b"::" => Token::DoubleColon,
                    _ => Token::Sign(text[0]),
                },
            };
        }
    }

    /// The token after the next one, without consuming it.
    pub(super) const fn following(&self) -> Token<'a> {
        let mut ahead = *self;
        ahead.next()
    }

    /// Skips a type: a word, and its parameters in parentheses.
    pub(super) const fn skip_type(&mut self) {
        self.next();
        if !self.following().is(b'(') {
            return;
        }
        let mut depth = 0_usize;
        loop {
            match self.next() {
                Token::Sign(b'(') => depth += 1,
                Token::Sign(b')') if depth <= 1 => return,
                Token::Sign(b')') => depth -= 1,
                Token::End | Token::Broken | Token::Comment | Token::Unknown => return,
                _ => {}
            }
        }
    }
}

impl Token<'_> {
    /// Whether it is this sign.
    pub(super) const fn is(&self, sign: u8) -> bool {
        matches!(self, Self::Sign(byte) if *byte == sign)
    }

    /// Whether it is this word, in any case.
    pub(super) const fn is_keyword(&self, keyword: &str) -> bool {
        match self {
            Self::Word(word) => word.eq_ignore_ascii_case(keyword.as_bytes()),
            _ => false,
        }
    }

    /// Whether a value can end with it, so that a keyword may follow.
    pub(super) const fn ends_value(&self) -> bool {
        matches!(self, Self::Word(_) | Self::Name(_) | Self::Text | Self::Number | Self::Sign(b')' | b']'))
    }

    /// Whether it can name something, and is that name.
    pub(super) const fn names(&self, name: &[u8]) -> bool {
        match self {
            Self::Word(word) | Self::Name(word) => equal_bytes(word, name),
            _ => false,
        }
    }
}
