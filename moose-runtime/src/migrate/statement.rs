//! What a statement of a migration does, as far as repeating it depends on that.
//!
//! Read from its first words. A statement that is not recognised is taken to be one that may be run again.

/// What a statement does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Makes a table or view.
    Create(String),
    /// Takes one away.
    Drop(String),
    /// `EXCHANGE TABLES a AND b`
    Exchange(String, String),
    /// `RENAME TABLE a TO b` of a single table.
    Rename(String, String),
    /// Fills a table.
    Insert(String),
    /// Changes a table.
    Alter(String),
    /// Anything else.
    Other,
}

/// What the statement does.
pub(super) fn kind(sql: &str) -> Kind {
    let words = words(sql);
    let mut reader = Reader { words: &words, at: 0 };
    reader.kind().unwrap_or(Kind::Other)
}

/// Its first line, for messages.
pub(super) fn beginning(sql: &str) -> String {
    let line = sql.lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(120).collect();
    if short.len() < sql.len() {
        short.push_str(" …");
    }
    short
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    /// As it stands.
    Bare(String),
    /// A quoted name, without its quotes.
    Quoted(String),
    /// `.`, `,`, a parenthesis.
    Sign(char),
}

struct Reader<'a> {
    words: &'a [Word],
    at: usize,
}

impl Reader<'_> {
    fn kind(&mut self) -> Option<Kind> {
        if self.take(&["CREATE"]) {
            self.take(&["OR", "REPLACE"]);
            self.take(&["MATERIALIZED"]);
            if self.take(&["TABLE"]) || self.take(&["VIEW"]) || self.take(&["DICTIONARY"]) {
                self.take(&["IF", "NOT", "EXISTS"]);
                return Some(Kind::Create(self.name()?));
            }
            return None;
        }
        if self.take(&["DROP"]) {
            if self.take(&["TABLE"]) || self.take(&["VIEW"]) || self.take(&["DICTIONARY"]) {
                self.take(&["IF", "EXISTS"]);
                return Some(Kind::Drop(self.name()?));
            }
            return None;
        }
        if self.take(&["EXCHANGE", "TABLES"]) {
            let (first, second) = self.pair("AND")?;
            return Some(Kind::Exchange(first, second));
        }
        if self.take(&["RENAME", "TABLE"]) {
            self.take(&["IF", "EXISTS"]);
            let (from, to) = self.pair("TO")?;
            return Some(Kind::Rename(from, to));
        }
        if self.take(&["INSERT", "INTO"]) {
            self.take(&["TABLE"]);
            return Some(Kind::Insert(self.name()?));
        }
        if self.take(&["ALTER", "TABLE"]) {
            return Some(Kind::Alter(self.name()?));
        }
        None
    }

    /// The words, in any case, if they come next.
    fn take(&mut self, words: &[&str]) -> bool {
        let next = self.words.get(self.at..).unwrap_or_default();
        let same =
            |(expected, word): (&&str, &Word)| matches!(word, Word::Bare(word) if word.eq_ignore_ascii_case(expected));
        let found = next.len() >= words.len() && words.iter().zip(next).all(same);
        if found {
            self.at += words.len();
        }
        found
    }

    /// A name; of `database.table` the last part.
    fn name(&mut self) -> Option<String> {
        let mut name = self.part()?;
        while self.words.get(self.at) == Some(&Word::Sign('.')) {
            self.at += 1;
            name = self.part()?;
        }
        Some(name)
    }

    /// Two names with a word between them, and no more: several pairs are not one change.
    fn pair(&mut self, between: &str) -> Option<(String, String)> {
        let first = self.name()?;
        if !self.take(&[between]) {
            return None;
        }
        let second = self.name()?;
        (self.words.get(self.at) != Some(&Word::Sign(','))).then_some((first, second))
    }

    fn part(&mut self) -> Option<String> {
        let (Word::Bare(name) | Word::Quoted(name)) = self.words.get(self.at)? else { return None };
        self.at += 1;
        Some(name.clone())
    }
}

/// More words than any beginning has.
const MOST_WORDS: usize = 24;

fn words(sql: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = sql;
    while words.len() < MOST_WORDS {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
            continue;
        }
        if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, after)| after);
            continue;
        }
        let Some(first) = rest.chars().next() else { break };
        if first == '`' || first == '"' {
            let (name, after) = quoted(rest, first);
            words.push(Word::Quoted(name));
            rest = after;
            continue;
        }
        let is_word = |character: char| character.is_alphanumeric() || character == '_';
        let end = if is_word(first) {
            rest.find(|character| !is_word(character)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        words.push(if is_word(first) { Word::Bare(word.to_owned()) } else { Word::Sign(first) });
        rest = after;
    }
    words
}

/// The name between the quotes that `text` begins with, and what follows.
fn quoted(text: &str, quote: char) -> (String, &str) {
    let mut name = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        if character == quote {
            return (name, text.get(at + quote.len_utf8()..).unwrap_or_default());
        }
        if character == '\\' {
            name.extend(characters.next().map(|(_, escaped)| escaped));
        } else {
            name.push(character);
        }
    }
    (name, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> String {
        name.to_owned()
    }

    #[test]
    fn statements_are_told_apart_by_their_beginning() {
        for (sql, expected) in [
            ("CREATE TABLE IF NOT EXISTS `a b` (id UInt8)", Kind::Create(name("a b"))),
            ("create materialized view v TO t AS SELECT 1", Kind::Create(name("v"))),
            ("CREATE OR REPLACE VIEW v AS SELECT 1", Kind::Create(name("v"))),
            ("CREATE TABLE db.`t\\`x` (id UInt8)", Kind::Create(name("t`x"))),
            ("DROP TABLE IF EXISTS t SYNC", Kind::Drop(name("t"))),
            ("EXCHANGE TABLES `t` AND `t__new_2`", Kind::Exchange(name("t"), name("t__new_2"))),
            ("RENAME TABLE t TO `u` ON CLUSTER c", Kind::Rename(name("t"), name("u"))),
            ("RENAME TABLE a TO b, c TO d", Kind::Other),
            ("/* why */ INSERT INTO t (a) SELECT a FROM u", Kind::Insert(name("t"))),
            ("-- why\nALTER TABLE t\n    ADD COLUMN a UInt8", Kind::Alter(name("t"))),
            ("SYSTEM FLUSH LOGS", Kind::Other),
            ("CREATE USER u", Kind::Other),
            ("", Kind::Other),
            ("EXCHANGE TABLES a", Kind::Other),
        ] {
            assert_eq!(kind(sql), expected, "{sql}");
        }
    }

    #[test]
    fn a_message_shows_one_line_at_most() {
        assert_eq!(beginning("SELECT 1"), "SELECT 1");
        assert_eq!(beginning("ALTER TABLE t\n DROP COLUMN a"), "ALTER TABLE t …");
    }
}
