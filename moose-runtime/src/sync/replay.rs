//! Replays dead letters: each record is sent once more, to the destination that refused it and to no other.
//!
//! A replay is idempotent. The table is asked first whether it has the record; the INSERT goes under a token that is
//! the letter's alone; and the letter ends only after the table has the row. A replay that was interrupted is repeated
//! by the next one, and stores nothing twice.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Assignment, Destination, Prepared, SyncError,
    encoder::{Closed, RangeEncoder},
    probe, remembered,
    reopen::calls_for_reopening,
    settings::Settings,
    target::{Target, columns},
};
use crate::{
    clickhouse::{ClickHouseError, Client, Patience},
    stream::{Backend, DeadLetter, Ending, Record, StreamError, Topic},
};

/// How many tokens are tried for a row: the first may be burnt.
const TOKENS: u32 = 2;

/// The result of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// The row was inserted.
    Inserted,
    /// The table had the row already.
    WasThere {
        /// The views behind it may lack the row: it is unknown whether the table remembers its token.
        views_in_doubt: bool,
    },
}

/// Why a dead letter could not be replayed. It stays as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The program no longer declares the table.
    #[error("table `{table}` is not declared any more")]
    NotDeclared {
        /// The table.
        table: String,
    },
    /// The record does not fit the record type.
    #[error("it does not fit the record type: {errors}")]
    Misfit {
        /// All errors in it.
        errors: String,
    },
    /// An earlier build may have stored it, and the table can't be asked.
    #[error(
        "it may be stored already, and table `{table}` can't be asked: look for the row, then drop the dead letter"
    )]
    MaybeStored {
        /// The table.
        table: String,
    },
    /// ClickHouse confirmed the row and does not have it.
    #[error("table `{table}` confirmed the row and does not have it")]
    Lost {
        /// The table.
        table: String,
    },
    /// The table or the server is not in the required state.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// The stream failed.
    #[error(transparent)]
    Stream(#[from] StreamError),
}

impl ReplayError {
    /// Whether the embedded engine must be restarted before the letter is replayed again.
    pub fn calls_for_reopening(&self) -> bool {
        matches!(self, Self::Sync(error) if calls_for_reopening(error))
    }
}

impl From<ClickHouseError> for ReplayError {
    fn from(error: ClickHouseError) -> Self {
        Self::Sync(error.into())
    }
}

/// Sends a dead letter to its destination again, and ends it when the row is there.
pub async fn replay(
    backend: &dyn Backend,
    client: &Client,
    destinations: &[Destination],
    letter: DeadLetter,
) -> Result<Replayed, ReplayError> {
    let key = letter.key.clone();
    let table = key.destination.as_str();
    let Some(destination) = destinations.iter().find(|destination| destination.table.name == *table) else {
        return Err(ReplayError::NotDeclared { table: table.to_owned() });
    };
    let storage = Topic { epoch: key.epoch, partitions: key.partition.saturating_add(1) };
    let assignment = destination.assignment(key.topic.clone(), storage, key.partition);
    let (maybe_stored, since) = (letter.details.maybe_stored, letter.details.since);
    let row = encode(&assignment, letter)?;
    let state = Target::new(client.clone(), Arc::clone(&destination.table)).look().await?;
    let settings = Settings::known_to(&client.setting_names().await?);
    let row = Row { client, settings, assignment, row };
    let done = if row.assignment.table.provenance && state.keeps_every_row() {
        row.bring(state.has_views, maybe_stored, since).await?
    } else if maybe_stored {
        return Err(ReplayError::MaybeStored { table: table.to_owned() });
    } else {
        row.insert(&format!("dead-letter/{key}")).await?;
        Replayed::Inserted
    };
    backend.end_dead_letters(&[key], Ending::Replayed).await?;
    Ok(done)
}

fn encode(assignment: &Assignment, letter: DeadLetter) -> Result<Prepared, ReplayError> {
    let DeadLetter { key, payload, details } = letter;
    let record = Record { offset: key.offset, timestamp: details.timestamp, payload };
    let mut encoder = RangeEncoder::new(assignment);
    encoder.push(&[record], &BTreeSet::new(), 1, usize::MAX);
    match encoder.close() {
        Some(Closed { range, refused }) if refused.is_empty() => Ok(range),
        closed => {
            let refused = closed.into_iter().flat_map(|closed| closed.refused).flat_map(|refused| refused.errors);
            let errors: Vec<String> = refused.map(|error| format!("{}: {}", error.pointer, error.message)).collect();
            Err(ReplayError::Misfit { errors: errors.join("; ") })
        }
    }
}

/// One row to insert.
struct Row<'a> {
    client: &'a Client,
    settings: Settings,
    assignment: Assignment,
    row: Prepared,
}

impl Row<'_> {
    /// Inserts the row into a table that can be asked. If the table has it, although the record was never stored before
    /// it became a letter, an earlier replay inserted it, and its views may have failed: it is sent again for them, if
    /// the table surely remembers the token and so drops it itself.
    async fn bring(&self, has_views: bool, maybe_stored: bool, since: i64) -> Result<Replayed, ReplayError> {
        let token = format!("dead-letter/{}", self.assignment.letter_key(self.row.first));
        if self.is_there().await? {
            let again = has_views && !maybe_stored && self.settings.tokens && self.remembers(since).await?;
            if again {
                self.insert(&token).await?;
            }
            return Ok(Replayed::WasThere { views_in_doubt: has_views && !again });
        }
        for number in 0..TOKENS {
            let token = if number == 0 { token.clone() } else { format!("{token}/again/{number}") };
            self.insert(&token).await?;
            if self.is_there().await? {
                return Ok(Replayed::Inserted);
            }
        }
        Err(ReplayError::Lost { table: self.assignment.table.name.clone() })
    }

    /// Whether the table surely remembers the token of the row, which it has: the machine was not rebooted since the
    /// letter was written, and the table got few blocks since.
    async fn remembers(&self, since: i64) -> Result<bool, SyncError> {
        if remembered::booted_at().is_none_or(|booted| booted >= since) {
            return Ok(false);
        }
        remembered::is_remembered(self.client, &self.settings, &self.assignment, &self.row, since).await
    }

    async fn is_there(&self) -> Result<bool, SyncError> {
        let offset = BTreeSet::from([self.row.first]);
        let missing = probe::missing(self.client, &self.settings, &self.assignment, &self.row, &offset).await?;
        Ok(missing.is_empty())
    }

    async fn insert(&self, token: &str) -> Result<(), SyncError> {
        let (table, columns) = (&self.assignment.table, columns(&self.assignment.table));
        let insert = self.settings.insert_into(&table.name, &columns, Some(token), self.row.body.clone());
        self.client.insert().send(&insert, &Patience::default()).await.map_err(SyncError::Insert)
    }
}
