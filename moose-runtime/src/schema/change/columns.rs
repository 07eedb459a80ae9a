//! Compares the columns of one table: added, dropped, renamed, changed.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Column, Table};
use super::{Change, Fit, Position, Refusal};

/// The changes, and the data for them.
pub(super) struct Compared {
    pub(super) changes: Vec<Change>,
    /// New names by old ones.
    pub(super) renamed: BTreeMap<String, String>,
}

/// Compares the declared columns in their order, then finds dropped and moved ones.
pub(super) fn compare(before: &Table, after: &Table) -> Result<Compared, Vec<Refusal>> {
    let old: BTreeMap<&str, &Column> = before.columns.iter().map(|column| (column.name.as_str(), column)).collect();
    let new: BTreeSet<&str> = after.columns.iter().map(|column| column.name.as_str()).collect();
    let mut comparison = Comparison { table: after, changes: Vec::new(), refusals: Vec::new() };
    let mut renamed = BTreeMap::new();
    let mut added = Vec::new();
    let mut previous = None;
    for column in &after.columns {
        let source = old.get(column.name.as_str()).or_else(|| old.get(column.renamed_from.as_deref()?));
        match source {
            None => {
                let position = behind(previous);
                added.push(column);
                comparison.changes.push(Change::AddColumn { column: column.recordable(), position });
            }
            Some(source) => {
                if source.name != column.name {
                    comparison.rename(source, column, &new, renamed.contains_key(&source.name));
                    renamed.insert(source.name.clone(), column.name.clone());
                }
                comparison.json(source, column);
                comparison.column(source, column);
            }
        }
        previous = Some(&column.name);
    }
    for column in &before.columns {
        if !new.contains(column.name.as_str()) && !renamed.contains_key(&column.name) {
            comparison.drop(column, &added);
        }
    }
    let moves = moves(before, after, &renamed, &comparison.changes);
    comparison.changes.extend(moves);
    let Comparison { changes, refusals, .. } = comparison;
    if refusals.is_empty() { Ok(Compared { changes, renamed }) } else { Err(refusals) }
}

/// The position after this column.
pub(super) fn behind(previous: Option<&String>) -> Position {
    previous.map_or(Position::First, |previous| Position::After(previous.clone()))
}

struct Comparison<'a> {
    table: &'a Table,
    changes: Vec<Change>,
    refusals: Vec<Refusal>,
}

impl Comparison<'_> {
    fn rename(&mut self, source: &Column, column: &Column, new: &BTreeSet<&str>, taken: bool) {
        let (from, to) = (source.name.clone(), column.name.clone());
        let why = if new.contains(from.as_str()) {
            Some(format!("a column `{from}` is declared too"))
        } else if taken {
            Some(format!("another column says that it was `{from}`"))
        } else {
            None
        };
        match why {
            Some(why) => {
                self.refusals.push(Refusal::RenameInTheWay { table: self.table.name.clone(), from, to, why });
            }
            None => self.changes.push(Change::RenameColumn { from, to }),
        }
    }

    /// Refuses a rename in JSON without the recorded name as an alias, because earlier records use that.
    fn json(&mut self, before: &Column, after: &Column) {
        if let Some(name) = before.json.first()
            && !after.json.is_empty()
            && !after.json.contains(name)
        {
            self.refusals.push(Refusal::ForgottenName {
                table: self.table.name.clone(),
                column: after.name.clone(),
                name: name.clone(),
            });
        }
    }

    fn drop(&mut self, column: &Column, added: &[&Column]) {
        let (name, data_type) = (column.name.clone(), column.data_type.clone());
        if self.table.dropped.contains(&name) || !column.is_stored() {
            self.changes.push(Change::DropColumn { name, data_type });
            return;
        }
        let alike = added.iter().filter(|added| added.data_type == data_type);
        self.refusals.push(Refusal::UndeclaredDrop {
            table: self.table.name.clone(),
            column: name,
            data_type: data_type.to_string(),
            json: column.json.first().cloned(),
            candidates: alike.map(|added| added.name.clone()).collect(),
        });
    }

    fn column(&mut self, before: &Column, after: &Column) {
        let name = || after.name.clone();
        let kind = |column: &Column| column.default.as_ref().map(|default| default.kind);
        let is_computed_otherwise = !after.is_stored() && kind(before) != kind(after);
        if before.is_stored() != after.is_stored() || is_computed_otherwise {
            self.replace(before, after);
            return;
        }
        if before.data_type != after.data_type {
            self.data_type(before, after);
        }
        if before.default != after.default {
            let (from, to) = (before.default.clone(), after.default.clone());
            self.changes.push(Change::ColumnDefault { column: name(), from, to });
        }
        if before.codec != after.codec {
            let (from, to) = (before.codec.clone(), after.codec.clone());
            self.changes.push(Change::ColumnCodec { column: name(), from, to });
        }
        if before.ttl != after.ttl {
            let (from, to) = (before.ttl.clone(), after.ttl.clone());
            self.changes.push(Change::ColumnTtl { column: name(), from, to });
        }
        if before.comment != after.comment {
            let (from, to) = (before.comment.clone(), after.comment.clone());
            self.changes.push(Change::ColumnComment { column: name(), from, to });
        }
    }

    fn replace(&mut self, before: &Column, after: &Column) {
        if before.is_stored() && !after.narrowed {
            let kind = after.default.as_ref().map(|default| default.kind.to_string());
            self.refusals.push(Refusal::UndeclaredUnstoring {
                table: self.table.name.clone(),
                column: after.name.clone(),
                kind: kind.unwrap_or_default(),
            });
            return;
        }
        // The rename is a step of its own, before this.
        let before = Column { name: after.name.clone(), ..before.recordable() };
        self.changes.push(Change::ReplaceColumn { before, after: after.recordable() });
    }

    fn data_type(&mut self, before: &Column, after: &Column) {
        let (from, to) = (before.data_type.clone(), after.data_type.clone());
        let (table, column) = (self.table.name.clone(), after.name.clone());
        // A column computed on reading stores nothing that could be lost.
        let fit = if after.is_stored() { Fit::of(&from, &to) } else { Fit::Widens };
        let refusal = match fit {
            Fit::Narrows if !after.narrowed => {
                Refusal::UndeclaredNarrowing { table, column, from: from.to_string(), to: to.to_string() }
            }
            Fit::Never => Refusal::ImpossibleType { table, column, from: from.to_string(), to: to.to_string() },
            _ => {
                self.changes.push(Change::ColumnType { column, from, to, fit });
                return;
            }
        };
        self.refusals.push(refusal);
    }
}

/// Moves the fewest columns, once new ones exist, so that all are in the declared order.
fn moves(before: &Table, after: &Table, renamed: &BTreeMap<String, String>, changes: &[Change]) -> Vec<Change> {
    let comes = |name: &String| {
        changes.iter().any(|change| match change {
            Change::AddColumn { column, .. } | Change::ReplaceColumn { after: column, .. } => column.name == *name,
            _ => false,
        })
    };
    let wanted: Vec<&String> = after.columns.iter().map(|column| &column.name).collect();
    let names = before.columns.iter().map(|column| renamed.get(&column.name).unwrap_or(&column.name).clone());
    let mut there: Vec<String> = names.filter(|name| wanted.contains(&name) && !comes(name)).collect();
    let mut previous = None;
    for name in &wanted {
        if comes(name) {
            let behind = |previous: &String| there.iter().position(|it| it == previous).map(|at| at + 1);
            let at = previous.and_then(behind).unwrap_or(0);
            there.insert(at, (*name).clone());
        }
        previous = Some(*name);
    }
    moved(&there, &wanted).into_iter().map(|(column, position)| Change::MoveColumn { column, position }).collect()
}

/// Which of the existing columns must move, and where to, to be in the order of `wanted`.
fn moved(there: &[String], wanted: &[&String]) -> Vec<(String, Position)> {
    let place: BTreeMap<&String, usize> = wanted.iter().enumerate().map(|(place, name)| (*name, place)).collect();
    let staying = longest_rising(&there.iter().filter_map(|name| place.get(name).copied()).collect::<Vec<_>>());
    let mut moves = Vec::new();
    let mut previous = None;
    for (place, name) in wanted.iter().enumerate() {
        if there.contains(name) && !staying.contains(&place) {
            moves.push(((*name).clone(), behind(previous)));
        }
        previous = Some(*name);
    }
    moves
}

/// The values of a longest increasing subsequence.
fn longest_rising(values: &[usize]) -> BTreeSet<usize> {
    let mut best: Vec<Vec<usize>> = Vec::with_capacity(values.len());
    for &value in values {
        let before =
            best.iter().filter(|rising| rising.last().is_none_or(|last| *last < value)).max_by_key(|it| it.len());
        let mut rising = before.cloned().unwrap_or_default();
        rising.push(value);
        best.push(rising);
    }
    best.into_iter().max_by_key(Vec::len).unwrap_or_default().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn moving_columns_gives_the_wanted_order(order in Just((0..7).collect::<Vec<usize>>()).prop_shuffle()) {
            let mut there: Vec<String> = (0..7).map(|number| format!("c{number}")).collect();
            let wanted: Vec<String> = order.iter().map(|number| format!("c{number}")).collect();
            let moves = moved(&there, &wanted.iter().collect::<Vec<_>>());
            prop_assert!(moves.len() < 7);
            for (column, position) in moves {
                there.retain(|name| *name != column);
                let at = match position {
                    Position::First => 0,
                    Position::After(previous) => there.iter().position(|name| *name == previous).unwrap() + 1,
                };
                there.insert(at, column);
            }
            prop_assert_eq!(there, wanted);
        }
    }
}
