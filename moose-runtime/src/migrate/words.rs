//! A statement as words: enough of ClickHouse's lexer to tell names from texts, signs and comments, each with its place.

use std::ops::Range;

/// One word, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) is: Is,
    pub(super) at: Range<usize>,
}

/// What a word is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Is {
    /// A keyword, a number or a name, as it stands.
    Bare(String),
    /// A quoted name, without its quotes.
    Quoted(String),
    /// A text.
    Text,
    /// A sign that means something by itself.
    Sign(char),
}

/// The words of a statement, without its comments.
pub(super) fn words(sql: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(rest) = sql.get(at..).filter(|rest| !rest.is_empty()) {
        let (is, length) = next(rest);
        words.extend(is.map(|is| Word { is, at: at..at + length }));
        at += length;
    }
    words
}

/// What the text begins with, and its length; at least one character.
fn next(rest: &str) -> (Option<Is>, usize) {
    let first = rest.chars().next().unwrap_or_default();
    if rest.starts_with("--") || rest.starts_with("# ") || rest.starts_with("#!") {
        return (None, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (None, rest.find("*/").map_or(rest.len(), |end| end + 2));
    }
    if first.is_whitespace() {
        return (None, first.len_utf8());
    }
    match first {
        '`' | '"' => {
            let (name, length) = quoted(rest, first);
            (Some(Is::Quoted(name)), length)
        }
        '\'' => (Some(Is::Text), quoted(rest, first).1),
        '$' if let Some(length) = heredoc(rest) => (Some(Is::Text), length),
        _ => {
            let is_word = |character: char| character.is_alphanumeric() || character == '_' || character == '$';
            let end = rest.find(|character| !is_word(character)).unwrap_or(rest.len());
            if end == 0 {
                return (Some(Is::Sign(first)), first.len_utf8());
            }
            (Some(Is::Bare(rest.get(..end).unwrap_or_default().to_owned())), end)
        }
    }
}

/// What stands between the quotes that `text` begins with, and the length with them.
fn quoted(text: &str, quote: char) -> (String, usize) {
    let mut inside = String::new();
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character == '\\' {
            inside.extend(characters.next().map(|(_, escaped)| escaped));
        } else if character != quote {
            inside.push(character);
        } else if characters.next_if(|(_, next)| *next == quote).is_some() {
            inside.push(quote);
        } else {
            return (inside, at + quote.len_utf8());
        }
    }
    (inside, text.len())
}

/// Length of the `$tag$…$tag$` that `text` begins with.
fn heredoc(text: &str) -> Option<usize> {
    let tag = text.get(1..)?.find('$')? + 2;
    let name = text.get(1..tag - 1)?;
    if !name.chars().all(|character| character.is_alphanumeric() || character == '_') {
        return None;
    }
    Some(text.get(tag..)?.find(text.get(..tag)?)? + 2 * tag)
}

/// The statement with another name wherever this one stands as a name.
pub(super) fn with_name(sql: &str, name: &str, other: &str) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut from = 0;
    let words = words(sql);
    for (index, word) in words.iter().enumerate() {
        // Of `name.name` the first is a database.
        let is_database = words.get(index + 1).is_some_and(|next| next.is == Is::Sign('.'))
            && words.get(index + 2).is_some_and(|next| next.is == word.is);
        if is_database {
            continue;
        }
        if matches!(&word.is, Is::Bare(found) | Is::Quoted(found) if found == name) {
            text.push_str(sql.get(from..word.at.start).unwrap_or_default());
            text.push_str(&crate::schema::quote_identifier(other));
            from = word.at.end;
        }
    }
    text.push_str(sql.get(from..).unwrap_or_default());
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_changed_where_it_stands_as_a_name_and_nowhere_else() {
        let sql = "INSERT INTO new -- new\n(a) SELECT 'new', `new`.a, renew, $$new$$ /* new */ FROM db.\"new\" # new";
        assert_eq!(
            with_name(sql, "new", "of`mine"),
            "INSERT INTO `of\\`mine` -- new\n(a) SELECT 'new', `of\\`mine`.a, renew, $$new$$ /* new */ FROM db.`of\\`mine` # new"
        );
        assert_eq!(with_name("DROP TABLE a.a", "a", "b"), "DROP TABLE a.`b`");
        assert_eq!(with_name("SELECT 'it''s' FROM `a``b`", "a`b", "c"), "SELECT 'it''s' FROM `c`");
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_lexer(text in "[a-z;'`\"$\\\\/*#ä \n-]{0,60}") {
            prop_assert_eq!(with_name(&text, "no such name", "x"), text.clone());
            for word in words(&text) {
                prop_assert!(text.get(word.at).is_some_and(|word| !word.is_empty()));
            }
        }
    }
}
