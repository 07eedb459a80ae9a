//! Compares what a table has besides columns: keys, engine, TTL, indexes, projections, constraints, settings.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{
    Table,
    lexer::{Token, TokenKind, tokens, unquoted},
};
use super::{Change, Fit};

/// Changes of keys and engine, which no ALTER can make. A key over a renamed column counts as changed, since no ALTER
/// renames a column that is in a key.
pub(super) fn keys(before: &Table, after: &Table, renamed: &BTreeMap<String, String>) -> Vec<Change> {
    let touched: BTreeSet<&str> =
        (renamed.iter().flat_map(|(from, to)| [from.as_str(), to.as_str()])).chain(retyped(before, after)).collect();
    let is_touched = |entries: &[String]| {
        entries.iter().any(|entry| touched.iter().any(|column| entry == column || mentions(entry, column)))
    };
    let mut changes = Vec::new();
    if before.engine != after.engine || is_touched(&after.engine.columns()) {
        changes.push(Change::Engine { from: before.engine.clone(), to: after.engine.clone() });
    }
    if before.order_by != after.order_by || is_touched(&after.order_by) {
        changes.push(Change::SortingKey { from: before.order_by.clone(), to: after.order_by.clone() });
    }
    if before.effective_primary_key() != after.effective_primary_key() {
        let (from, to) = (before.effective_primary_key().to_vec(), after.effective_primary_key().to_vec());
        changes.push(Change::PrimaryKey { from, to });
    }
    let expression_changes = |from: &Option<String>, to: &Option<String>| {
        from != to || to.as_ref().is_some_and(|text| touched.iter().any(|column| mentions(text, column)))
    };
    if expression_changes(&before.partition_by, &after.partition_by) {
        changes.push(Change::PartitionKey { from: before.partition_by.clone(), to: after.partition_by.clone() });
    }
    if expression_changes(&before.sample_by, &after.sample_by) {
        changes.push(Change::SampleKey { from: before.sample_by.clone(), to: after.sample_by.clone() });
    }
    changes
}

/// Names of columns with a changed type, which no ALTER can change if a key uses them.
fn retyped<'a>(before: &'a Table, after: &'a Table) -> impl Iterator<Item = &'a str> {
    after.columns.iter().filter_map(|column| {
        let old = before.columns.iter().find(|old| old.name == column.name)?;
        (old.data_type != column.data_type && Fit::of(&old.data_type, &column.data_type) != Fit::Never
            || old.is_stored() != column.is_stored())
        .then_some(column.name.as_str())
    })
}

/// Changes of TTL, settings, comment, provenance columns, cluster.
pub(super) fn options(before: &Table, after: &Table) -> Vec<Change> {
    let mut changes = Vec::new();
    if before.ttl != after.ttl {
        changes.push(Change::TableTtl { from: before.ttl.clone(), to: after.ttl.clone() });
    }
    let names: BTreeSet<&String> = before.settings.keys().chain(after.settings.keys()).collect();
    for name in names {
        let (from, to) = (before.settings.get(name).cloned(), after.settings.get(name).cloned());
        if from != to {
            changes.push(Change::Setting { name: name.clone(), from, to });
        }
    }
    if before.comment != after.comment {
        changes.push(Change::TableComment { from: before.comment.clone(), to: after.comment.clone() });
    }
    if before.provenance != after.provenance {
        changes.push(Change::Provenance { to: after.provenance });
    }
    if before.cluster != after.cluster {
        changes.push(Change::Cluster { from: before.cluster.clone(), to: after.cluster.clone() });
    }
    changes
}

/// Changes of indexes, projections and constraints: a changed one is dropped and added again. Their order doesn't
/// matter.
pub(super) fn parts(before: &Table, after: &Table) -> Vec<Change> {
    let mut changes = Vec::new();
    let gone = before.indexes.iter().filter(|it| !after.indexes.contains(it));
    changes.extend(gone.map(|index| Change::DropIndex { name: index.name.clone() }));
    let new = after.indexes.iter().filter(|it| !before.indexes.contains(it));
    changes.extend(new.map(|index| Change::AddIndex { index: index.clone() }));
    let gone = before.projections.iter().filter(|it| !after.projections.contains(it));
    changes.extend(gone.map(|projection| Change::DropProjection { name: projection.name.clone() }));
    let new = after.projections.iter().filter(|it| !before.projections.contains(it));
    changes.extend(new.map(|projection| Change::AddProjection { projection: projection.clone() }));
    let gone = before.constraints.iter().filter(|it| !after.constraints.contains(it));
    changes.extend(gone.map(|constraint| Change::DropConstraint { name: constraint.name.clone() }));
    let new = after.constraints.iter().filter(|it| !before.constraints.contains(it));
    changes.extend(new.map(|constraint| Change::AddConstraint { constraint: constraint.clone() }));
    changes
}

impl Table {
    /// The primary key of the table, declared or not.
    fn effective_primary_key(&self) -> &[String] {
        if self.primary_key.is_empty() { &self.order_by } else { &self.primary_key }
    }
}

/// Whether an expression may name the column: by its words and quoted names, with dotted names as one. A string counts
/// as an expression too, since some functions take names as strings.
pub(super) fn mentions(expression: &str, column: &str) -> bool {
    let texts = |token: &Token| token.kind == TokenKind::Text;
    names(expression, column)
        || tokens(expression).filter(texts).any(|token| names(&unquoted(token.of(expression)), column))
}

/// The same without the content of its strings.
fn names(expression: &str, column: &str) -> bool {
    // A name may contain dots, and each piece between them may be a column itself.
    let mut pieces: Vec<String> = Vec::new();
    let mut behind_dot = false;
    for token in tokens(expression) {
        let text = token.of(expression);
        match token.kind {
            TokenKind::Word | TokenKind::Name => {
                if !behind_dot {
                    pieces.clear();
                }
                for piece in unquoted(text).split('.') {
                    pieces.push(piece.to_owned());
                    if (0..pieces.len()).any(|from| pieces.get(from..).is_some_and(|path| path.join(".") == column)) {
                        return true;
                    }
                }
                behind_dot = false;
            }
            // An apostrophe in a string: what follows it has words all the same.
            TokenKind::Unended => {
                let is_end = |character: char| !(character.is_alphanumeric() || character == '_');
                if text.split(is_end).any(|word| word == column) {
                    return true;
                }
            }
            _ => {
                behind_dot = text == ".";
                if !behind_dot {
                    pieces.clear();
                }
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_named_by_a_word_a_quoted_name_or_a_path_with_dots() {
        for (expression, column, named) in [
            ("id", "id", true),
            ("cityHash64(id)", "id", true),
            ("userid + id2", "id", false),
            ("`user id`", "user id", true),
            ("\"user id\"", "user id", true),
            ("`a\\`b` + 1", "a`b", true),
            ("`a``b`", "a`b", true),
            ("tags.name", "tags.name", true),
            ("`tags`.`name`", "tags.name", true),
            ("`tags.name`", "tags.name", true),
            ("tags.name", "tags", true),
            ("`tags.name`", "tags", true),
            ("tags.name", "name", true),
            ("tags.name.first", "name.first", true),
            ("tags + name", "tags.name", false),
            ("f(tags). name", "tags.name", false),
            ("getSubcolumn(tags, 'name')", "name", true),
            ("match(name, 'don\\'t')", "id", false),
            ("match(name, 'don\\'t id')", "id", true),
            ("id -- of the user", "user", false),
            ("1e5 + x1", "e5", false),
        ] {
            assert_eq!(mentions(expression, column), named, "{column} in {expression}");
        }
    }
}
