//! Takes the steps of a migration, and goes on where an earlier runner was interrupted.

use std::time::Duration;

use super::{
    InDoubt, MigrateError, Options,
    history::{Note, StepRecord, Writer},
    lock::Lock,
    mutations,
    section::{self, Section},
    statement::{Kind, beginning, kind},
    swap::{self, Outcome},
};
use crate::{
    clickhouse::Client,
    drain::{Gate, Order, Successor},
    fault::{self, Point},
    migration::{Action, Migration},
    schema::{Storage, quote_identifier},
};

/// How long ranges on their way are waited for. What holds them up may be what the migration mends.
const PATIENCE: Duration = Duration::from_secs(30);

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

/// One statement, where it stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    migration: &'a Migration,
    step: usize,
    line: usize,
    sql: &'a str,
}

impl Place<'_> {
    fn moved(&self, what: String) -> MigrateError {
        MigrateError::Moved { file: self.migration.file(), line: self.line, what }
    }
}

/// Takes the steps, as the holder of the lock.
pub(super) struct Runner<'a> {
    client: &'a Client,
    /// For the statements themselves, which may take hours.
    unhurried: Client,
    pub(super) lock: &'a Lock,
    options: Options,
    pub(super) writer: Writer,
    /// How many statements were run.
    pub(super) statements: usize,
}

impl<'a> Runner<'a> {
    pub(super) fn new(client: &'a Client, lock: &'a Lock, options: Options, writer: Writer) -> Self {
        Self { client, unhurried: client.unhurried(), lock, options, writer, statements: 0 }
    }

    /// Takes all steps that are not done; `leads_to` is remembered with the whole.
    pub(super) async fn migrate(&mut self, migration: &Migration, leads_to: &str) -> Result<(), MigrateError> {
        for (index, step) in migration.steps().iter().enumerate() {
            let record = self.record(migration, index);
            match &step.action {
                Action::Drain(table) => self.drain(migration, index, table).await?,
                Action::Resume(table) if record.as_ref().is_none_or(|record| !record.is_done) => {
                    self.resume(migration, index, table).await?;
                }
                Action::Statement(sql) if record.as_ref().is_none_or(|record| !record.is_done) => {
                    let place = Place { migration, step: index, line: step.line, sql };
                    self.statement(place, record).await?;
                }
                Action::Resume(_) | Action::Statement(_) => {}
            }
        }
        self.writer.applied(migration, leads_to).await
    }

    fn record(&self, migration: &Migration, step: usize) -> Option<StepRecord> {
        self.writer.history.progress(migration.number())?.steps.get(&step).cloned()
    }

    /// Drains the table, unless what it is drained for is done already.
    async fn drain(&mut self, migration: &Migration, step: usize, table: &str) -> Result<(), MigrateError> {
        let section = Section::of(migration, step, table);
        let is_done = |step: &usize| self.record(migration, *step).is_some_and(|record| record.is_done);
        if is_done(&section.end) {
            return Ok(());
        }
        let begun = self
            .writer
            .history
            .progress(migration.number())
            .is_some_and(|progress| progress.steps.keys().any(|known| section.statements().contains(known)));
        let is_swapped = begun && self.is_swapped(migration, &section).await?;
        if begun && !is_swapped {
            self.begin_anew(migration, &section).await?;
        }
        // An earlier runner may have come as far as its new name.
        let mut name = table.to_owned();
        if let Some(renamed) = &section.renamed
            && swap::definition(self.client, table).await?.is_none()
        {
            name.clone_from(renamed);
            Gate::forget(self.client, table).await?;
        }
        // Once it is swapped, what bears the copy's name is the table as it was before.
        let copy = section.swap.as_ref().filter(|_| !is_swapped).map(|(_, copy)| copy.clone());
        fault::point(Point::MigrateDrain);
        let order = Order {
            table: name,
            copy,
            owner: self.lock.who().to_owned(),
            reason: format!("migration {}", migration.file()),
            patience: PATIENCE,
            alone: self.options.alone,
        };
        let gate = Gate::close(self.client, &order).await?;
        self.lock.gates.lock().await.push((section, gate));
        Ok(())
    }

    /// Whether the copy has taken the table's place already.
    async fn is_swapped(&self, migration: &Migration, section: &Section) -> Result<bool, MigrateError> {
        let Some((step, copy)) = &section.swap else { return Ok(true) };
        let Some(record) = self.record(migration, *step) else { return Ok(false) };
        let table = section.renamed.as_ref().unwrap_or(&section.table);
        let now = swap::identities(self.client, &[table, copy]).await?;
        let copied = record.note.tables.get(copy);
        Ok(record.is_done || copied.is_some_and(|copied| now.get(table) == Some(copied)))
    }

    /// Takes back what was begun of a copy: since then the table may have got rows.
    async fn begin_anew(&mut self, migration: &Migration, section: &Section) -> Result<(), MigrateError> {
        let Some((_, copy)) = &section.swap else { return Ok(()) };
        let Some(made) = section.made else { return Ok(()) };
        let sql = format!("DROP TABLE IF EXISTS {} SYNC SETTINGS max_table_size_to_drop = 0", quote_identifier(copy));
        self.unhurried.execute(&sql).await?;
        self.writer.undone(migration, made).await
    }

    async fn resume(&mut self, migration: &Migration, step: usize, table: &str) -> Result<(), MigrateError> {
        let mut gates = self.lock.gates.lock().await;
        let gate = gates.iter().position(|(drained, _)| drained.table == table).map(|at| gates.remove(at).1);
        drop(gates);
        if let Some(gate) = gate {
            gate.open().await?;
        }
        fault::point(Point::MigrateResumed);
        self.writer.done(migration, step, &digest(&Action::Resume(table.to_owned()))).await
    }

    async fn statement(&mut self, place: Place<'_>, begun: Option<StepRecord>) -> Result<(), MigrateError> {
        let statement = digest(&Action::Statement(place.sql.to_owned()));
        let kind = kind(place.sql);
        fault::point(Point::MigrateBefore);
        self.lock.still_held().await?;
        let already = match begun {
            // A statement that was begun and is another one now had failed, and was mended.
            Some(begun) if begun.statement == statement => self.took_effect(place, &kind, &begun.note).await?,
            _ => false,
        };
        if !already {
            let note = self.note(&kind).await?;
            self.before(&kind, &note).await?;
            self.writer.begun(place.migration, place.step, &statement, &note).await?;
            fault::point(Point::MigrateBegun);
            self.run(place).await?;
            fault::point(Point::MigrateRan);
        }
        self.after(place, &kind).await?;
        self.writer.done(place.migration, place.step, &statement).await?;
        fault::point(Point::MigrateDone);
        Ok(())
    }

    /// Whether a statement that was begun took effect.
    async fn took_effect(&self, place: Place<'_>, kind: &Kind, note: &Note) -> Result<bool, MigrateError> {
        let exists = async |table: &String| Ok(swap::definition(self.client, table).await?.is_some());
        match kind {
            Kind::Create(table) => exists(table).await,
            Kind::Drop(table) => Ok::<bool, MigrateError>(!exists(table).await?),
            Kind::Exchange(first, second) => {
                let now = swap::identities(self.client, &[first, second]).await?;
                self.judged(place, swap::exchanged(&note.tables, &now, first, second))
            }
            Kind::Rename(from, to) => {
                let now = swap::identities(self.client, &[from, to]).await?;
                self.judged(place, swap::renamed(&note.tables, &now, from, to))
            }
            Kind::Alter(table) => Ok(swap::definition(self.client, table).await? != note.definition),
            Kind::Insert(table) if section::makes(place.migration, place.step, table) => {
                // Nobody else writes into a table that this migration has made.
                self.unhurried.execute(&format!("TRUNCATE TABLE {}", quote_identifier(table))).await?;
                Ok(false)
            }
            Kind::Insert(_) => match self.options.in_doubt {
                Some(said) => Ok(said == InDoubt::Done),
                None => Err(MigrateError::InDoubt {
                    file: place.migration.file(),
                    line: place.line,
                    statement: beginning(place.sql),
                }),
            },
            Kind::Other => Ok(false),
        }
    }

    fn judged(&self, place: Place<'_>, outcome: Outcome) -> Result<bool, MigrateError> {
        match (outcome, self.options.in_doubt) {
            (Outcome::Done, _) | (Outcome::Moved(_), Some(InDoubt::Done)) => Ok(true),
            (Outcome::NotYet, _) => Ok(false),
            (Outcome::Moved(what), _) => Err(place.moved(what)),
        }
    }

    /// By what the outcome can be told afterwards.
    async fn note(&self, kind: &Kind) -> Result<Note, MigrateError> {
        let mut note = Note::default();
        match kind {
            Kind::Exchange(first, second) | Kind::Rename(first, second) => {
                note.tables = swap::identities(self.client, &[first, second]).await?;
            }
            Kind::Alter(table) => note.definition = swap::definition(self.client, table).await?,
            _ => {}
        }
        Ok(note)
    }

    /// What must be so, and be known, before the statement takes effect.
    async fn before(&self, kind: &Kind, note: &Note) -> Result<(), MigrateError> {
        let Kind::Exchange(first, second) = kind else { return Ok(()) };
        let gates = self.lock.gates.lock().await;
        let pairs = [(first, second), (second, first)];
        for (section, gate) in gates.iter() {
            let Some((table, copy)) = pairs.iter().find(|(table, _)| section.is_about(table)) else { continue };
            gate.still_closed().await?;
            if let (Some(was), Some(is)) = (note.tables.get(*table), note.tables.get(*copy)) {
                let successor = Successor { table: (*table).clone(), was: *was, is: *is };
                successor.note(self.client, self.options.storage).await?;
            }
        }
        Ok(())
    }

    async fn run(&mut self, place: Place<'_>) -> Result<(), MigrateError> {
        self.statements += 1;
        let sql = format!("{}{}", self.lock.tag(), place.sql);
        self.unhurried.execute(&sql).await.map_err(|source| MigrateError::Statement {
            file: place.migration.file(),
            line: place.line,
            statement: beginning(place.sql),
            source,
        })
    }

    /// What belongs to a statement beyond itself.
    async fn after(&self, place: Place<'_>, kind: &Kind) -> Result<(), MigrateError> {
        match kind {
            Kind::Create(table) if self.options.storage == Storage::Embedded => {
                section::sync_to_disk(self.client, table).await
            }
            Kind::Exchange(first, second) => {
                let gates = self.lock.gates.lock().await;
                for (section, gate) in gates.iter() {
                    if section.is_about(first) || section.is_about(second) {
                        gate.unbar_the_old(if section.is_about(first) { second } else { first }).await?;
                    }
                }
                Ok(())
            }
            Kind::Rename(from, to) => {
                for (section, gate) in self.lock.gates.lock().await.iter_mut() {
                    if section.table == *from {
                        gate.renamed_to(to);
                    }
                }
                Ok(())
            }
            Kind::Alter(table) => match mutations::wait(self.client, table).await? {
                None => Ok(()),
                Some(stuck) => Err(MigrateError::Mutation {
                    file: place.migration.file(),
                    line: place.line,
                    table: table.clone(),
                    mutation: stuck.mutation,
                    reason: stuck.reason,
                }),
            },
            _ => Ok(()),
        }
    }
}
