//! Splits a table's `CREATE` statement, as the server shows it, into pieces that can be compared one by one.

use std::collections::BTreeMap;

use crate::schema::lexer::{Lexer, TokenKind};

/// The pieces of a `CREATE TABLE` as a server prints it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// Columns, in order: name and definition.
    pub(super) columns: Vec<(String, String)>,
    /// Indexes, projections and constraints: kind and name, and definition.
    pub(super) others: BTreeMap<String, String>,
    /// `ENGINE`, `PARTITION BY`, `PRIMARY KEY`, `ORDER BY`, `SAMPLE BY`, `TTL`, `COMMENT`, with what follows them.
    pub(super) clauses: BTreeMap<&'static str, String>,
    /// Settings by name.
    pub(super) settings: BTreeMap<String, String>,
}

/// Clauses after the columns.
const CLAUSES: [&str; 8] =
    ["ENGINE =", "PARTITION BY", "PRIMARY KEY", "ORDER BY", "SAMPLE BY", "TTL", "SETTINGS", "COMMENT"];

/// Elements between the parentheses that are not columns.
const OTHERS: [&str; 3] = ["INDEX", "PROJECTION", "CONSTRAINT"];

impl Shape {
    /// Splits the text; `None` if it is not a table's.
    pub(super) fn read(text: &str) -> Option<Self> {
        let open = position(text, 0, |rest| rest.starts_with('('))?;
        let inside = open + 1;
        let end = inside + closing(text.get(inside..)?)?;
        let mut shape = Self::default();
        for element in pieces(text.get(inside..end)?) {
            shape.add(element.trim());
        }
        let tail = text.get(end + 1..)?;
        let mut starts: Vec<(usize, &'static str)> = Vec::new();
        for clause in CLAUSES {
            let begins = |rest: &str| rest.strip_prefix(' ').is_some_and(|rest| rest.starts_with(clause));
            if let Some(at) = position(tail, 0, begins) {
                starts.push((at, clause));
            }
        }
        starts.sort_unstable();
        for (index, (at, clause)) in starts.iter().enumerate() {
            let end = starts.get(index + 1).map_or(tail.len(), |(next, _)| *next);
            let text = tail.get(at + 1 + clause.len()..end)?.trim();
            if *clause == "SETTINGS" {
                let pairs = pieces(text).into_iter().filter_map(|pair| pair.split_once('='));
                shape.settings = pairs.map(|(name, value)| (name.trim().to_owned(), setting(value.trim()))).collect();
            } else if let Some(text) = clause_text(clause, text) {
                shape.clauses.insert(clause, text.to_owned());
            }
        }
        Some(shape)
    }

    fn add(&mut self, element: &str) {
        if element.starts_with('`') {
            let end = Lexer::new(element).next().map_or(0, |name| name.end);
            let (name, rest) = element.split_at_checked(end).unwrap_or((element, ""));
            self.columns.push((name.to_owned(), without_default_codec(rest.trim())));
            return;
        }
        if let Some(rest) = OTHERS.iter().find_map(|word| element.strip_prefix(word).map(|rest| (word, rest.trim()))) {
            let (word, rest) = rest;
            let (name, definition) = rest.split_once(' ').unwrap_or((rest, ""));
            // Quoted or not, as the server prefers.
            let name = name.trim_matches('`');
            self.others.insert(format!("{} `{name}`", word.to_lowercase()), definition.trim().to_owned());
        } else if let Some((name, rest)) = element.split_once(' ') {
            self.columns.push((format!("`{name}`"), without_default_codec(rest.trim())));
        }
    }
}

/// The codec of a column without one.
const DEFAULT_CODEC: &str = " CODEC(Default)";

fn without_default_codec(column: &str) -> String {
    match position(column, 0, |rest| rest.starts_with(DEFAULT_CODEC)) {
        Some(at) => column.split_at(at).0.to_owned() + column.get(at + DEFAULT_CODEC.len()..).unwrap_or_default(),
        None => column.to_owned(),
    }
}

/// A setting's value: numbers and booleans without quotes.
fn setting(value: &str) -> String {
    match value.trim_matches('\'') {
        "true" => "1".to_owned(),
        "false" => "0".to_owned(),
        number if number.parse::<f64>().is_ok() => number.to_owned(),
        _ => value.to_owned(),
    }
}

/// The content of a clause; `None` if it is the default. A key of one column is the same with or without parentheses.
fn clause_text<'a>(clause: &str, text: &'a str) -> Option<&'a str> {
    if !matches!(clause, "PARTITION BY" | "PRIMARY KEY" | "ORDER BY") {
        return Some(text);
    }
    if clause == "PARTITION BY" && text == "tuple()" {
        return None;
    }
    let inside = text.strip_prefix("tuple(").filter(|inside| closing(inside).is_some_and(|at| at + 1 == inside.len()));
    let single = inside.and_then(|inside| inside.strip_suffix(')')).filter(|inside| {
        // A tuple in a tuple is one value, not several.
        pieces(inside).len() == 1 && !inside.starts_with('(') && !inside.starts_with("tuple(")
    });
    Some(single.unwrap_or(text))
}

/// The text without what is optional: parentheses, the function name that they replace, and whitespace. Texts that are
/// equal in this form may still differ in meaning.
pub(super) fn bare(text: &str) -> String {
    const TUPLE: &str = "tuple";
    let mut bare = String::with_capacity(text.len());
    let mut lexer = Lexer::new(text);
    while let Some(token) = lexer.next() {
        match token.of(text) {
            "(" if bare.ends_with(TUPLE) => bare.truncate(bare.len() - TUPLE.len()),
            "(" | ")" => {}
            _ if token.kind == TokenKind::Blank => {}
            piece => bare.push_str(piece),
        }
    }
    bare
}

/// The lines of `EXPLAIN AST` about a table's columns and storage.
pub(super) fn tree(explained: &str) -> String {
    let mut is_wanted = false;
    let mut tree = String::new();
    for line in explained.lines() {
        if let Some(node) = line.strip_prefix(' ').filter(|node| !node.starts_with(' ')) {
            is_wanted = node.starts_with("Columns definition") || node.starts_with("Storage definition");
        }
        if is_wanted {
            tree.push_str(line);
            tree.push('\n');
        }
    }
    tree
}

/// The first position outside quotes and parentheses where `found` holds for the rest.
fn position(text: &str, from: usize, found: impl Fn(&str) -> bool) -> Option<usize> {
    let mut depth = 0_usize;
    let rest = text.get(from..)?;
    let mut lexer = Lexer::new(rest);
    while let Some(token) = lexer.next() {
        if depth == 0 && rest.get(token.start..).is_some_and(&found) {
            return Some(from + token.start);
        }
        match token.of(rest) {
            "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// The position of the parenthesis that closes the one opened before the text.
fn closing(text: &str) -> Option<usize> {
    position(text, 0, |rest| rest.starts_with(')'))
}

/// Splits the text at its commas.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    while let Some(comma) = position(text, start, |rest| rest.starts_with(',')) {
        pieces.extend(text.get(start..comma));
        start = comma + 1;
    }
    pieces.extend(text.get(start..).filter(|last| !last.trim().is_empty()));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_taken_apart_at_its_own_commas() {
        let text = "CREATE TABLE moose.`a (b` (`id` UInt64, `x,y` Enum8('a, b' = 1, 'it\\'s)' = 2) DEFAULT 'a, b' CODEC(Delta(8), ZSTD(1)) \
             TTL d + toIntervalDay(1), INDEX i id TYPE minmax GRANULARITY 1, PROJECTION p (SELECT id ORDER BY id), \
             CONSTRAINT c CHECK id > 0) ENGINE = ReplacingMergeTree(id) PARTITION BY toYYYYMM(d) PRIMARY KEY id \
             ORDER BY (id, d) TTL d + toIntervalDay(3) SETTINGS index_granularity = 8192, storage_policy = 'a, b' \
             COMMENT 'it\\'s ORDER BY'";
        let shape = Shape::read(text).unwrap();
        let names: Vec<&str> = shape.columns.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["`id`", "`x,y`"]);
        assert!(shape.columns[1].1.ends_with("CODEC(Delta(8), ZSTD(1)) TTL d + toIntervalDay(1)"), "{shape:?}");
        let others: Vec<&str> = shape.others.keys().map(String::as_str).collect();
        assert_eq!(others, ["constraint `c`", "index `i`", "projection `p`"]);
        assert_eq!(shape.clauses["ORDER BY"], "(id, d)");
        assert_eq!(shape.clauses["ENGINE ="], "ReplacingMergeTree(id)");
        assert_eq!(shape.clauses["COMMENT"], "'it\\'s ORDER BY'");
        assert_eq!(shape.settings["storage_policy"], "'a, b'");
    }

    #[test]
    fn a_text_without_its_parentheses() {
        for (text, expected) in [
            ("(a, b)", "a,b"),
            ("tuple(a, b)", "a,b"),
            ("((a), b)", "a,b"),
            ("concat(a, '(x )')", "concata,'(x )'"),
            ("`a (b` > (0)", "`a (b`>0"),
        ] {
            assert_eq!(bare(text), expected, "{text}");
        }
    }

    #[test]
    fn of_a_syntax_tree_the_table_counts() {
        let text = "CreateQuery t (children 3)\n Identifier t\n Columns definition (children 1)\n  Index\n Storage \
                    definition\n  Identifier a\n Literal '/dev/fd/57'\n";
        assert_eq!(tree(text), " Columns definition (children 1)\n  Index\n Storage definition\n  Identifier a\n");
    }

    #[test]
    fn what_is_no_table_is_none() {
        for text in ["", "CREATE VIEW v AS SELECT 1", "CREATE TABLE t (`a` String"] {
            assert_eq!(Shape::read(text), None, "{text}");
        }
    }
}
