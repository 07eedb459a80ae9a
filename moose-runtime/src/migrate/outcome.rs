//! Finds out whether an interrupted statement took effect, from what was recorded before it was sent.

use uuid::Uuid;

use super::{
    InDoubt, MigrateError, Options,
    history::{Note, StepRecord},
    mutations::{self, Found},
    runner::{Place, Runner},
    statement::{Kind, beginning, kind},
    swap::{self, Outcome},
};
use crate::schema::quote_identifier;

impl Runner<'_> {
    /// The state to record before a statement, by which its outcome can be found out.
    pub(super) async fn note(&self, kind: &Kind, copy: Option<&String>) -> Result<Note, MigrateError> {
        let mut note = Note { copy: copy.cloned(), ..Note::default() };
        match kind {
            Kind::Exchange(first, second) | Kind::Rename(first, second) => {
                note.tables = swap::identities(self.client, &[first, second]).await?;
            }
            Kind::Create(table) | Kind::Replace(table) | Kind::DropTable(table) | Kind::DropOther(table) => {
                note.tables = swap::identities(self.client, &[table]).await?;
            }
            Kind::Alter(table) => note.definition = swap::definition(self.client, table).await?,
            Kind::Mutate(table) => {
                note.tables = swap::identities(self.client, &[table]).await?;
                note.mutations = Some(mutations::known(self.client, table).await?.into_keys().collect());
            }
            Kind::Insert(_) | Kind::Repeatable | Kind::Unclear => {}
        }
        Ok(note)
    }

    /// Whether a statement that was begun took effect.
    pub(super) async fn took_effect(&mut self, place: Place<'_>, begun: &StepRecord) -> Result<bool, MigrateError> {
        let note = &begun.note;
        // With the name that the copy had for the runner that began it.
        let sql = self.own_text(place, note.copy.as_ref()).await;
        let identity = async |table: &String| -> Result<Option<Uuid>, MigrateError> {
            Ok(swap::identities(self.client, &[table]).await?.remove(table))
        };
        match &kind(&sql, self.client.database()) {
            Kind::Create(table) => Ok(identity(table).await?.is_some() && !note.tables.contains_key(table)),
            Kind::Replace(table) => {
                let now = identity(table).await?;
                Ok(now.is_some() && now.as_ref() != note.tables.get(table))
            }
            Kind::DropTable(table) => {
                let now = identity(table).await?;
                if let Some(was) = note.tables.get(table).filter(|was| now.as_ref() != Some(*was)) {
                    self.finish_drop(place, table, *was).await?;
                    return Ok(true);
                }
                Ok(now.is_none())
            }
            Kind::DropOther(table) => {
                let now = identity(table).await?;
                Ok(now.is_none() || now.as_ref() != note.tables.get(table))
            }
            Kind::Exchange(first, second) => {
                let now = swap::identities(self.client, &[first, second]).await?;
                self.judged(place, swap::exchanged(&note.tables, &now, first, second))
            }
            Kind::Rename(from, to) => {
                let now = swap::identities(self.client, &[from, to]).await?;
                self.judged(place, swap::renamed(&note.tables, &now, from, to))
            }
            Kind::Alter(table) => Ok(swap::definition(self.client, table).await? != note.definition),
            Kind::Mutate(table) => {
                let is_same = identity(table).await?.as_ref() == note.tables.get(table);
                match &note.mutations {
                    Some(before) if is_same => match mutations::find(self.client, table, before, &sql).await? {
                        Found::None => Ok(false),
                        Found::Ours => Ok(true),
                        Found::Others => self.doubtful(place),
                    },
                    _ => self.doubtful(place),
                }
            }
            Kind::Insert(table) if self.makes(place, table) => {
                // Nobody else writes into a table that this migration has created.
                self.unhurried.execute(&format!("TRUNCATE TABLE {}", quote_identifier(table))).await?;
                Ok(false)
            }
            // A statement that ClickHouse refused had no effect, except for the blocks of an INSERT before the one that
            // failed.
            Kind::Unclear if note.failed => Ok(false),
            Kind::Insert(_) | Kind::Unclear => self.doubtful(place),
            Kind::Repeatable => Ok(false),
        }
    }

    /// Whether a statement that was begun, and has been replaced by another one in the file, counts as done.
    pub(super) fn replaced(&self, place: Place<'_>, begun: &StepRecord) -> Result<bool, MigrateError> {
        // It had failed, and was fixed.
        if begun.note.failed {
            return Ok(false);
        }
        let Place { line, sql, .. } = place;
        self.said(|| MigrateError::ChangedInDoubt { file: place.file(), line, statement: beginning(sql) })
    }

    fn doubtful(&self, place: Place<'_>) -> Result<bool, MigrateError> {
        let Place { line, sql, .. } = place;
        self.said(|| MigrateError::InDoubt { file: place.file(), line, statement: beginning(sql) })
    }

    /// The operator's answer about a statement whose outcome can't be found out.
    fn said(&self, unsaid: impl FnOnce() -> MigrateError) -> Result<bool, MigrateError> {
        let Options { in_doubt, .. } = self.options;
        in_doubt.map(|said| said == InDoubt::Done).ok_or_else(unsaid)
    }

    fn judged(&self, place: Place<'_>, outcome: Outcome) -> Result<bool, MigrateError> {
        match (outcome, self.options.in_doubt) {
            (Outcome::Done, _) | (Outcome::Moved(_), Some(InDoubt::Done)) => Ok(true),
            (Outcome::NotYet, _) => Ok(false),
            (Outcome::Moved(what), _) => Err(place.moved(what)),
        }
    }
}
