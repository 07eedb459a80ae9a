//! The lexer of ClickHouse's SQL: tokens as ClickHouse's own lexer splits them, with quotes, comments and heredocs.
//!
//! It also works at compile time. What a token means is the caller's business: a word may be a keyword, a name or a
//! function. A test compares it with the lexer of the engine.
#![expect(
    clippy::indexing_slicing,
    reason = "const code has no iterators, and every place is compared with the end first"
)]

mod unicode;

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Whitespace, including Unicode's.
    Blank,
    /// `-- …`, `// …`, `# …`, `#!…` to the end of the line, or `/* … */`, nested or not.
    Comment,
    /// A bare word; it may begin with a digit.
    Word,
    /// A number.
    Number,
    /// A name in backticks, double or typographic double quotes.
    Name,
    /// A string: in single or typographic single quotes, as `x'…'` or `b'…'`, or a heredoc.
    Text,
    /// A sign, of one character or more: `(`, `->`, `::`, `<=`.
    Sign,
    /// A quote or comment that is not closed.
    Unended,
    /// A character that ClickHouse rejects.
    Unknown,
}

/// A token and its position, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: TokenKind,
    pub start: usize,
    pub end: usize,
}

impl Token {
    /// Whether it is neither whitespace nor a comment.
    pub const fn is_significant(self) -> bool {
        !matches!(self.kind, TokenKind::Blank | TokenKind::Comment)
    }

    /// Its text.
    pub fn of(self, text: &str) -> &str {
        text.get(self.start..self.end).unwrap_or_default()
    }
}

/// Splits a text into tokens, which together are the whole text.
#[derive(Clone, Copy, Debug)]
pub struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    /// Whether a dot that comes next is an operator, not the beginning of a number.
    before_dot: bool,
    /// Whether the last token was a dot: digits after it are an index.
    behind_dot: bool,
}

impl<'a> Lexer<'a> {
    pub const fn new(text: &'a str) -> Self {
        Self { text: text.as_bytes(), at: 0, before_dot: false, behind_dot: false }
    }

    /// The byte at this distance; 0, which no token begins with, beyond the end.
    const fn peek(&self, ahead: usize) -> u8 {
        if self.at + ahead < self.text.len() { self.text[self.at + ahead] } else { 0 }
    }

    /// The next token.
    pub const fn next(&mut self) -> Option<Token> {
        if self.at >= self.text.len() {
            return None;
        }
        let start = self.at;
        let kind = self.read();
        // Whatever was read, it is not empty and ends within the text.
        if self.at <= start {
            self.at = start + 1;
        }
        if self.at > self.text.len() {
            self.at = self.text.len();
        }
        if !matches!(kind, TokenKind::Blank | TokenKind::Comment) {
            let last = self.text[self.at - 1];
            let is_sign = matches!(kind, TokenKind::Sign);
            self.behind_dot = is_sign && last == b'.';
            self.before_dot = matches!(kind, TokenKind::Word | TokenKind::Name | TokenKind::Number)
                || (is_sign && matches!(last, b')' | b']'));
        }
        Some(Token { kind, start, end: self.at })
    }

    /// The next token that is neither whitespace nor a comment.
    pub const fn next_significant(&mut self) -> Option<Token> {
        loop {
            match self.next() {
                Some(token) if !token.is_significant() => {}
                other => return other,
            }
        }
    }

    /// Reads the token that begins here.
    const fn read(&mut self) -> TokenKind {
        let byte = self.peek(0);
        match (byte, self.peek(1)) {
            (b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c, _) => self.blanks(),
            (b'-', b'-') | (b'/', b'/') | (b'#', b' ' | b'!') => self.line_comment(),
            (b'/', b'*') => self.comment(),
            (b'\'', _) => self.quoted(byte, TokenKind::Text),
            (b'`' | b'"', _) => self.quoted(byte, TokenKind::Name),
            (b'x' | b'X' | b'b' | b'B', b'\'') if self.at + 2 < self.text.len() => self.binary(byte),
            (b'0'..=b'9', _) => self.number(),
            (b'.', b'0'..=b'9') if !self.before_dot => self.fraction(),
            // At the very beginning it is a number, whatever follows.
            (b'.', _) if self.at == 0 => self.fraction(),
            (b'$', _) => self.dollar(),
            (b'_' | b'a'..=b'z' | b'A'..=b'Z', _) => self.word(),
            (b'-' | b'<', b'>')
            | (b'=' | b'!' | b'<' | b'>', b'=')
            | (b':', b':')
            | (b'|', b'|')
            | (b'@', b'@')
            | (b'\\', b'G') => self.sign(2),
            (b'!' | b'\\' | b'#' | b'~' | b'&', _) => self.unknown(1),
            (0x80.., _) => self.foreign(),
            (b'!'..=b'~', _) => self.sign(1),
            _ => self.unknown(1),
        }
    }

    const fn sign(&mut self, length: usize) -> TokenKind {
        self.at += length;
        TokenKind::Sign
    }

    const fn unknown(&mut self, length: usize) -> TokenKind {
        self.at += length;
        TokenKind::Unknown
    }

    /// An unclosed token, up to the end of the text.
    const fn unended(&mut self) -> TokenKind {
        self.at = self.text.len();
        TokenKind::Unended
    }

    const fn blanks(&mut self) -> TokenKind {
        while matches!(self.peek(0), b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c) {
            self.at += 1;
        }
        TokenKind::Blank
    }

    const fn line_comment(&mut self) -> TokenKind {
        while self.at < self.text.len() && self.text[self.at] != b'\n' {
            self.at += 1;
        }
        TokenKind::Comment
    }

    const fn comment(&mut self) -> TokenKind {
        let mut depth = 0_usize;
        while self.at + 1 < self.text.len() {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => depth += 1,
                (b'*', b'/') => depth -= 1,
                _ => {
                    self.at += 1;
                    continue;
                }
            }
            self.at += 2;
            if depth == 0 {
                return TokenKind::Comment;
            }
        }
        self.unended()
    }

    /// A backslash escapes the next byte, and a doubled quote is one quote.
    const fn quoted(&mut self, quote: u8, kind: TokenKind) -> TokenKind {
        self.at += 1;
        while self.at < self.text.len() {
            let byte = self.text[self.at];
            self.at += 1;
            if byte == b'\\' {
                self.at += 1;
            } else if byte == quote {
                if self.peek(0) != quote {
                    return kind;
                }
                self.at += 1;
            }
        }
        self.unended()
    }

    /// `x'…'` or `b'…'`.
    const fn binary(&mut self, base: u8) -> TokenKind {
        self.at += 2;
        let is_hex = matches!(base, b'x' | b'X');
        while if is_hex { self.peek(0).is_ascii_hexdigit() } else { matches!(self.peek(0), b'0' | b'1') } {
            self.at += 1;
        }
        if self.peek(0) != b'\'' {
            return self.unended();
        }
        self.at += 1;
        TokenKind::Text
    }

    /// Digits, with single `_` between them.
    const fn digits(&mut self, is_hex: bool) {
        let mut is_first = true;
        loop {
            let byte = self.peek(0);
            let is_digit = if is_hex { byte.is_ascii_hexdigit() } else { byte.is_ascii_digit() };
            let next = self.peek(1);
            let is_followed = if is_hex { next.is_ascii_hexdigit() } else { next.is_ascii_digit() };
            if !is_digit && (is_first || byte != b'_' || !is_followed) {
                return;
            }
            is_first = false;
            self.at += 1;
        }
    }

    const fn number(&mut self) -> TokenKind {
        let start = self.at;
        if self.behind_dot {
            self.digits(false);
        } else {
            let is_hex = matches!(self.peek(1), b'x' | b'X') && self.peek(2).is_ascii_hexdigit();
            let is_binary = matches!(self.peek(1), b'b' | b'B') && matches!(self.peek(2), b'0' | b'1');
            if self.peek(0) == b'0' && (is_hex || is_binary) {
                self.at += 2;
                self.digits(is_hex);
                self.point_and_exponent(is_hex);
            } else {
                self.digits(false);
                self.point_and_exponent(false);
            }
        }
        if !is_word(self.peek(0)) {
            return TokenKind::Number;
        }
        // A number that continues with letters is a word, if all of it can be one.
        while is_word(self.peek(0)) {
            self.at += 1;
        }
        let mut place = start;
        while place < self.at {
            if !is_word(self.text[place]) {
                return TokenKind::Unknown;
            }
            place += 1;
        }
        TokenKind::Word
    }

    const fn point_and_exponent(&mut self, is_hex: bool) {
        if self.peek(0) == b'.' {
            self.at += 1;
            self.digits(is_hex);
        }
        let is_exponent =
            if is_hex { matches!(self.peek(0), b'p' | b'P') } else { matches!(self.peek(0), b'e' | b'E') };
        if is_exponent && self.at + 1 < self.text.len() {
            self.at += 1;
            if matches!(self.peek(0), b'+' | b'-') && self.at + 1 < self.text.len() {
                self.at += 1;
            }
            self.digits(false);
        }
    }

    /// A number that begins with its decimal point.
    const fn fraction(&mut self) -> TokenKind {
        self.point_and_exponent(false);
        TokenKind::Number
    }

    const fn word(&mut self) -> TokenKind {
        while is_word(self.peek(0)) || self.peek(0) == b'$' {
            self.at += 1;
        }
        TokenKind::Word
    }

    /// `$tag$ … $tag$`, a word, or the sign.
    const fn dollar(&mut self) -> TokenKind {
        let mut tag = 1;
        while is_word(self.peek(tag)) {
            tag += 1;
        }
        if self.peek(tag) == b'$' {
            let length = tag + 1;
            let mut place = self.at + length;
            while place + length <= self.text.len() {
                if self.is_same(place, length) {
                    self.at = place + length;
                    return TokenKind::Text;
                }
                place += 1;
            }
        }
        if is_word(self.peek(1)) { self.word() } else { self.sign(1) }
    }

    /// Whether the text at `there` is the same as here, for that many bytes.
    const fn is_same(&self, there: usize, length: usize) -> bool {
        let mut place = 0;
        while place < length {
            if self.text[there + place] != self.text[self.at + place] {
                return false;
            }
            place += 1;
        }
        true
    }
}

/// Whether the byte can be in a bare word.
const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The significant tokens of a text.
pub fn tokens(text: &str) -> impl Iterator<Item = Token> {
    let mut lexer = Lexer::new(text);
    std::iter::from_fn(move || lexer.next_significant())
}

/// The content of a quoted text: without quotes and escapes. For a heredoc, the text between its tags.
pub fn unquoted(token: &str) -> String {
    let mut characters = token.chars();
    let quote = match characters.next() {
        Some(quote @ ('\'' | '`' | '"')) => quote,
        Some('‘' | '“') => {
            characters.next_back();
            return characters.collect();
        }
        Some('$') => {
            let tag = token.get(1..).and_then(|rest| rest.find('$')).map_or(0, |end| end + 2);
            return token.get(tag..token.len().saturating_sub(tag)).unwrap_or_default().to_owned();
        }
        _ => return token.to_owned(),
    };
    characters.next_back();
    let mut out = String::with_capacity(token.len());
    while let Some(character) = characters.next() {
        match character {
            '\\' => out.extend(characters.next().map(|escaped| match escaped {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '0' => '\0',
                'b' => '\u{8}',
                'f' => '\u{c}',
                other => other,
            })),
            _ if character == quote => {
                characters.next();
                out.push(quote);
            }
            _ => out.push(character),
        }
    }
    out
}
