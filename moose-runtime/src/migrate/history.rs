//! The history of migrations in the database (`_moose_migrations`): a row before each step, one after it, and one for
//! each whole migration.
//!
//! Rows are only ever added. Of several rows about one step, the latest one counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::MigrateError;
use crate::{
    clickhouse::Client,
    migration::{Applied, Migration},
    schema::{Storage, quote_identifier, quote_string},
};

/// The kind of history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// The migrations from files.
    Migrations,
    /// Changes made by itself in development.
    Development,
}

impl Record {
    /// The table of the rows.
    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Migrations => "_moose_migrations",
            Self::Development => "_moose_development",
        }
    }
}

/// Row numbers contain the time at which their runner began, in milliseconds, shifted by this many bits.
const ROWS_OF_A_MILLISECOND: u32 = 20;

/// `UNKNOWN_TABLE`.
const UNKNOWN_TABLE: u32 = 60;

/// The state of a step or a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A step is about to be executed.
    Begun,
    /// It is done.
    Done,
    /// The steps from this one on must be repeated.
    Undone,
    /// The whole migration is done.
    Applied,
    /// The whole migration is taken as done: the database had its tables.
    Baseline,
}

impl Progress {
    /// Number of steps that are done.
    pub fn done(&self) -> usize {
        self.steps.values().filter(|record| record.is_done).count()
    }
}

impl State {
    const ALL: [(Self, &str); 5] = [
        (Self::Begun, "begun"),
        (Self::Done, "done"),
        (Self::Undone, "undone"),
        (Self::Applied, "applied"),
        (Self::Baseline, "baseline"),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(state, _)| *state == self).map_or("", |(_, name)| name)
    }

    fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(state, _)| *state)
    }
}

/// The state recorded before a step, by which its outcome can be found out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// Uuids of the tables that it exchanges or renames, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) tables: BTreeMap<String, uuid::Uuid>,
    /// The definition of the table that it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) definition: Option<String>,
    /// The table used as the copy, with a name unique to this runner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) copy: Option<String>,
    /// The mutations that the table already had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mutations: Option<Vec<String>>,
    /// ClickHouse responded with an error: the statement may be replaced by another one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) failed: bool,
}

/// A step that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StepRecord {
    /// SHA-256 of its statement.
    pub(super) statement: String,
    pub(super) is_done: bool,
    pub(super) note: Note,
}

/// The progress of one migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Its name.
    pub name: String,
    /// Checksum of its file.
    pub checksum: String,
    /// Whether it is completely applied.
    pub is_applied: bool,
    /// Whether it was a baseline: not run, because the database had its tables.
    pub is_baseline: bool,
    /// Who applied it.
    pub by: String,
    /// When, as the server writes it, UTC.
    pub at: String,
    /// The schema that was recorded with it.
    pub(super) leads_to: String,
    pub(super) steps: BTreeMap<usize, StepRecord>,
}

/// The history of a database.
#[derive(Clone, Debug, Default)]
pub struct History {
    migrations: BTreeMap<u32, Progress>,
    /// Number of the last row.
    last: u64,
}

#[derive(Deserialize)]
struct Row(u32, String, String, String, u32, String, String, String, String, String);

impl History {
    /// Reads it; empty if nothing was applied yet.
    pub(super) async fn load(client: &Client, record: Record) -> Result<Self, MigrateError> {
        let sql = format!(
            "SELECT number, name, checksum, toString(sequence), step, state, statement, note, by, toString(at, 'UTC') \
             FROM {} ORDER BY sequence",
            quote_identifier(record.table())
        );
        let rows: Vec<Row> = match client.query_rows(&sql).await {
            Err(error) if error.code() == Some(UNKNOWN_TABLE) => Vec::new(),
            rows => rows?,
        };
        let mut history = Self::default();
        for row in rows {
            history.add(row, record)?;
        }
        Ok(history)
    }

    fn add(&mut self, row: Row, record: Record) -> Result<(), MigrateError> {
        let unclear = |reason: String| MigrateError::History { table: record.table(), reason };
        let Row(number, name, checksum, sequence, step, state, statement, note, by, at) = row;
        let state = State::of(&state).ok_or_else(|| unclear(format!("`{state}` is no state of a step")))?;
        self.last = sequence.parse().map_err(|_| unclear(format!("`{sequence}` is no number")))?;
        let progress = self.migrations.entry(number).or_insert_with(|| Progress {
            name: String::new(),
            checksum: String::new(),
            is_applied: false,
            is_baseline: false,
            by: String::new(),
            at: String::new(),
            leads_to: String::new(),
            steps: BTreeMap::new(),
        });
        (progress.name, progress.checksum, progress.by, progress.at) = (name, checksum, by, at);
        let step = step as usize;
        match state {
            State::Begun => {
                let note = serde_json::from_str(&note).map_err(|error| unclear(error.to_string()))?;
                progress.steps.insert(step, StepRecord { statement, is_done: false, note });
            }
            State::Done => {
                let record = StepRecord { statement, is_done: true, note: Note::default() };
                let known = progress.steps.entry(step).or_insert(record);
                known.is_done = true;
            }
            State::Undone => progress.steps.retain(|known, _| *known < step),
            State::Applied => (progress.is_applied, progress.leads_to) = (true, note),
            State::Baseline => (progress.is_applied, progress.is_baseline, progress.leads_to) = (true, true, note),
        }
        Ok(())
    }

    /// The completed migrations, by number.
    pub fn applied(&self) -> Vec<Applied> {
        let whole = self.migrations.iter().filter(|(_, progress)| progress.is_applied);
        whole
            .map(|(number, progress)| Applied {
                number: *number,
                name: progress.name.clone(),
                checksum: progress.checksum.clone(),
            })
            .collect()
    }

    /// The last completed migration: its number, and what was recorded with it.
    pub(super) fn last(&self) -> Option<(u32, &str)> {
        let whole = self.migrations.iter().rfind(|(_, progress)| progress.is_applied);
        whole.map(|(number, progress)| (*number, progress.leads_to.as_str()))
    }

    /// The progress of a migration.
    pub fn progress(&self, number: u32) -> Option<&Progress> {
        self.migrations.get(&number)
    }
}

/// Writes the history. Only for the holder of the lock.
#[derive(Debug)]
pub(super) struct Writer {
    client: Client,
    record: Record,
    by: String,
    pub(super) history: History,
    /// Number of the next row.
    next: u64,
}

impl Writer {
    /// Creates the table if missing, and reads it.
    pub(super) async fn open(
        client: &Client,
        record: Record,
        storage: Storage,
        by: String,
    ) -> Result<Self, MigrateError> {
        let settings = if storage == Storage::Embedded {
            " SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"
        } else {
            ""
        };
        client
            .execute(&format!(
                "CREATE TABLE IF NOT EXISTS {} (sequence UInt64, number UInt32, name String, checksum String, \
                 step UInt32, state LowCardinality(String), statement String, note String, by String, \
                 at DateTime64(3, 'UTC') DEFAULT now64(3)) ENGINE = MergeTree ORDER BY sequence{settings}",
                quote_identifier(record.table())
            ))
            .await?;
        let history = History::load(client, record).await?;
        // Late rows of an earlier runner sort before those written from here on.
        let now: Vec<(String,)> = client.query_rows("SELECT toString(toUnixTimestamp64Milli(now64(3)))").await?;
        let now: u64 = now.first().and_then(|(now,)| now.parse().ok()).unwrap_or(0);
        let next = history.last.saturating_add(1).max(now << ROWS_OF_A_MILLISECOND);
        Ok(Self { client: client.clone(), record, by, history, next })
    }

    /// Reads the table again: an earlier runner may have written late.
    pub(super) async fn reload(&mut self) -> Result<(), MigrateError> {
        self.history = History::load(&self.client, self.record).await?;
        Ok(())
    }

    pub(super) async fn begun(
        &mut self,
        migration: &Migration,
        step: usize,
        statement: &str,
        note: &Note,
    ) -> Result<(), MigrateError> {
        let note = serde_json::to_string(note)
            .map_err(|error| MigrateError::History { table: self.record.table(), reason: error.to_string() })?;
        self.write(migration, step, State::Begun, statement, note).await
    }

    pub(super) async fn done(
        &mut self,
        migration: &Migration,
        step: usize,
        statement: &str,
    ) -> Result<(), MigrateError> {
        self.write(migration, step, State::Done, statement, String::new()).await
    }

    pub(super) async fn undone(&mut self, migration: &Migration, step: usize) -> Result<(), MigrateError> {
        self.write(migration, step, State::Undone, "", String::new()).await
    }

    pub(super) async fn applied(&mut self, migration: &Migration, leads_to: &str) -> Result<(), MigrateError> {
        self.write(migration, migration.steps().len(), State::Applied, "", leads_to.to_owned()).await
    }

    pub(super) async fn baseline(&mut self, migration: &Migration, leads_to: &str) -> Result<(), MigrateError> {
        self.write(migration, migration.steps().len(), State::Baseline, "", leads_to.to_owned()).await
    }

    async fn write(
        &mut self,
        migration: &Migration,
        step: usize,
        state: State,
        statement: &str,
        note: String,
    ) -> Result<(), MigrateError> {
        let sequence = self.next;
        let row = Row(
            migration.number(),
            migration.name().to_owned(),
            migration.checksum(),
            sequence.to_string(),
            u32::try_from(step).unwrap_or(u32::MAX),
            state.name().to_owned(),
            statement.to_owned(),
            note,
            self.by.clone(),
            String::new(),
        );
        let [name, checksum, state, statement, note, by] =
            [&row.1, &row.2, &row.5, &row.6, &row.7, &row.8].map(|text| quote_string(text));
        let (table, number, step) = (quote_identifier(self.record.table()), row.0, row.4);
        self.client
            .note(&format!(
                "INSERT INTO {table} (sequence, number, name, checksum, step, state, statement, note, by) \
                 VALUES ({sequence}, {number}, {name}, {checksum}, {step}, {state}, {statement}, {note}, {by})"
            ))
            .await?;
        self.next = sequence.saturating_add(1);
        self.history.add(row, self.record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(sequence: u64, step: u32, state: State) -> Row {
        let text = |text: &str| text.to_owned();
        let note = if state == State::Begun { "{}" } else { "" };
        let sequence = sequence.to_string();
        Row(1, text("a"), text("c"), sequence, step, text(state.name()), text("s"), text(note), text("me"), text(""))
    }

    #[test]
    fn of_several_rows_about_a_step_the_later_one_counts() {
        let mut history = History::default();
        let rows = [(0, State::Begun), (0, State::Done), (1, State::Begun), (1, State::Done), (2, State::Begun)];
        for (sequence, (step, state)) in (1..).zip(rows) {
            history.add(row(sequence, step, state), Record::Migrations).unwrap();
        }
        let done = |history: &History| -> Vec<bool> {
            history.progress(1).unwrap().steps.values().map(|step| step.is_done).collect()
        };
        assert_eq!(done(&history), [true, true, false]);
        history.add(row(6, 1, State::Undone), Record::Migrations).unwrap();
        assert_eq!(done(&history), [true]);
        assert!(history.applied().is_empty());
        history.add(row(7, 3, State::Applied), Record::Migrations).unwrap();
        assert_eq!(history.applied().len(), 1);
        assert_eq!(history.last, 7);
    }
}
