//! Rebuilds a table, for changes that no ALTER can make: a new table takes its place.
//!
//! While the table is drained its rows are copied by column name, hidden columns included; then the two tables are
//! exchanged, and the old one is kept under another name until the author drops it.

use super::super::{DefaultKind, Replication, Table, provenance, quote_identifier};
use super::{Change, PlanStep, Refusal, guard, step::drained};

/// Between the table's name and the migration's number, in the name of the new table.
const NEW: &str = "__new_";

/// The same in the name of the old table.
pub(super) const OLD: &str = "__old_";

/// Name under which the old table is kept.
pub(super) fn kept(table: &Table, number: u32) -> String {
    format!("{}{OLD}{number}", table.name)
}

/// Why the new table can't exist beside the old one.
pub(super) fn refusal(before: &Table, after: &Table, changes: &[Change]) -> Option<Refusal> {
    let change = changes.iter().find(|change| change.needs_new_table())?;
    let (Replication::At { path: old, .. }, Replication::At { path, .. }) =
        (&before.engine.replication, &after.engine.replication)
    else {
        return None;
    };
    let is_shared = old == path && !path.contains("{uuid}") && !path.contains("{table}");
    is_shared.then(|| Refusal::SharedReplicaPath {
        table: after.name.clone(),
        change: change.to_string(),
        path: path.clone(),
    })
}

/// The statements, between drain and resume.
pub(super) fn steps(before: &Table, after: &Table, changes: &[Change], number: u32) -> Vec<PlanStep> {
    let cluster = after.on_cluster();
    let (name, new) = (quote_identifier(&after.name), format!("{}{NEW}{number}", after.name));
    let mut statements = guard::values(&before.name, changes);
    if before.name != after.name {
        statements.push(format!("RENAME TABLE {} TO {name}{cluster}", quote_identifier(&before.name)));
    }
    statements.push(after.create_statement_as(&new));
    let new = quote_identifier(&new);
    statements.push(copy(before, after, changes, &new));
    statements.push(format!("EXCHANGE TABLES {name} AND {new}{cluster}"));
    statements.push(format!("RENAME TABLE {new} TO {}{cluster}", quote_identifier(&kept(after, number))));
    let mut steps = drained(&before.name, true, statements);
    if let Some(guard) = guard::whole_table_is_here(after) {
        steps.insert(0, PlanStep::Statement(guard));
    }
    steps
}

fn copy(before: &Table, after: &Table, changes: &[Change], new: &str) -> String {
    let mut columns: Vec<(String, String)> = Vec::new();
    for column in after.columns.iter().filter(|column| column.is_stored()) {
        let renamed = changes.iter().find_map(|change| match change {
            Change::RenameColumn { from, to } if *to == column.name => Some(from),
            _ => None,
        });
        let source = renamed.unwrap_or(&column.name);
        if before.columns.iter().any(|it| it.name == *source && it.is_stored()) {
            columns.push((quote_identifier(&column.name), quote_identifier(source)));
        }
    }
    if before.provenance && after.provenance {
        columns.extend(provenance::COLUMNS.iter().map(|it| (quote_identifier(it.name), quote_identifier(it.name))));
    }
    let (targets, sources): (Vec<String>, Vec<String>) = columns.into_iter().unzip();
    // Without deduplication, since two blocks may be identical; and with any number of partitions per block.
    let mut settings = vec!["insert_deduplicate = 0", "max_partitions_per_insert_block = 0"];
    let is_materialized = |column: &super::super::Column| {
        column.default.as_ref().is_some_and(|default| default.kind == DefaultKind::Materialized)
    };
    if after.provenance || after.columns.iter().any(is_materialized) {
        settings.push("insert_allow_materialized_columns = 1");
    }
    format!(
        "INSERT INTO {new}\n    ({})\nSELECT {}\nFROM {}\nSETTINGS {}",
        targets.join(", "),
        sources.join(", "),
        quote_identifier(&after.name),
        settings.join(", ")
    )
}
