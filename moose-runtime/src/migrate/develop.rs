//! Updates the tables of a development database to the declarations, without migration files: the difference from what
//! was made last is planned and run.
//!
//! A change that needs a decision of the author stays undone, and is reported, until the declaration contains it. One
//! that is declared but would delete values needs a confirmation; where nobody can be asked, it stays undone.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    MigrateError, Options,
    apply::bring,
    drift,
    history::{History, Record, Writer},
    lock::Lock,
    runner::Runner,
};
use crate::{
    clickhouse::Client,
    migration::Migration,
    schema::{
        Table,
        change::{Change, Declared, Recorded, Refusal, Risk, TableChange, diff, plan},
        quote_identifier,
    },
};

/// Asks whether to make a change that deletes values. Called on a thread that may block.
pub type Confirm = fn(&str) -> bool;

/// An upper bound of rounds; more than there are reasons to leave something unchanged.
const ROUNDS: usize = 100;

/// The schema that was last reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Made {
    tables: Vec<Table>,
    kept: Vec<String>,
}

/// A change to leave undone.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Leave {
    /// A table that is no longer declared, or whose change is not made.
    Table(String),
    /// A column that is no longer declared.
    Column(String, String),
}

/// The result of a start in development, one line each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Developed {
    /// Changes that were made.
    pub done: Vec<String>,
    /// What was left unchanged, and why.
    pub left: Vec<String>,
}

/// Changes the tables to what is declared, as far as nothing is lost without confirmation. `fresh`: all of them were
/// just created.
pub async fn develop(
    client: &Client,
    tables: &[Table],
    dropped: &[String],
    options: Options,
    fresh: bool,
    confirm: Confirm,
) -> Result<Developed, MigrateError> {
    let history = History::load(client, Record::Development).await?;
    let made: Option<Made> = history.last().and_then(|(_, text)| serde_json::from_str(text).ok());
    let Some(made) = made else { return Box::pin(begin(client, tables, options, fresh)).await };
    let mut left = Vec::new();
    let mut declared = tables.to_vec();
    let changes = Box::pin(agreed(client, &made, &mut declared, dropped, confirm, &mut left)).await?;
    if changes.is_empty() {
        return Ok(Developed { done: Vec::new(), left });
    }
    let mut lock = Box::pin(Lock::acquire(client)).await?;
    let result = async {
        let writer = Writer::open(client, Record::Development, options.storage, lock.who().to_owned()).await?;
        let number = writer.history.last().map_or(1, |(number, _)| number.saturating_add(1));
        let plan = plan(&changes, number);
        let kept = made.kept.iter().cloned().chain(plan.tables.iter().filter_map(|table| table.kept.clone()));
        let kept = kept.filter(|name| !plan.tables.iter().any(|table| table.let_go.as_ref() == Some(name))).collect();
        let leads_to = text(&Made { tables: declared.iter().map(Table::recordable).collect(), kept })?;
        let migration = Migration::parse(&format!("{number:04}_development.sql"), &plan.to_string())?;
        bring(&mut Runner::new(client, &mut lock, options, writer), &migration, &leads_to).await?;
        Ok(Developed { done: plan.lines(), left })
    }
    .await;
    lock.end_with(result).await
}

/// A database seen for the first time: its tables are accepted if they are as declared.
async fn begin(client: &Client, tables: &[Table], options: Options, fresh: bool) -> Result<Developed, MigrateError> {
    let differences = if fresh { Vec::new() } else { drift(client, options.storage, tables).await? };
    if !differences.is_empty() {
        let mut left: Vec<String> = differences.iter().map(ToString::to_string).collect();
        left.push(
            "how these tables came about is not known, so they stay as they are, and nothing is changed by itself until \
             they are as declared: bring each there with an ALTER, or declare it as it is"
                .to_owned(),
        );
        return Ok(Developed { done: Vec::new(), left });
    }
    let made = Made { tables: tables.iter().map(Table::recordable).collect(), kept: Vec::new() };
    let migration = Migration::parse("0001_development.sql", "-- The tables were made as they were declared.\n")?;
    let lock = Lock::acquire(client).await?;
    let result = async {
        let mut writer = Writer::open(client, Record::Development, options.storage, lock.who().to_owned()).await?;
        writer.baseline(&migration, &text(&made)?).await?;
        Ok(Developed::default())
    }
    .await;
    lock.end_with(result).await
}

fn text(made: &Made) -> Result<String, MigrateError> {
    serde_json::to_string(made)
        .map_err(|error| MigrateError::History { table: Record::Development.table(), reason: error.to_string() })
}

/// The changes to make: those that lose nothing, and those that the author has declared and confirmed. `declared` is
/// changed to their result.
async fn agreed(
    client: &Client,
    made: &Made,
    declared: &mut Vec<Table>,
    dropped: &[String],
    confirm: Confirm,
    said: &mut Vec<String>,
) -> Result<Vec<TableChange>, MigrateError> {
    let recorded = Recorded { tables: &made.tables, kept: &made.kept };
    let mut dropped = dropped.to_vec();
    let mut yes = BTreeSet::new();
    for _ in 0..ROUNDS {
        let leave = match diff(recorded, Declared { tables: declared, dropped: &dropped }) {
            Err(refusals) => {
                said.extend(refusals.iter().map(ToString::to_string));
                refusals.iter().map(left_by).collect()
            }
            Ok(changes) => {
                let leave = declined(client, &changes, confirm, &mut yes, said).await?;
                if leave.is_empty() {
                    return Ok(changes);
                }
                leave
            }
        };
        for leave in leave {
            leave_as_it_is(&leave, made, declared, &mut dropped);
        }
    }
    said.push("the tables could not be brought along".to_owned());
    Ok(Vec::new())
}

fn left_by(refusal: &Refusal) -> Leave {
    match refusal {
        Refusal::UndeclaredDrop { table, column, .. } => Leave::Column(table.clone(), column.clone()),
        Refusal::UndeclaredTableDrop { table }
        | Refusal::ForgottenName { table, .. }
        | Refusal::UndeclaredNarrowing { table, .. }
        | Refusal::UndeclaredUnstoring { table, .. }
        | Refusal::ImpossibleType { table, .. }
        | Refusal::RenameInTheWay { table, .. }
        | Refusal::DroppedAndDeclared { table }
        | Refusal::SharedReplicaPath { table, .. } => Leave::Table(table.clone()),
    }
}

/// Changes that would delete values and were not confirmed.
async fn declined(
    client: &Client,
    changes: &[TableChange],
    confirm: Confirm,
    yes: &mut BTreeSet<String>,
    said: &mut Vec<String>,
) -> Result<Vec<Leave>, MigrateError> {
    let mut leave = Vec::new();
    for change in changes {
        let (table, destructive) = match change {
            TableChange::Drop { name, .. } => (name.clone(), vec![("drop the table".to_owned(), None)]),
            TableChange::Alter { before, changes, .. } => {
                let destructive = changes.iter().filter(|change| change.risk() == Risk::Destructive);
                (before.name.clone(), destructive.map(|change| (change.to_string(), dropped_column(change))).collect())
            }
            TableChange::Create(_) => continue,
        };
        if destructive.is_empty() || is_empty(client, &table).await? {
            continue;
        }
        for (what, column) in destructive {
            let question = format!("table `{table}` has rows: {what}, and lose what is in it?");
            if yes.contains(&question) {
                continue;
            }
            let asked = question.clone();
            if tokio::task::spawn_blocking(move || confirm(&asked)).await.unwrap_or(false) {
                yes.insert(question);
            } else {
                said.push(format!("table `{table}`: not done, because it would lose what is there: {what}"));
                leave.push(column.map_or(Leave::Table(table.clone()), |column| Leave::Column(table.clone(), column)));
            }
        }
    }
    Ok(leave)
}

fn dropped_column(change: &Change) -> Option<String> {
    match change {
        Change::DropColumn { name, .. } => Some(name.clone()),
        _ => None,
    }
}

async fn is_empty(client: &Client, table: &str) -> Result<bool, MigrateError> {
    let rows: Vec<(u8,)> = client.query_rows(&format!("SELECT 1 FROM {} LIMIT 1", quote_identifier(table))).await?;
    Ok(rows.is_empty())
}

/// Changes the declared tables so that this stays as it was.
fn leave_as_it_is(leave: &Leave, made: &Made, declared: &mut Vec<Table>, dropped: &mut Vec<String>) {
    match leave {
        Leave::Column(table, column) => {
            let before = made.tables.iter().find(|made| made.name == *table);
            let columns = before.map(|made| made.columns.as_slice()).unwrap_or_default();
            let before = columns.iter().enumerate().find(|(_, made)| made.name == *column);
            let after = declared
                .iter_mut()
                .find(|declared| declared.name == *table || declared.renamed_from.as_deref() == Some(table));
            if let (Some((before_at, before)), Some(after)) = (before, after) {
                after.dropped.retain(|dropped| dropped != column);
                let place = before_at.min(after.columns.len());
                after.columns.insert(place, before.clone());
            }
        }
        Leave::Table(table) => {
            dropped.retain(|dropped| dropped != table);
            declared.retain(|declared| declared.name != *table && declared.renamed_from.as_deref() != Some(table));
            declared.extend(made.tables.iter().find(|made| made.name == *table).cloned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Column, DataType, Engine};

    fn table(name: &str, columns: &[&str]) -> Table {
        let column = |name: &&str| Column {
            name: (*name).to_owned(),
            json: Vec::new(),
            data_type: DataType::String,
            default: None,
            codec: None,
            ttl: None,
            comment: None,
            renamed_from: None,
            narrowed: false,
        };
        Table {
            name: name.to_owned(),
            columns: columns.iter().map(column).collect(),
            engine: Engine::default(),
            order_by: vec!["id".to_owned()],
            primary_key: Vec::new(),
            partition_by: None,
            sample_by: None,
            ttl: None,
            indexes: Vec::new(),
            projections: Vec::new(),
            constraints: Vec::new(),
            settings: std::collections::BTreeMap::new(),
            cluster: None,
            provenance: true,
            comment: None,
            renamed_from: None,
            dropped: Vec::new(),
        }
    }

    /// The changes left after everything refused was excluded.
    fn rest(made: &Made, mut declared: Vec<Table>, mut dropped: Vec<String>) -> Vec<TableChange> {
        let recorded = Recorded { tables: &made.tables, kept: &[] };
        let refusals = diff(recorded, Declared { tables: &declared, dropped: &dropped }).unwrap_err();
        for leave in refusals.iter().map(left_by).collect::<Vec<_>>() {
            leave_as_it_is(&leave, made, &mut declared, &mut dropped);
        }
        diff(recorded, Declared { tables: &declared, dropped: &dropped }).unwrap()
    }

    #[test]
    fn a_column_that_nobody_gave_up_stays_where_it_is_and_the_others_come() {
        let made = Made { tables: vec![table("a", &["id", "old", "last"])], kept: Vec::new() };
        let changes = rest(&made, vec![table("a", &["id", "last", "new"])], Vec::new());
        let [TableChange::Alter { changes, .. }] = changes.as_slice() else { panic!("{changes:?}") };
        assert!(
            matches!(changes.as_slice(), [Change::AddColumn { column, .. }] if column.name == "new"),
            "{changes:?}"
        );
    }

    #[test]
    fn a_table_that_nobody_gave_up_stays_and_others_are_made() {
        let made = Made { tables: vec![table("a", &["id"]), table("b", &["id"])], kept: Vec::new() };
        let changes = rest(&made, vec![table("b", &["id"]), table("c", &["id"])], Vec::new());
        assert!(matches!(changes.as_slice(), [TableChange::Create(made)] if made.name == "c"), "{changes:?}");
    }
}
