//! Splits a statement into words, each with its position.

use std::ops::Range;

use crate::schema::{
    lexer::{Token, TokenKind, tokens, unquoted},
    quote_identifier,
};

/// One word, and its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) is: Is,
    pub(super) at: Range<usize>,
}

/// The kind of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Is {
    /// A keyword, a number or a name, as written.
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
    let word = |token: Token| {
        let text = token.of(sql);
        let is = match token.kind {
            TokenKind::Word | TokenKind::Number => Is::Bare(text.to_owned()),
            TokenKind::Name => Is::Quoted(unquoted(text)),
            TokenKind::Text | TokenKind::Unended => Is::Text,
            _ => Is::Sign(text.chars().next().unwrap_or_default()),
        };
        Word { is, at: token.start..token.end }
    };
    tokens(sql).map(word).collect()
}

/// Replaces a name in a statement wherever it is used as one.
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
            text.push_str(&quote_identifier(other));
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
