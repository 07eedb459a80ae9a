//! Takes the steps of the migrations that are pending, and goes on where an earlier runner was interrupted.

use std::time::Duration;

use super::{
    History, MigrateError,
    history::{Note, Progress, StepRecord, Writer},
    lock::Lock,
    mutations,
    section::{self, Section},
    statement::{Kind, beginning, kind},
    swap::{self, Outcome},
};
use crate::{
    clickhouse::Client,
    drain::{DrainError, Gate, Order, Successor},
    fault::{self, Point},
    migration::{Action, Migration, Migrations},
    schema::{Storage, quote_identifier},
};

/// How long ranges on their way are waited for. What holds them up may be what the migration mends.
const PATIENCE: Duration = Duration::from_secs(30);

/// What an operator says of a statement whose outcome can't be found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InDoubt {
    /// It took effect.
    Done,
    /// It did not: run it again.
    Again,
}

/// How to apply migrations.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Where the tables lie.
    pub storage: Storage,
    /// Nobody else can be filling the tables.
    pub alone: bool,
    /// About a statement whose outcome can't be found out.
    pub in_doubt: Option<InDoubt>,
}

/// What was applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// The migrations that were brought to their end, by name of the file.
    pub migrations: Vec<String>,
    /// How many statements were run for it.
    pub statements: usize,
}

/// Applies what is pending. Of several processes that call it one does the work; the others wait, and find it done.
pub async fn apply(client: &Client, migrations: &Migrations, options: Options) -> Result<Done, MigrateError> {
    // Before anything is made in the database: most starts find nothing to do.
    if pending(migrations, &History::load(client).await?)?.is_empty() {
        return Ok(Done::default());
    }
    let lock = Lock::acquire(client).await?;
    let result = apply_locked(client, &lock, migrations, options).await;
    // Drains that a failure has left: their tables go on with what they have.
    let mut left = Vec::new();
    left.append(&mut *lock.gates.lock().await);
    for (section, gate) in left {
        if let Err(error) = gate.open().await {
            tracing::warn!(table = section.table, %error, "failed to open the drained table; it opens by itself");
        }
    }
    match (result, lock.release().await) {
        (Ok(done), Ok(())) => Ok(done),
        (Ok(_), Err(error)) | (Err(error), _) => Err(error),
    }
}

/// The migrations that are not applied as a whole.
pub(super) fn pending<'a>(migrations: &'a Migrations, history: &History) -> Result<&'a [Migration], MigrateError> {
    migrations.pending(&history.applied()).map_err(|differences| MigrateError::Differ { differences })
}

async fn apply_locked(
    client: &Client,
    lock: &Lock,
    migrations: &Migrations,
    options: Options,
) -> Result<Done, MigrateError> {
    let writer = Writer::open(client, options.storage, lock.who().to_owned()).await?;
    let pending = pending(migrations, &writer.history)?.to_vec();
    let mut runner = Runner { client, unhurried: client.unhurried(), lock, options, writer, statements: 0 };
    let mut done = Done::default();
    for migration in &pending {
        if let Some(progress) = runner.writer.history.progress(migration.number()) {
            check_the_beginning(migration, progress)?;
        }
        tracing::info!(migration = migration.file(), "applying");
        while let Err(error) = runner.migrate(migration).await {
            // What was copied is void, and the section begins anew.
            if !matches!(error, MigrateError::Drain(DrainError::Lifted { .. })) {
                return Err(error);
            }
            lock.gates.lock().await.clear();
            lock.still_held().await?;
            tracing::warn!(migration = migration.file(), %error, "beginning the change of the table anew");
        }
        done.migrations.push(migration.file());
        done.statements = runner.statements;
    }
    Ok(done)
}

/// What was run of a migration must still stand in its file; what comes after it may have been mended.
fn check_the_beginning(migration: &Migration, progress: &Progress) -> Result<(), MigrateError> {
    let done = progress.steps.iter().filter(|(_, record)| record.is_done);
    for (step, record) in done.clone() {
        let found = migration.steps().get(*step);
        if found.is_none_or(|found| digest(&found.action) != record.statement) {
            return Err(MigrateError::ChangedInTheMiddle {
                file: migration.file(),
                done: done.count(),
                step: step.saturating_add(1),
                line: found.map_or(0, |found| found.line),
            });
        }
    }
    Ok(())
}

/// SHA-256 of a step's text.
fn digest(action: &Action) -> String {
    use sha2::{Digest as _, Sha256};
    let text = match action {
        Action::Statement(text) => text.clone(),
        Action::Drain(table) => format!("drain {table}"),
        Action::Resume(table) => format!("resume {table}"),
    };
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
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

struct Runner<'a> {
    client: &'a Client,
    /// For the statements themselves, which may take hours.
    unhurried: Client,
    lock: &'a Lock,
    options: Options,
    writer: Writer,
    statements: usize,
}

impl Runner<'_> {
    async fn migrate(&mut self, migration: &Migration) -> Result<(), MigrateError> {
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
        self.writer.applied(migration).await
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
