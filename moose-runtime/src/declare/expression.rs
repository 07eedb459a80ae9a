//! Checks at compile time that a ClickHouse expression names only columns that exist.
//!
//! Bare and quoted words are columns, unless they are called, bound (`x -> …`, `… AS x`), after a dot, the name of a
//! type, or keywords. Functions are not checked: a server may have its own.
#![expect(clippy::indexing_slicing, reason = "const code has no iterators, and an index past the end fails to compile")]

use crate::schema::{DefaultKind, MADE_UP_FUNCTIONS, provenance};

use super::{
    columns::{ColumnName, Columns},
    message::Message,
    nearest::Nearest,
    text::equal_bytes,
    token::{Token, Tokens},
};

/// Keywords, which are never columns.
#[rustfmt::skip]
const KEYWORDS: &[&str] = &[
    "AND", "AS", "ASC", "BETWEEN", "BOTH", "BY", "CASE", "COLLATE", "DELETE", "DESC", "DISTINCT", "DIV", "ELSE", "EXCEPT",
    "EXISTS", "FALSE", "FROM", "HAVING", "ILIKE", "IN", "INF", "INTERVAL", "IS", "LEADING", "LIKE", "MOD", "NAN", "NOT",
    "NULL", "NULLS", "OR", "RECOMPRESS", "REGEXP", "SELECT", "THEN", "TRAILING", "TRUE", "WHEN", "WHERE", "WITH", "XOR",
];

/// Keywords that could also be columns: they are keywords if a value or a word precedes them, as in `INTERVAL 1 DAY`.
#[rustfmt::skip]
const NOUNS: &[&str] = &[
    "DAY", "DAYS", "DISK", "END", "FIRST", "HOUR", "HOURS", "LAST", "LIMIT", "MICROSECOND", "MILLISECOND", "MINUTE",
    "MINUTES", "MONTH", "MONTHS", "NANOSECOND", "QUARTER", "SECOND", "SECONDS", "SET", "TO", "VOLUME", "WEEK", "WEEKS",
    "YEAR", "YEARS",
];

/// Which columns have values when an expression is evaluated.
#[derive(Clone, Copy)]
pub(super) enum Sees {
    /// Stored columns.
    Stored,
    /// Also those computed on reading (`ALIAS`).
    Read,
    /// Also those that only an INSERT gives (`EPHEMERAL`).
    All,
}

/// What is allowed in an expression.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    sees: Sees,
    /// Whether non-deterministic functions are allowed.
    made_up: bool,
    /// Whether at least one column must be named.
    needs_column: bool,
}

impl Rules {
    /// Evaluated when a row is inserted, such as a default.
    pub(super) const VALUE: Self = Self { sees: Sees::All, made_up: true, needs_column: false };
    /// Evaluated on reading.
    pub(super) const READ: Self = Self { sees: Sees::Read, made_up: true, needs_column: false };
    /// Evaluated over stored rows, such as a constraint.
    pub(super) const STORED: Self = Self { sees: Sees::Stored, made_up: true, needs_column: false };
    /// When a row or value expires.
    pub(super) const TTL: Self = Self { sees: Sees::Stored, made_up: true, needs_column: true };
    /// Keys: what rows are sorted or partitioned by.
    pub(super) const KEY: Self = Self { sees: Sees::Stored, made_up: false, needs_column: false };
    /// What is indexed.
    pub(super) const INDEX: Self = Self { sees: Sees::Read, made_up: false, needs_column: true };
}

/// Fails the compilation if the expression of `option` is not valid over these columns.
#[track_caller]
pub(super) const fn check(option: &str, expression: &str, columns: Columns<'_>, rules: Rules) {
    if expression.trim_ascii().is_empty() {
        Message::new("`").text(option).text("` is empty: leave it out").fail();
    }
    expect_whole(option, expression);
    let mut tokens = Tokens::of(expression);
    let mut before = Token::End;
    let mut named = 0_usize;
    loop {
        let token = tokens.next();
        match token {
            Token::End => break,
            Token::DoubleColon => tokens.skip_type(),
            Token::Word(word) if token.is_keyword("AS") && columns.find(word).is_none() => tokens.skip_type(),
            Token::Word(word) if tokens.following().is(b'(') => function(option, expression, word, rules),
            Token::Word(word) | Token::Name(word) => {
                let language = is_language(token, before, tokens.following());
                if !before.is(b'.') && is_column(option, expression, word, language, columns, rules) {
                    named += 1;
                }
            }
            _ => {}
        }
        before = token;
    }
    if rules.needs_column && named == 0 {
        Message::new("`")
            .text(option)
            .text("` is `")
            .text(expression)
            .text("`, which names no column: it would be the same for every row; the columns are: ")
            .names(columns)
            .fail();
    }
}

/// Whether the word is a column that may be named; false if it is something else.
#[track_caller]
const fn is_column(
    option: &str,
    expression: &str,
    word: &[u8],
    language: bool,
    columns: Columns<'_>,
    rules: Rules,
) -> bool {
    let Some(place) = columns.find(word) else {
        let is_known = is_hidden(word) || language || is_bound(expression, word);
        if !is_known {
            unknown(option, expression, word, columns);
        }
        return false;
    };
    let why = match columns.at(place).1 {
        Some(DefaultKind::Ephemeral) if !matches!(rules.sees, Sees::All) => {
            "`ephemeral`: it is not stored, and only defaults and materialized columns can use it"
        }
        Some(DefaultKind::Alias) if matches!(rules.sees, Sees::Stored) => {
            "an `alias`: it is computed by reading, and there is no value of it here; write its expression out"
        }
        _ => return true,
    };
    Message::new("`").text(option).text("` names `").bytes(word).text("`, which is ").text(why).fail();
}

#[track_caller]
const fn unknown(option: &str, expression: &str, word: &[u8], columns: Columns<'_>) {
    let message = Message::new("`").text(option);
    let message = if equal_bytes(expression.as_bytes(), word) {
        message.text("` names `").bytes(word).text("`, which")
    } else {
        message.text("` is `").text(expression).text("`, in which `").bytes(word).text("`")
    };
    let message = message.text(" is not a column of the record; ");
    match Nearest::among(word, columns) {
        Some(name) => message.text("did you mean `").text(name).text("`?").fail(),
        None => message.text("its columns are: ").names(columns).fail(),
    }
}

#[track_caller]
const fn function(option: &str, expression: &str, function: &[u8], rules: Rules) {
    if rules.made_up || !is_made_up(function) {
        return;
    }
    Message::new("`")
        .text(option)
        .text("` is `")
        .text(expression)
        .text("`, in which `")
        .bytes(function)
        .text("()` gives another value at each try: use what the record has")
        .fail();
}

/// Checks that quotes and parentheses are balanced, and that nothing after the expression could be cut off by it.
#[track_caller]
const fn expect_whole(option: &str, expression: &str) {
    let mut tokens = Tokens::of(expression);
    let mut open = 0_usize;
    let wrong = loop {
        match tokens.next() {
            Token::End if open == 0 => return,
            Token::End => break "has a parenthesis without its partner",
            Token::Broken => break "has a quote without its end",
            Token::Comment => break "has a comment in it, which would hide the rest of the statement",
            Token::Unknown => {
                break "has a sign in it that ClickHouse does not know; names with other than ASCII letters stand in backticks";
            }
            Token::Sign(b';') => break "has a `;` in it, which would end the statement",
            Token::Sign(b'(' | b'[' | b'{') => open += 1,
            Token::Sign(b')' | b']' | b'}') => match open.checked_sub(1) {
                Some(less) => open = less,
                None => break "has a parenthesis without its partner",
            },
            _ => {}
        }
    };
    Message::new("`").text(option).text("` is `").text(expression).text("`, which ").text(wrong).fail();
}

/// Whether the word is a provenance column.
const fn is_hidden(word: &[u8]) -> bool {
    equal_bytes(word, provenance::EPOCH.as_bytes())
        || equal_bytes(word, provenance::PARTITION.as_bytes())
        || equal_bytes(word, provenance::OFFSET.as_bytes())
}

/// Whether a token is a keyword, judging by its neighbours.
const fn is_language(token: Token<'_>, before: Token<'_>, following: Token<'_>) -> bool {
    let Token::Word(word) = token else { return false };
    contains(KEYWORDS, word)
        || (contains(NOUNS, word) && (before.ends_value() || following.is_keyword("FROM")))
        || (contains(&["GROUP", "ORDER"], word) && following.is_keyword("BY"))
        || (contains(&["DATE", "TIMESTAMP"], word) && matches!(following, Token::Text))
}

/// Whether a function is non-deterministic.
const fn is_made_up(function: &[u8]) -> bool {
    contains(MADE_UP_FUNCTIONS, function)
}

const fn contains(names: &[&str], word: &[u8]) -> bool {
    let mut place = 0;
    while place < names.len() {
        if names[place].as_bytes().eq_ignore_ascii_case(word) {
            return true;
        }
        place += 1;
    }
    false
}

/// Whether the expression itself binds the word: `… AS word`, `word -> …`, `(word, other) -> …`.
const fn is_bound(expression: &str, word: &[u8]) -> bool {
    let mut tokens = Tokens::of(expression);
    let mut before = Token::End;
    loop {
        let token = tokens.next();
        match token {
            Token::End => return false,
            _ if token.names(word) && (before.is_keyword("AS") || ends_in_arrow(tokens)) => return true,
            _ => {}
        }
        before = token;
    }
}

/// Whether `->` follows, directly or after the end of a list of words.
const fn ends_in_arrow(mut tokens: Tokens<'_>) -> bool {
    loop {
        match tokens.next() {
            Token::Arrow => return true,
            Token::Sign(b',') | Token::Word(_) | Token::Name(_) => {}
            Token::Sign(b')') => return matches!(tokens.next(), Token::Arrow),
            _ => return false,
        }
    }
}

/// The first non-deterministic function in the expression.
pub(super) const fn made_up_in(expression: &str) -> Option<&str> {
    let mut tokens = Tokens::of(expression);
    loop {
        match tokens.next() {
            Token::End | Token::Broken | Token::Comment | Token::Unknown => return None,
            Token::Word(word) if tokens.following().is(b'(') && is_made_up(word) => {
                return match core::str::from_utf8(word) {
                    Ok(word) => Some(word),
                    Err(_) => None,
                };
            }
            _ => {}
        }
    }
}

/// Whether the expression names the column.
pub(super) const fn names(expression: &str, column: &str) -> bool {
    let mut tokens = Tokens::of(expression);
    let mut before = Token::End;
    loop {
        let token = tokens.next();
        match token {
            Token::End | Token::Broken | Token::Comment | Token::Unknown => return false,
            _ if token.names(column.as_bytes()) && !before.is(b'.') && !tokens.following().is(b'(') => return true,
            _ => {}
        }
        before = token;
    }
}

/// Checks a field's expression, called by generated code. `kind` is the kind of the column's default; `None` means that
/// the expression is its `ttl`.
#[doc(hidden)]
#[track_caller]
pub const fn check_field(column: &str, kind: Option<DefaultKind>, expression: &str, columns: &[ColumnName]) {
    let (option, rules) = match kind {
        None => ("ttl", Rules::TTL),
        Some(DefaultKind::Default) => ("default", Rules::VALUE),
        Some(DefaultKind::Materialized) => ("materialized", Rules::VALUE),
        Some(DefaultKind::Ephemeral) => ("ephemeral", Rules::VALUE),
        Some(DefaultKind::Alias) => ("alias", Rules::READ),
    };
    check(option, expression, Columns::Named(columns), rules);
    if kind.is_some() && names(expression, column) {
        Message::new("`")
            .text(option)
            .text("` of `")
            .text(column)
            .text("` names `")
            .text(column)
            .text("` itself")
            .fail();
    }
}

#[cfg(test)]
#[path = "expression_tests.rs"]
mod tests;
