//! Builds the text of a compile error in const code.
#![expect(clippy::indexing_slicing, reason = "const code has no iterators, and an index past the end fails to compile")]

use super::columns::Columns;

/// Text concatenated at compile time.
pub(super) struct Message {
    bytes: [u8; Self::CAPACITY],
    length: usize,
}

impl Message {
    const CAPACITY: usize = 1024;

    pub(super) const fn new(text: &str) -> Self {
        Self { bytes: [0; Self::CAPACITY], length: 0 }.text(text)
    }

    /// Appends the text, or as much of it as fits.
    pub(super) const fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    /// Appends a text given as bytes.
    pub(super) const fn bytes(mut self, bytes: &[u8]) -> Self {
        let mut index = 0;
        while index < bytes.len() && self.length < Self::CAPACITY {
            self.bytes[self.length] = bytes[index];
            self.length += 1;
            index += 1;
        }
        self
    }

    /// Appends `a, b, c`.
    pub(super) const fn names(mut self, columns: Columns<'_>) -> Self {
        let mut place = 0;
        while place < columns.count() {
            if place > 0 {
                self = self.text(", ");
            }
            self = self.text(columns.at(place).0);
            place += 1;
        }
        self
    }

    /// Appends `` `a`, `b`, `c` ``.
    pub(super) const fn list(mut self, texts: &[&str]) -> Self {
        let mut place = 0;
        while place < texts.len() {
            self = self.text(if place > 0 { ", `" } else { "`" }).text(texts[place]).text("`");
            place += 1;
        }
        self
    }

    /// Fails the compilation with this text.
    #[track_caller]
    pub(super) const fn fail(&self) -> ! {
        match core::str::from_utf8(self.bytes.split_at(self.length).0) {
            Ok(text) => panic!("{}", text),
            // Only a text cut in the middle of a character gets here.
            Err(_) => panic!("a declaration is wrong, and the message about it is too long to be shown"),
        }
    }
}
