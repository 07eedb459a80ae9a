//! The runner: executes the steps of migrations as the holder of the lock, and records each in the history.

use super::{
    MigrateError, Options,
    history::{StepRecord, Writer},
    lock::Lock,
    section,
    statement::beginning,
    words::with_name,
};
use crate::{
    clickhouse::{ClickHouseError, Client},
    drain,
    migration::{Action, Migration},
};

/// SHA-256 of a step's text.
pub(super) fn digest(action: &Action) -> String {
    use sha2::{Digest as _, Sha256};
    let text = match action {
        Action::Statement(text) => text.clone(),
        Action::Drain(table) => format!("drain {table}"),
        Action::Resume(table) => format!("resume {table}"),
    };
    let bytes = Sha256::digest(text.as_bytes());
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

/// One statement and its place.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) migration: &'a Migration,
    pub(super) step: usize,
    pub(super) line: usize,
    pub(super) sql: &'a str,
}

impl Place<'_> {
    pub(super) fn file(&self) -> String {
        self.migration.file()
    }

    pub(super) fn moved(&self, what: String) -> MigrateError {
        MigrateError::Moved { file: self.file(), line: self.line, what }
    }

    pub(super) fn failed(&self, source: ClickHouseError) -> MigrateError {
        MigrateError::Statement { file: self.file(), line: self.line, statement: beginning(self.sql), source }
    }
}

/// Executes the steps, as the holder of the lock.
pub(super) struct Runner<'a> {
    pub(super) client: &'a Client,
    /// For the statements themselves, which may take hours.
    pub(super) unhurried: Client,
    pub(super) lock: &'a mut Lock,
    pub(super) options: Options,
    pub(super) writer: Writer,
    /// Number of statements run.
    pub(super) statements: usize,
}

impl<'a> Runner<'a> {
    pub(super) fn new(client: &'a Client, lock: &'a mut Lock, options: Options, writer: Writer) -> Self {
        Self { client, unhurried: client.unhurried(), lock, options, writer, statements: 0 }
    }

    pub(super) fn record(&self, migration: &Migration, step: usize) -> Option<StepRecord> {
        self.writer.history.progress(migration.number())?.steps.get(&step).cloned()
    }

    /// The unique name of the copy in the section of a step.
    pub(super) async fn own_copy(&self, place: Place<'_>) -> Option<String> {
        let gates = self.lock.gates.lock().await;
        gates.iter().find(|(section, _)| section.statements().contains(&place.step))?.0.own.clone()
    }

    /// The statement with this name instead of the copy's.
    pub(super) async fn own_text(&self, place: Place<'_>, copy: Option<&String>) -> String {
        let gates = self.lock.gates.lock().await;
        let section = gates.iter().find(|(section, _)| section.statements().contains(&place.step));
        match (section.and_then(|(section, _)| section.swap.as_ref()), copy) {
            (Some((_, name)), Some(copy)) => with_name(place.sql, name, copy),
            _ => place.sql.to_owned(),
        }
    }

    /// Whether the migration itself has created the table that a step fills.
    pub(super) fn makes(&self, place: Place<'_>, table: &str) -> bool {
        let by_name = section::makes(place.migration, place.step, table, self.client.database());
        by_name || drain::is_copy(table)
    }
}
