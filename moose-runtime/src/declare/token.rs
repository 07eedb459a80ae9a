//! ClickHouse expressions as tokens, read by the compiler: just enough to tell the names of columns from all else.
#![expect(clippy::indexing_slicing, reason = "const code has no iterators, and an index past the end fails to compile")]

use super::check;

/// A piece of an expression.
#[derive(Clone, Copy)]
pub(super) enum Token<'a> {
    /// A bare word.
    Word(&'a [u8]),
    /// What stands between backticks or double quotes.
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
    /// A quote without its end.
    Broken,
    /// `--`, `#` or `/*`: ClickHouse would not read what follows.
    Comment,
    /// Nothing more.
    End,
}

/// Reads an expression, one token after another.
#[derive(Clone, Copy)]
pub(super) struct Tokens<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(super) const fn of(expression: &'a str) -> Self {
        Self { text: expression.as_bytes(), at: 0 }
    }

    const fn peek(&self, ahead: usize) -> u8 {
        if self.at + ahead < self.text.len() { self.text[self.at + ahead] } else { 0 }
    }

    pub(super) const fn next(&mut self) -> Token<'a> {
        while self.at < self.text.len() && self.text[self.at].is_ascii_whitespace() {
            self.at += 1;
        }
        if self.at >= self.text.len() {
            return Token::End;
        }
        let byte = self.text[self.at];
        match (byte, self.peek(1)) {
            (b'-', b'-') | (b'/', b'*') | (b'#', _) => Token::Comment,
            (b'-', b'>') => self.sign(2, Token::Arrow),
            (b':', b':') => self.sign(2, Token::DoubleColon),
            (b'\'' | b'`' | b'"', _) => self.quoted(byte),
            (b'0'..=b'9', _) => {
                self.word();
                Token::Number
            }
            _ if is_word(byte) => Token::Word(self.word()),
            _ => self.sign(1, Token::Sign(byte)),
        }
    }

    const fn sign(&mut self, length: usize, token: Token<'a>) -> Token<'a> {
        self.at += length;
        token
    }

    const fn word(&mut self) -> &'a [u8] {
        let start = self.at;
        while self.at < self.text.len() && is_word(self.text[self.at]) {
            self.at += 1;
        }
        self.text.split_at(self.at).0.split_at(start).1
    }

    /// A name with an escaped quote in it is kept as it is written, and then found to be no column's.
    const fn quoted(&mut self, quote: u8) -> Token<'a> {
        let start = self.at + 1;
        self.at = start;
        while self.at < self.text.len() {
            let byte = self.text[self.at];
            if byte == b'\\' {
                self.at += 2;
                continue;
            }
            self.at += 1;
            if byte == quote {
                if self.peek(0) == quote {
                    self.at += 1;
                    continue;
                }
                let inside = self.text.split_at(self.at - 1).0.split_at(start).1;
                return if quote == b'\'' { Token::Text } else { Token::Name(inside) };
            }
        }
        Token::Broken
    }

    /// The token after the next one would be, without reading it.
    pub(super) const fn following(&self) -> Token<'a> {
        let mut ahead = *self;
        ahead.next()
    }

    /// Reads a type: a word, and what stands in parentheses behind it.
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
                Token::End | Token::Broken | Token::Comment => return,
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

    /// Whether a value can end with it, or a word of the language is it.
    pub(super) const fn ends_value(&self) -> bool {
        matches!(self, Self::Word(_) | Self::Name(_) | Self::Text | Self::Number | Self::Sign(b')' | b']'))
    }

    /// Whether it can name something, and is that name.
    pub(super) const fn names(&self, name: &[u8]) -> bool {
        match self {
            Self::Word(word) | Self::Name(word) => check::equal_bytes(word, name),
            _ => false,
        }
    }
}

/// Letters of any script may stand in a bare word.
const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}
