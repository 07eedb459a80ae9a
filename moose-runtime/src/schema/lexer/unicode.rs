//! The characters beyond ASCII that ClickHouse's lexer recognises: typographic quotes, a minus sign, and whitespace.

use super::{Lexer, TokenKind};

impl Lexer<'_> {
    /// Typographic quotes, Unicode whitespace, and unknown characters.
    pub(super) const fn foreign(&mut self) -> TokenKind {
        match [self.peek(0), self.peek(1), self.peek(2)] {
            LEFT_SINGLE => return self.typographic(RIGHT_SINGLE, TokenKind::Text),
            LEFT_DOUBLE => return self.typographic(RIGHT_DOUBLE, TokenKind::Name),
            MINUS => return self.sign(3),
            _ => {}
        }
        let start = self.at;
        while let length @ 1.. = blank(self.peek(0), self.peek(1), self.peek(2)) {
            self.at += length;
        }
        if self.at > start {
            return TokenKind::Blank;
        }
        // The whole character.
        self.at += 1;
        while matches!(self.peek(0), 0x80..=0xbf) {
            self.at += 1;
        }
        TokenKind::Unknown
    }

    /// To the closing quote; nothing in between is escaped.
    const fn typographic(&mut self, closing: [u8; 3], kind: TokenKind) -> TokenKind {
        self.at += 3;
        while self.at + 2 < self.text.len() {
            if matches_bytes([self.peek(0), self.peek(1), self.peek(2)], closing) {
                self.at += 3;
                return kind;
            }
            self.at += 1;
        }
        self.unended()
    }
}

/// `‘`
const LEFT_SINGLE: [u8; 3] = [0xe2, 0x80, 0x98];
/// `’`
const RIGHT_SINGLE: [u8; 3] = [0xe2, 0x80, 0x99];
/// `“`
const LEFT_DOUBLE: [u8; 3] = [0xe2, 0x80, 0x9c];
/// `”`
const RIGHT_DOUBLE: [u8; 3] = [0xe2, 0x80, 0x9d];
/// `−`
const MINUS: [u8; 3] = [0xe2, 0x88, 0x92];

const fn matches_bytes(one: [u8; 3], other: [u8; 3]) -> bool {
    one[0] == other[0] && one[1] == other[1] && one[2] == other[2]
}

/// Number of bytes of a whitespace character that begins with these bytes; 0 for none.
const fn blank(first: u8, second: u8, third: u8) -> usize {
    match (first, second, third) {
        // U+0085, U+00A0
        (0xc2, 0x85 | 0xa0, _) => 2,
        // U+1680, U+180E
        (0xe1, 0x9a, 0x80) | (0xe1, 0xa0, 0x8e)
        // U+2000 to U+200D, U+2028, U+2029, U+202F, U+205F, U+2060
        | (0xe2, 0x80, 0x80..=0x8d | 0xa8 | 0xa9 | 0xaf) | (0xe2, 0x81, 0x9f | 0xa0)
        // U+3000, U+FEFF
        | (0xe3, 0x80, 0x80) | (0xef, 0xbb, 0xbf) => 3,
        _ => 0,
    }
}
