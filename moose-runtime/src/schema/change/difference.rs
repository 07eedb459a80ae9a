//! Stage one: compares recorded tables with declared ones.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Column, Table};
use super::{Change, Refusal, TableChange, columns, elements};

/// The schema that the migrations lead to so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Recorded<'a> {
    /// The tables.
    pub tables: &'a [Table],
    /// Names of the old tables kept by rebuilds.
    pub kept: &'a [String],
}

/// The declared schema.
#[derive(Clone, Copy, Debug)]
pub struct Declared<'a> {
    /// The tables.
    pub tables: &'a [Table],
    /// Names of the tables that may be dropped.
    pub dropped: &'a [String],
}

/// The changes of every table that changes; or all refusals.
///
/// The changes are in an order in which they can be made: renamed tables first, then other changes, then new tables,
/// then dropped ones.
pub fn diff(recorded: Recorded<'_>, declared: Declared<'_>) -> Result<Vec<TableChange>, Vec<Refusal>> {
    let before: BTreeMap<&str, &Table> = recorded.tables.iter().map(|table| (table.name.as_str(), table)).collect();
    let after: BTreeMap<&str, &Table> = declared.tables.iter().map(|table| (table.name.as_str(), table)).collect();
    let mut refusals: Vec<Refusal> = (declared.dropped.iter())
        .filter(|name| after.contains_key(name.as_str()))
        .map(|name| Refusal::DroppedAndDeclared { table: name.clone() })
        .collect();

    let mut met = BTreeSet::new();
    let (mut renamed, mut altered, mut created) = (Vec::new(), Vec::new(), Vec::new());
    for (name, table) in &after {
        let old = before.get(name).copied();
        let source = old.or_else(|| renamed_from(table, &before));
        let Some(source) = source else {
            created.push(TableChange::Create(Box::new(table.recordable())));
            continue;
        };
        met.insert(source.name.as_str());
        refusals.extend(in_the_way(source, table, &after));
        match alter(source, table) {
            Ok(None) => {}
            Ok(Some(change)) if source.name == table.name => altered.push(change),
            Ok(Some(change)) => renamed.push(change),
            Err(found) => refusals.extend(found),
        }
    }
    let mut gone = Vec::new();
    for (name, table) in before.iter().filter(|(name, _)| !met.contains(*name)) {
        if declared.dropped.iter().any(|dropped| dropped == name) {
            gone.push(TableChange::Drop { name: table.name.clone(), cluster: table.cluster.clone() });
        } else {
            refusals.push(Refusal::UndeclaredTableDrop { table: table.name.clone() });
        }
    }
    let kept = recorded.kept.iter().filter(|kept| declared.dropped.contains(kept));
    gone.extend(kept.map(|kept| TableChange::Drop { name: kept.clone(), cluster: cluster_of(kept, recorded.tables) }));
    if refusals.is_empty() { Ok([renamed, altered, created, gone].concat()) } else { Err(refusals) }
}

impl Table {
    /// The table in the form that is recorded: without the author's permissions for changes.
    #[must_use]
    pub fn recordable(&self) -> Self {
        let columns = self.columns.iter().map(Column::recordable).collect();
        Self { renamed_from: None, dropped: Vec::new(), columns, ..self.clone() }
    }
}

impl Column {
    /// The column in the form that is recorded.
    pub(super) fn recordable(&self) -> Self {
        let json = self.json.iter().take(1).cloned().collect();
        Self { json, renamed_from: None, narrowed: false, ..self.clone() }
    }
}

/// The recorded table that this one is renamed from, if it says so.
fn renamed_from<'a>(table: &Table, before: &BTreeMap<&str, &'a Table>) -> Option<&'a Table> {
    before.get(table.renamed_from.as_deref()?).copied()
}

fn in_the_way(source: &Table, table: &Table, after: &BTreeMap<&str, &Table>) -> Option<Refusal> {
    (source.name != table.name && after.get(source.name.as_str()).is_some_and(|other| other.renamed_from.is_none()))
        .then(|| Refusal::RenameInTheWay {
            table: table.name.clone(),
            from: source.name.clone(),
            to: table.name.clone(),
            why: format!("a table `{}` is declared too", source.name),
        })
}

/// The cluster of an old table kept by a rebuild is that of the table itself.
fn cluster_of(kept: &str, tables: &[Table]) -> Option<String> {
    let (name, _) = kept.rsplit_once(super::rebuild::OLD)?;
    tables.iter().find(|table| table.name == name)?.cluster.clone()
}

fn alter(before: &Table, after: &Table) -> Result<Option<TableChange>, Vec<Refusal>> {
    let mut changes = Vec::new();
    if before.name != after.name {
        changes.push(Change::RenameTable { from: before.name.clone(), to: after.name.clone() });
    }
    let compared = columns::compare(before, after)?;
    changes.extend(elements::keys(before, after, &compared.renamed));
    changes.extend(compared.changes);
    changes.extend(elements::options(before, after));
    changes.extend(elements::parts(before, after));
    if changes.is_empty() {
        return Ok(None);
    }
    if let Some(refusal) = super::rebuild::refusal(before, after, &changes) {
        return Err(vec![refusal]);
    }
    Ok(Some(TableChange::Alter { before: Box::new(before.clone()), after: Box::new(after.recordable()), changes }))
}
