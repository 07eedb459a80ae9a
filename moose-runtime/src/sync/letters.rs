//! Records that become dead letters: made, kept, counted, and said.

use super::{Assignment, Shared, encoder::Refused, now};
use crate::{
    clickhouse::ClickHouseError,
    fault::{self, Point},
    stream::{DeadLetter, DeadLetterDetails, DeadLetterKey, Record, StreamError, WrongField},
    telemetry::TableLabel,
};

impl Assignment {
    /// The key that a record's dead letter has.
    pub(super) fn letter_key(&self, offset: u64) -> DeadLetterKey {
        DeadLetterKey {
            destination: self.table.name.clone(),
            topic: self.topic.clone(),
            epoch: self.epochs.at(offset),
            partition: self.partition,
            offset,
        }
    }

    /// The dead letter of a record that does not fit the record type.
    pub(super) fn misfit(&self, refused: Refused, maybe_stored: bool) -> DeadLetter {
        let errors: Vec<WrongField> = refused
            .errors
            .into_iter()
            .map(|error| WrongField { pointer: error.pointer, message: error.message })
            .collect();
        let is_empty = refused.record.payload.is_empty();
        let reason =
            if is_empty { "it is empty: a message without a value" } else { "it does not fit the record type" };
        let reason = reason.to_owned();
        self.letter(&refused.record, Details { code: None, reason, errors, maybe_stored })
    }

    /// The dead letter of a record whose row ClickHouse refuses.
    pub(super) fn refused_row(&self, record: &Record, answer: &ClickHouseError, maybe_stored: bool) -> DeadLetter {
        let (code, reason) = (answer.code(), answer.to_string());
        self.letter(record, Details { code, reason, errors: Vec::new(), maybe_stored })
    }

    fn letter(&self, record: &Record, details: Details) -> DeadLetter {
        let Details { code, reason, errors, maybe_stored } = details;
        let (timestamp, since) = (record.timestamp, now());
        DeadLetter {
            key: self.letter_key(record.offset),
            payload: record.payload.clone(),
            details: DeadLetterDetails { timestamp, since, code, reason, errors, maybe_stored },
        }
    }
}

struct Details {
    code: Option<u32>,
    reason: String,
    errors: Vec<WrongField>,
    maybe_stored: bool,
}

impl Shared {
    /// Makes dead letters durable, before anything passes their records.
    pub(super) async fn bury(&self, letters: &[DeadLetter]) -> Result<(), StreamError> {
        let Some(first) = letters.first() else { return Ok(()) };
        fault::point(Point::LettersBefore);
        let new = self.backend.put_dead_letters(letters).await?;
        fault::point(Point::LettersAfter);
        let table = first.key.destination.as_str();
        self.metrics.dead_lettered.get_or_create(&TableLabel { table: table.to_owned() }).inc_by(new);
        if new > 0 {
            let reason = first.details.reason.as_str();
            tracing::warn!(table, records = new, first = %first.key, reason, "dead letters: see `dead-letters list`");
        }
        Ok(())
    }
}
