//! Dead letters: records that can't be stored in a destination, kept with the reason.
//!
//! A dead letter replaces its record for ever: once it exists, the record is not among its range's rows, even after the
//! letter was replayed or dropped. Therefore ending a letter removes its payload and keeps its key.

use std::{fmt, str::FromStr};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Identifies a dead letter: which record, and for which destination.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeadLetterKey {
    /// The table that it can't be stored in.
    pub destination: String,
    /// The topic of the record.
    pub topic: String,
    /// Epoch of the topic.
    pub epoch: u64,
    /// Partition of the topic.
    pub partition: u16,
    /// Its offset there.
    pub offset: u64,
}

impl fmt::Display for DeadLetterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { destination, topic, epoch, partition, offset } = self;
        write!(formatter, "{destination}/{topic}/{epoch:016x}/{partition}/{offset}")
    }
}

/// A text that is not the key of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not the key of a dead letter: expected <table>/<stream>/<epoch>/<partition>/<offset>, as `dead-letters list` shows it"
)]
pub struct NotAKey;

impl FromStr for DeadLetterKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let mut places = text.split('/');
        let mut next = || places.next().filter(|place| !place.is_empty()).ok_or(NotAKey);
        let key = Self {
            destination: next()?.to_owned(),
            topic: next()?.to_owned(),
            epoch: u64::from_str_radix(next()?, 16).map_err(|_| NotAKey)?,
            partition: next()?.parse().map_err(|_| NotAKey)?,
            offset: next()?.parse().map_err(|_| NotAKey)?,
        };
        places.next().is_none().then_some(key).ok_or(NotAKey)
    }
}

/// A record that can't be stored in its destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Which record, and for which destination.
    pub key: DeadLetterKey,
    /// The record's bytes as they came.
    pub payload: Bytes,
    /// Why not.
    pub details: DeadLetterDetails,
}

/// Why a record is a dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterDetails {
    /// When the stream accepted the record, in milliseconds since the Unix epoch.
    pub timestamp: i64,
    /// When it became a dead letter, in milliseconds since the Unix epoch.
    pub since: i64,
    /// ClickHouse's error code, if it was ClickHouse that refused the row.
    pub code: Option<u32>,
    /// What is wrong, in one line.
    pub reason: String,
    /// What is wrong with which field, if the record does not fit its type.
    pub errors: Vec<WrongField>,
    /// An earlier build may have stored the row before this one refused the record.
    pub maybe_stored: bool,
}

/// One error in a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrongField {
    /// JSON pointer to the place, empty for the record itself.
    pub pointer: String,
    /// What is wrong and what is expected.
    pub message: String,
}

/// A query for dead letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadLetterQuery {
    /// Only those of this table.
    pub destination: Option<String>,
    /// Only those after this one, in the order of keys: the last one of the page before.
    pub after: Option<DeadLetterKey>,
    /// The maximum number of results.
    pub limit: usize,
}

/// How a dead letter has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Its row is in the destination now.
    Replayed,
    /// Somebody decided that the record is not needed.
    Dropped,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_is_written() {
        let key = DeadLetterKey {
            destination: "events".to_owned(),
            topic: "clicks".to_owned(),
            epoch: 0xab,
            partition: 3,
            offset: 77,
        };
        assert_eq!(key.to_string(), "events/clicks/00000000000000ab/3/77");
        assert_eq!(key.to_string().parse(), Ok(key));
        for wrong in ["", "events", "a/b/x/0/0", "a/b/1/0/0/0", "a//1/0/0", "a/b/1/70000/0", "a/b/1/0/-1"] {
            assert_eq!(wrong.parse::<DeadLetterKey>(), Err(NotAKey), "{wrong}");
        }
    }
}
