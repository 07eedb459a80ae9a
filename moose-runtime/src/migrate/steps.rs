//! Executes the steps of a migration, and resumes where an earlier runner was interrupted.

use std::time::Duration;

use uuid::Uuid;

use super::{
    MigrateError,
    history::{Note, StepRecord},
    mutations,
    runner::{Place, Runner, digest},
    section::{self, Section},
    statement::{Kind, kind},
    swap,
};
use crate::{
    drain::{self, Gate, Order, Successor},
    fault::{self, Point},
    migration::{Action, Migration},
    schema::Storage,
};

/// How long to wait for ranges on their way. What blocks them may be what the migration fixes.
const PATIENCE: Duration = Duration::from_secs(30);

impl Runner<'_> {
    /// Executes all steps that are not done; `leads_to` is recorded with the migration.
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

    /// Drains the table, unless the section's exchange is done already.
    async fn drain(&mut self, migration: &Migration, step: usize, table: &str) -> Result<(), MigrateError> {
        let mut section = Section::of(migration, step, table, self.client.database());
        let is_done = |step: &usize| self.record(migration, *step).is_some_and(|record| record.is_done);
        if is_done(&section.end) {
            return Ok(());
        }
        let begun = self
            .writer
            .history
            .progress(migration.number())
            .is_some_and(|progress| progress.steps.keys().any(|known| section.statements().contains(known)));
        let mut is_swapped = begun && self.is_swapped(migration, &section).await?;
        if begun && !is_swapped && !self.begin_anew(migration, &section).await? {
            // The exchange of an earlier runner arrived in between.
            is_swapped = self.is_swapped(migration, &section).await?;
        }
        // An earlier runner may already have renamed it.
        let mut name = table.to_owned();
        if let Some(renamed) = &section.renamed
            && swap::definition(self.client, table).await?.is_none()
        {
            name.clone_from(renamed);
            Gate::forget(self.client, table).await?;
        }
        let id = drain::new_id();
        section.own = if is_swapped {
            self.noted_copy(migration, &section, section.swap.as_ref().map(|(step, _)| *step))
        } else {
            section.made.map(|_| drain::copy_name(&id))
        };
        // After the exchange the copy's name belongs to the original table.
        let copy = section.own.clone().filter(|_| !is_swapped);
        fault::point(Point::MigrateDrain);
        let order = Order {
            id,
            runner: self.lock.id().to_owned(),
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

    /// The copy's name for the runner that executed a step of the section.
    fn noted_copy(&self, migration: &Migration, section: &Section, step: Option<usize>) -> Option<String> {
        let noted = step.and_then(|step| self.record(migration, step)).and_then(|record| record.note.copy);
        // Earlier versions used the name in the file.
        noted.or_else(|| section.swap.as_ref().map(|(_, copy)| copy.clone()))
    }

    /// Whether the copy has taken the table's place already.
    async fn is_swapped(&self, migration: &Migration, section: &Section) -> Result<bool, MigrateError> {
        let Some((step, _)) = &section.swap else { return Ok(true) };
        let Some(record) = self.record(migration, *step) else { return Ok(false) };
        let table = section.renamed.as_ref().unwrap_or(&section.table);
        let now = swap::identities(self.client, &[table]).await?;
        let copied = self.copied(migration, section);
        Ok(record.is_done || copied.is_some_and(|copied| now.get(table) == Some(&copied)))
    }

    /// The uuid of the copy, as recorded before its exchange.
    fn copied(&self, migration: &Migration, section: &Section) -> Option<Uuid> {
        let (step, _) = section.swap.as_ref()?;
        let copy = self.noted_copy(migration, section, Some(*step))?;
        self.record(migration, *step)?.note.tables.get(&copy).copied()
    }

    /// Discards a copy that was begun: the table may have got rows since. False if the copy has taken the table's place
    /// meanwhile.
    async fn begin_anew(&mut self, migration: &Migration, section: &Section) -> Result<bool, MigrateError> {
        let Some(made) = section.made else { return Ok(true) };
        let Some(copy) = self.noted_copy(migration, section, Some(made)) else { return Ok(true) };
        if let Some(found) = swap::identities(self.client, &[&copy]).await?.get(&copy).copied() {
            // Its uuid is recorded before the exchange is sent: without such a record, this is the copy.
            self.writer.reload().await?;
            let is_the_table = self.copied(migration, section).is_some_and(|copied| copied != found);
            if is_the_table || !drain::drop_copy(&self.unhurried, &copy, found).await? {
                self.writer.reload().await?;
                return Ok(false);
            }
        }
        self.writer.undone(migration, made).await?;
        Ok(true)
    }

    async fn resume(&mut self, migration: &Migration, step: usize, table: &str) -> Result<(), MigrateError> {
        let mut gates = self.lock.gates.lock().await;
        let gate = gates.iter().position(|(drained, _)| drained.table == table).map(|at| gates.remove(at));
        drop(gates);
        if let Some((section, gate)) = gate {
            // A file may leave the original table under the copy's name.
            if let Some((own, sql)) = section.given_back()
                && swap::definition(self.client, own).await?.is_some()
            {
                self.unhurried.execute(&sql).await?;
            }
            gate.open().await?;
        }
        fault::point(Point::MigrateResumed);
        self.writer.done(migration, step, &digest(&Action::Resume(table.to_owned()))).await
    }

    async fn statement(&mut self, place: Place<'_>, begun: Option<StepRecord>) -> Result<(), MigrateError> {
        let statement = digest(&Action::Statement(place.sql.to_owned()));
        fault::point(Point::MigrateBefore);
        self.lock.still_held().await?;
        let already = match &begun {
            Some(begun) if begun.statement == statement => self.took_effect(place, begun).await?,
            Some(begun) => self.replaced(place, begun)?,
            None => false,
        };
        let copy = match begun.filter(|_| already) {
            Some(begun) => begun.note.copy,
            None => self.own_copy(place).await,
        };
        let sql = self.own_text(place, copy.as_ref()).await;
        let kind = kind(&sql, self.client.database());
        if !already {
            let mut note = self.note(&kind, copy.as_ref()).await?;
            self.before(&kind, &note).await?;
            self.writer.begun(place.migration, place.step, &statement, &note).await?;
            fault::point(Point::MigrateBegun);
            // The last check: whatever comes later is stopped by the fence.
            self.lock.still_held().await?;
            if let Err(error) = self.run(place, &sql, &kind, &note).await {
                if matches!(&error, MigrateError::Statement { source, .. } if source.code().is_some()) {
                    note.failed = true;
                    self.writer.begun(place.migration, place.step, &statement, &note).await?;
                }
                return Err(error);
            }
            fault::point(Point::MigrateRan);
        }
        self.after(place, &kind).await?;
        self.writer.done(place.migration, place.step, &statement).await?;
        fault::point(Point::MigrateDone);
        Ok(())
    }

    /// Checks and records required before the statement takes effect.
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

    /// What must follow the statement.
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
            Kind::Alter(table) | Kind::Mutate(table) => match mutations::wait(self.client, table).await? {
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
