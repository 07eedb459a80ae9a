//! The status of a database: which migrations are applied or pending, and what differs.

use std::fmt;

use serde::Serialize;

use super::{History, MigrateError, Progress, apply::pending, history::Record};
use crate::{
    clickhouse::Client,
    drain,
    migration::{Discrepancy, Migration, Migrations},
};

/// The status of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The migrations that were applied, by number.
    pub applied: Vec<AppliedMigration>,
    /// Files to apply.
    pub pending: Vec<PendingMigration>,
    /// Differences between the files and what was applied.
    pub differences: Vec<String>,
    /// Applied migrations beyond the last file: those of a newer program, or of deleted files.
    pub ahead: Vec<String>,
    /// Copies left by drains that were lifted, one line each.
    pub left: Vec<String>,
    /// The differences without those.
    #[serde(skip)]
    older: Vec<String>,
}

/// A migration that was applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AppliedMigration {
    /// Its number.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// Who applied it.
    pub by: String,
    /// When, UTC.
    pub at: String,
    /// Whether it was a baseline: not run, because the database had its tables.
    pub baseline: bool,
}

/// A migration to apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PendingMigration {
    /// Name of its file.
    pub file: String,
    /// How many steps it has.
    pub steps: usize,
    /// How many of them are done, if an earlier run was interrupted.
    pub done: usize,
}

impl Status {
    /// Whether nothing is pending and nothing differs.
    pub fn is_clean(&self) -> bool {
        self.pending.is_empty() && self.differences.is_empty()
    }

    /// The differences as seen by an older program, which ignores newer migrations.
    pub fn older_differences(&self) -> Vec<String> {
        self.older.clone()
    }
}

/// Queries the status. Changes nothing.
pub async fn status(client: &Client, migrations: &Migrations) -> Result<Status, MigrateError> {
    let history = History::load(client, Record::Migrations).await?;
    let applied = history.applied().into_iter().filter_map(|applied| {
        let progress = history.progress(applied.number)?;
        Some(AppliedMigration {
            number: applied.number,
            name: applied.name,
            by: progress.by.clone(),
            at: progress.at.clone(),
            baseline: progress.is_baseline,
        })
    });
    let last = migrations.files().last().map_or(0, Migration::number);
    let all = history.applied();
    let ahead = all.iter().filter(|applied| applied.number > last);
    let ahead = ahead.map(|applied| format!("{:04}_{}", applied.number, applied.name)).collect();
    let known: Vec<_> = all.iter().filter(|applied| applied.number <= last).cloned().collect();
    let older = migrations.pending(&known).err().unwrap_or_default();
    let older = older.iter().map(Discrepancy::to_string).collect();
    let (pending, differences) = match pending(migrations, &history) {
        Ok(pending) => (pending, Vec::new()),
        Err(MigrateError::Differ { differences }) => {
            (&[][..], differences.iter().map(Discrepancy::to_string).collect())
        }
        Err(error) => return Err(error),
    };
    let pending = pending.iter().map(|migration| PendingMigration {
        file: migration.file(),
        steps: migration.steps().len(),
        done: history.progress(migration.number()).map_or(0, Progress::done),
    });
    let left = drain::left_copies(client).await?.iter().map(|table| left_copy(table)).collect();
    Ok(Status { applied: applied.collect(), pending: pending.collect(), differences, ahead, left, older })
}

fn left_copy(table: &str) -> String {
    if table.contains("__void_") {
        return format!(
            "table `{table}`: a copy whose drain an earlier version lifted; drop it once you have seen that its table has its \
             rows"
        );
    }
    format!("table `{table}`: a copy whose drain was lifted; the next `migrate apply` drops it")
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.applied.is_empty() && self.pending.is_empty() && self.differences.is_empty() && self.left.is_empty() {
            return writeln!(formatter, "there are no migrations");
        }
        for AppliedMigration { number, name, by, at, baseline } in &self.applied {
            let how = if *baseline { "taken as applied" } else { "applied" };
            writeln!(formatter, "{how}  {number:04}_{name}  {at} UTC by {by}")?;
        }
        for PendingMigration { file, steps, done } in &self.pending {
            write!(formatter, "pending  {file}  {steps} steps")?;
            if *done > 0 {
                write!(formatter, ", {done} of them done: it was interrupted")?;
            }
            writeln!(formatter)?;
        }
        for left in &self.left {
            writeln!(formatter, "LEFT     {left}")?;
        }
        for difference in &self.differences {
            writeln!(formatter, "DIFFERS  {difference}")?;
        }
        Ok(())
    }
}
