//! Parses the properties that are available only as ClickHouse's SQL text.

use crate::schema::lexer::{self, TokenKind};

/// A token of SQL text.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// A bare word or number.
    Word(String),
    /// A quoted identifier, without its quotes.
    Name(String),
    /// A string, without its quotes.
    Text(String),
    /// Anything else.
    Sign(char),
}

impl Token {
    fn is_word(&self, word: &str) -> bool {
        matches!(self, Self::Word(text) if text.eq_ignore_ascii_case(word))
    }

    fn identifier(&self) -> Option<&str> {
        match self {
            Self::Word(text) | Self::Name(text) => Some(text),
            Self::Text(_) | Self::Sign(_) => None,
        }
    }
}

fn tokens(sql: &str) -> Vec<Token> {
    let token = |token: lexer::Token| {
        let text = token.of(sql);
        match token.kind {
            TokenKind::Word | TokenKind::Number => Token::Word(text.to_owned()),
            TokenKind::Name => Token::Name(lexer::unquoted(text)),
            TokenKind::Text => Token::Text(lexer::unquoted(text)),
            _ => Token::Sign(text.chars().next().unwrap_or_default()),
        }
    };
    lexer::tokens(sql).map(token).collect()
}

/// The tokens after the last occurrence of a keyword outside parentheses.
fn after(tokens: &[Token], keyword: &str) -> Option<usize> {
    let mut depth = 0_i32;
    let mut found = None;
    for (index, token) in tokens.iter().enumerate() {
        match token {
            Token::Sign('(') => depth += 1,
            Token::Sign(')') => depth -= 1,
            _ if depth == 0 && token.is_word(keyword) => found = Some(index + 1),
            _ => {}
        }
    }
    found
}

/// The position of a keyword's clause in an engine clause, in tokens.
pub(super) fn clause(engine_full: &str, keyword: &str) -> Option<usize> {
    after(&tokens(engine_full), keyword)
}

/// The settings at the end of an engine clause.
pub(super) fn settings(engine_full: &str) -> Vec<(String, String)> {
    let tokens = tokens(engine_full);
    let Some(rest) = after(&tokens, "SETTINGS").and_then(|start| tokens.get(start..)) else { return Vec::new() };
    rest.split(|token| *token == Token::Sign(','))
        .filter_map(|setting| match setting {
            [name, Token::Sign('='), Token::Word(value) | Token::Text(value)] => {
                Some((name.identifier()?.to_owned(), value.clone()))
            }
            _ => None,
        })
        .collect()
}

/// Database and table after the `TO` of a materialized view; `None` for a view with a table of its own.
pub(super) fn view_target(create: &str) -> Option<(Option<String>, String)> {
    let tokens = tokens(create);
    // Before the columns and the query: after that a `TO` has another meaning.
    let head = tokens.iter().position(|token| token.is_word("AS")).and_then(|end| tokens.get(..end))?;
    let start = head.iter().position(|token| token.is_word("TO"))?;
    if head.get(..start)?.contains(&Token::Sign('(')) {
        return None;
    }
    match head.get(start + 1..)? {
        [database, Token::Sign('.'), table, ..] => {
            Some((Some(database.identifier()?.to_owned()), table.identifier()?.to_owned()))
        }
        [table, ..] => Some((None, table.identifier()?.to_owned())),
        [] => None,
    }
}

/// Names of the functions that an expression calls, in lower case.
pub fn calls(expression: &str) -> Vec<String> {
    let tokens = tokens(expression);
    tokens
        .windows(2)
        .filter_map(|pair| match pair {
            [Token::Word(name), Token::Sign('(')] => Some(name.to_ascii_lowercase()),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_from_the_end_of_an_engine_clause() {
        let clause = "MergeTree PARTITION BY f('SETTINGS a = 1, b = 2') ORDER BY `SETTINGS` \
                      SETTINGS async_insert = 1, storage_policy = 'a, b', index_granularity = 8192";
        let found = settings(clause);
        let pairs: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("async_insert", "1"), ("storage_policy", "a, b"), ("index_granularity", "8192")]);
        assert!(settings("MergeTree ORDER BY id").is_empty());
        assert!(settings("").is_empty());
    }

    #[test]
    fn a_ttl_is_a_clause_and_no_part_of_a_name() {
        assert!(clause("MergeTree ORDER BY id TTL at + toIntervalDay(1) SETTINGS x = 1", "TTL").is_some());
        assert!(clause("MergeTree ORDER BY (`TTL`, ttl_days) SETTINGS ttl_only_drop_parts = 1", "TTL").is_none());
    }

    #[test]
    fn the_target_of_a_view_is_the_one_it_names() {
        let named = |database: &str, table: &str| Some((Some(database.to_owned()), table.to_owned()));
        let view = "CREATE MATERIALIZED VIEW moose.v TO moose.c (`id` UInt64) AS SELECT id FROM moose.a";
        assert_eq!(view_target(view), named("moose", "c"));
        assert_eq!(
            view_target("CREATE MATERIALIZED VIEW v TO `a b`.`c``d`(`x` Int8) AS SELECT 1"),
            named("a b", "c`d")
        );
        assert_eq!(view_target("CREATE MATERIALIZED VIEW v TO c AS SELECT 1"), Some((None, "c".to_owned())));
        let own = "CREATE MATERIALIZED VIEW m.v (`TO` UInt64) ENGINE = MergeTree ORDER BY id AS SELECT a AS TO FROM t";
        assert_eq!(view_target(own), None);
        assert_eq!(view_target(""), None);
    }

    #[test]
    fn calls_are_found_in_any_case_and_not_in_strings() {
        assert_eq!(calls("(toYYYYMM(NOW()), `rand`, 'now()')"), ["toyyyymm", "now"]);
    }

    #[test]
    fn text_that_breaks_off_is_read_as_far_as_it_goes() {
        for text in ["'", "`a", "SETTINGS a =", "SETTINGS a = 'b", "\\", "((("] {
            drop((settings(text), calls(text), view_target(text)));
        }
    }
}
