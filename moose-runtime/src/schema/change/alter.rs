//! Changes a table in place, by `ALTER` statements.
//!
//! They are in the order that ClickHouse accepts: what depends on a column is dropped before the column changes and
//! added again after; a column exists before something names it.

use std::collections::BTreeSet;

use super::super::{
    Column, ColumnDefault, DefaultKind, Table,
    ddl::{NESTED_WHOLE, hidden_additions},
    provenance,
    quote::setting_value,
    quote_identifier, quote_string,
};
use super::{
    Change, PlanStep, Position, columns::behind, elements::mentions, fit::have_one_default, guard, model::is_stored,
    step::drained,
};

/// The statements, between a drain and a resume if necessary.
pub(super) fn steps(before: &Table, after: &Table, changes: &[Change]) -> Vec<PlanStep> {
    let mut alteration = Alteration { before, after, changes, statements: Vec::new() };
    alteration.statements.extend(guard::values(&before.name, changes));
    alteration.rename_table();
    alteration.take_away();
    alteration.freeze();
    alteration.columns();
    alteration.drop_columns();
    alteration.put_back();
    alteration.options();
    drained(&before.name, changes.iter().any(Change::needs_drain), alteration.statements)
}

struct Alteration<'a> {
    before: &'a Table,
    after: &'a Table,
    changes: &'a [Change],
    statements: Vec<String>,
}

impl Alteration<'_> {
    fn alter(&mut self, clause: &str) {
        let name = quote_identifier(&self.after.name);
        let defines = ["ADD COLUMN", "MODIFY COLUMN"].iter().any(|verb| clause.starts_with(verb));
        let whole = defines && self.after.columns.iter().any(Column::has_nested);
        let settings = if whole { format!(" SETTINGS {NESTED_WHOLE}") } else { String::new() };
        self.statements.push(format!("ALTER TABLE {name}{} {clause}{settings}", self.before.on_cluster()));
    }

    fn rename_table(&mut self) {
        if self.before.name != self.after.name {
            let (from, to) = (quote_identifier(&self.before.name), quote_identifier(&self.after.name));
            self.statements.push(format!("RENAME TABLE {from} TO {to}{}", self.before.on_cluster()));
        }
    }

    /// Drops constraints, projections, indexes and TTLs that are removed, or that block a change of a column.
    fn take_away(&mut self) {
        for change in self.changes {
            match change {
                Change::DropConstraint { name } => {
                    self.alter(&format!("DROP CONSTRAINT IF EXISTS {}", quote_identifier(name)));
                }
                Change::DropProjection { name } => {
                    self.alter(&format!("DROP PROJECTION IF EXISTS {}", quote_identifier(name)));
                }
                Change::DropIndex { name } => self.alter(&format!("DROP INDEX IF EXISTS {}", quote_identifier(name))),
                Change::TableTtl { to: None, .. } => self.alter("REMOVE TTL"),
                _ => {}
            }
        }
        let (indexes, projections) = self.in_the_way();
        for name in projections {
            self.alter(&format!("DROP PROJECTION IF EXISTS {}", quote_identifier(&name)));
        }
        for name in indexes {
            self.alter(&format!("DROP INDEX IF EXISTS {}", quote_identifier(&name)));
        }
    }

    /// Names of the remaining indexes and projections that a change of a column would break.
    fn in_the_way(&self) -> (Vec<String>, Vec<String>) {
        let mut touched = Vec::new();
        let mut any = false;
        for change in self.changes {
            any |= matches!(change, Change::AddColumn { .. } | Change::DropColumn { .. } | Change::RenameColumn { .. });
            if let Change::ColumnType { column, .. }
            | Change::ReplaceColumn { after: Column { name: column, .. }, .. } = change
            {
                touched.push(column);
            }
        }
        any |= !touched.is_empty();
        let is_touched = |text: &str| touched.iter().any(|column| mentions(text, column));
        let kept = self.before.indexes.iter().filter(|it| self.after.indexes.contains(it));
        let indexes = kept.filter(|it| is_touched(&it.expression)).map(|it| it.name.clone()).collect();
        let kept = self.before.projections.iter().filter(|it| self.after.projections.contains(it));
        let projections = kept.filter(|it| is_touched(&it.query) || (any && it.query.contains('*')));
        (indexes, projections.map(|it| it.name.clone()).collect())
    }

    /// A row older than its column shows the column's current default. So before the default changes, the values of
    /// such rows are materialised.
    fn freeze(&mut self) {
        for change in self.changes {
            if let Change::RenameColumn { from, to } = change {
                self.alter(&format!("RENAME COLUMN IF EXISTS {} TO {}", quote_identifier(from), quote_identifier(to)));
            }
        }
        let mut frozen = BTreeSet::new();
        for change in self.changes {
            let (column, from) = match change {
                Change::ColumnDefault { column, from, .. } => (column, from.as_ref()),
                // Without a default it is the type's, which changes with the type.
                Change::ColumnType { column, from, to, .. } => match self.default_before(column) {
                    None if have_one_default(from, to) => continue,
                    default => (column, default),
                },
                _ => continue,
            };
            // A column of a key is in every part, and no UPDATE changes it.
            if !is_stored(from) || is_in_key(self.after, column) || !frozen.insert(column) {
                continue;
            }
            let name = quote_identifier(column);
            if let Some(ColumnDefault { kind: DefaultKind::Materialized, expression }) = from {
                // No UPDATE accepts such a value in its own type.
                let data_type = self.type_before(column);
                self.alter(&format!("MODIFY COLUMN {name} {data_type} DEFAULT {expression}"));
            }
            self.alter(&format!("UPDATE {name} = {name} WHERE 1"));
        }
    }

    /// The default of a column before the change, by the column's new name.
    fn default_before(&self, column: &str) -> Option<&ColumnDefault> {
        let changed = self.changes.iter().find_map(|change| match change {
            Change::ColumnDefault { column: name, from, .. } if name == column => Some(from.as_ref()),
            _ => None,
        });
        let declared = self.after.columns.iter().find(|it| it.name == column);
        changed.unwrap_or_else(|| declared.and_then(|it| it.default.as_ref()))
    }

    fn type_before(&self, column: &str) -> String {
        let changed = self.changes.iter().find_map(|change| match change {
            Change::ColumnType { column: name, from, .. } if name == column => Some(from.to_string()),
            _ => None,
        });
        let declared = self.after.columns.iter().find(|it| it.name == column);
        changed.or_else(|| declared.map(|it| it.data_type.to_string())).unwrap_or_default()
    }

    /// New columns first, then the changes of the others.
    fn columns(&mut self) {
        let added: Vec<String> = self.changes.iter().filter_map(added_column).collect();
        if !added.is_empty() {
            // In one statement, since the default of one may name another.
            self.alter(&added.join(",\n    "));
        }
        let after = self.after;
        for column in &after.columns {
            self.modify(column);
        }
        for change in self.changes {
            if let Change::TableTtl { to: Some(ttl), .. } = change {
                self.alter(&format!("MODIFY TTL {ttl}"));
            }
        }
    }

    fn modify(&mut self, column: &Column) {
        let name = quote_identifier(&column.name);
        let (mut modified, mut filled) = (false, false);
        for change in self.changes {
            match change {
                Change::ColumnType { column: of, from, to, .. } if *of == column.name => {
                    modified = true;
                    filled = from.is_nullable() && !to.is_nullable() && column.is_stored();
                }
                Change::ColumnDefault { column: of, from, to } if *of == column.name => match (from, to) {
                    (_, Some(_)) => modified = true,
                    (Some(from), None) => {
                        // One that was materialized has been changed to a default by now.
                        let is_kept = from.kind != DefaultKind::Materialized || is_in_key(self.after, of);
                        let kind = if is_kept { from.kind } else { DefaultKind::Default };
                        self.alter(&format!("MODIFY COLUMN {name} REMOVE {kind}"));
                    }
                    (None, None) => {}
                },
                Change::ColumnCodec { column: of, to, .. } if *of == column.name => match to {
                    Some(_) => modified = true,
                    None => self.alter(&format!("MODIFY COLUMN {name} REMOVE CODEC")),
                },
                Change::ColumnTtl { column: of, to, .. } if *of == column.name => match to {
                    Some(_) => modified = true,
                    None => self.alter(&format!("MODIFY COLUMN {name} REMOVE TTL")),
                },
                Change::ColumnComment { column: of, to, .. } if *of == column.name => match to {
                    Some(_) => modified = true,
                    None => self.alter(&format!("COMMENT COLUMN {name} ''")),
                },
                _ => {}
            }
        }
        if filled {
            // A column that becomes non-Nullable needs a value to replace NULL; the guard has made sure that there is
            // none. Not the column's own default: one that names another column fails half-way.
            let stand_in = ColumnDefault {
                kind: DefaultKind::Default,
                expression: format!("defaultValueOfTypeName({})", quote_string(&column.data_type.to_string())),
            };
            let column = Column { default: Some(stand_in), ..column.clone() };
            self.alter(&format!("MODIFY COLUMN {}", column.definition()));
        }
        if filled && column.default.is_none() {
            self.alter(&format!("MODIFY COLUMN {name} REMOVE DEFAULT"));
        } else if modified {
            self.alter(&format!("MODIFY COLUMN {}", column.definition()));
        }
    }

    /// In one statement, since the default of one may name another.
    fn drop_columns(&mut self) {
        let dropped: Vec<String> = (self.changes.iter())
            .filter_map(|change| match change {
                Change::DropColumn { name, .. } | Change::ReplaceColumn { after: Column { name, .. }, .. } => {
                    Some(format!("DROP COLUMN IF EXISTS {}", quote_identifier(name)))
                }
                _ => None,
            })
            .collect();
        if !dropped.is_empty() {
            self.alter(&dropped.join(",\n    "));
        }
        let mut previous = None;
        let after = self.after;
        for column in &after.columns {
            let is_replaced =
                |change: &Change| matches!(change, Change::ReplaceColumn { after, .. } if after == column);
            if self.changes.iter().any(is_replaced) {
                self.alter(&add(column, &behind(previous)));
            }
            previous = Some(&column.name);
        }
        for change in self.changes {
            if let Change::MoveColumn { column, position } = change
                && let Some(column) = after.columns.iter().find(|it| it.name == *column)
            {
                self.alter(&format!(
                    "MODIFY COLUMN {} {}{}",
                    quote_identifier(&column.name),
                    column.data_type,
                    clause(position)
                ));
            }
        }
    }

    /// Adds indexes, projections and constraints again, and materialises them for existing rows.
    fn put_back(&mut self) {
        let (indexes, projections) = self.in_the_way();
        let after = self.after;
        let has = |wanted: &dyn Fn(&Change) -> bool| self.changes.iter().any(wanted);
        let new_indexes: Vec<_> = (after.indexes.iter())
            .filter(|it| {
                indexes.contains(&it.name)
                    || has(&|change| matches!(change, Change::AddIndex { index } if index == *it))
            })
            .collect();
        let is_new = |change: &Change, it| matches!(change, Change::AddProjection { projection } if projection == it);
        let new_projections: Vec<_> = (after.projections.iter())
            .filter(|it| projections.contains(&it.name) || has(&|change| is_new(change, *it)))
            .collect();
        for index in new_indexes {
            self.alter(&format!("ADD {}", index.definition().replacen("INDEX ", "INDEX IF NOT EXISTS ", 1)));
            self.alter(&format!("MATERIALIZE INDEX IF EXISTS {}", quote_identifier(&index.name)));
        }
        for projection in new_projections {
            let definition = projection.definition().replacen("PROJECTION ", "PROJECTION IF NOT EXISTS ", 1);
            self.alter(&format!("ADD {definition}"));
            self.alter(&format!("MATERIALIZE PROJECTION IF EXISTS {}", quote_identifier(&projection.name)));
        }
        for change in self.changes {
            if let Change::AddConstraint { constraint } = change {
                let definition = constraint.definition().replacen("CONSTRAINT ", "CONSTRAINT IF NOT EXISTS ", 1);
                self.alter(&format!("ADD {definition}"));
            }
        }
    }

    fn options(&mut self) {
        for change in self.changes {
            match change {
                Change::Setting { name, to: Some(value), .. } => {
                    self.alter(&format!("MODIFY SETTING {name} = {}", setting_value(value)));
                }
                Change::Setting { name, to: None, .. } => self.alter(&format!("RESET SETTING {name}")),
                Change::TableComment { to, .. } => {
                    self.alter(&format!("MODIFY COMMENT {}", quote_string(to.as_deref().unwrap_or_default())));
                }
                Change::Provenance { to: true } => {
                    let (columns, index) = hidden_additions();
                    self.alter(&columns.join(",\n    "));
                    self.alter(&index);
                }
                Change::Provenance { to: false } => {
                    let index = quote_identifier(&provenance::offset_index().name);
                    self.alter(&format!("DROP INDEX IF EXISTS {index}"));
                    let columns: Vec<String> = provenance::COLUMNS
                        .iter()
                        .map(|column| format!("DROP COLUMN IF EXISTS {}", quote_identifier(column.name)))
                        .collect();
                    self.alter(&columns.join(",\n    "));
                }
                Change::Cluster { to: Some(_), .. } => {
                    self.statements.push(self.after.create_statement_as(&self.after.name));
                }
                _ => {}
            }
        }
    }
}

/// Whether the column is in a key, or a parameter of the table engine.
fn is_in_key(table: &Table, column: &str) -> bool {
    let expressions = [&table.partition_by, &table.sample_by];
    table.order_by.iter().any(|it| it == column || mentions(it, column))
        || table.engine.columns().iter().any(|it| it == column)
        || expressions.into_iter().flatten().any(|text| mentions(text, column))
}

fn added_column(change: &Change) -> Option<String> {
    match change {
        Change::AddColumn { column, position } => Some(add(column, position)),
        _ => None,
    }
}

fn add(column: &Column, position: &Position) -> String {
    let mut column = column.clone();
    if let Some(default) = column.default.as_mut().filter(|default| default.expression.is_empty()) {
        // ClickHouse would parse the position as part of the expression.
        default.expression = format!("defaultValueOfTypeName({})", quote_string(&column.data_type.to_string()));
    }
    format!("ADD COLUMN IF NOT EXISTS {}{}", column.definition(), clause(position))
}

fn clause(position: &Position) -> String {
    match position {
        Position::First => " FIRST".to_owned(),
        Position::After(column) => format!(" AFTER {}", quote_identifier(column)),
    }
}
