//! Makes dead letters of records, stores, counts and logs them.

use super::{Assignment, Shared, encoder::Refused, now};
use crate::{
    clickhouse::ClickHouseError,
    fault::{self, Point},
    record::FieldError,
    stream::{DeadLetter, DeadLetterDetails, DeadLetterKey, Record, StreamError, WrongField},
    telemetry::{LetterLabel, LetterReason},
};

/// Maximum bytes of the errors in a letter, and of each text in it: a name in a record may have megabytes, and a letter
/// must fit into its topic together with its record.
const ERRORS: usize = 4 << 10;
const TEXT: usize = 1 << 10;

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
        let errors = first_of(refused.errors);
        let is_empty = refused.record.payload.is_empty();
        let reason =
            if is_empty { "it is empty: a message without a value" } else { "it does not fit the record type" };
        let reason = reason.to_owned();
        self.letter(&refused.record, Details { code: None, reason, errors, maybe_stored })
    }

    /// The dead letter of a record whose row ClickHouse refuses.
    pub(super) fn refused_row(&self, record: &Record, answer: &ClickHouseError, maybe_stored: bool) -> DeadLetter {
        let (code, reason) = (answer.code(), cut(answer.to_string()));
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

/// As many errors as fit into a letter, and the number of the others.
fn first_of(errors: Vec<FieldError>) -> Vec<WrongField> {
    let (all, mut left, mut kept) = (errors.len(), ERRORS, Vec::new());
    for error in errors {
        let field = WrongField { pointer: cut(error.pointer), message: cut(error.message) };
        left = left.saturating_sub(field.pointer.len() + field.message.len());
        if left == 0 {
            break;
        }
        kept.push(field);
    }
    if kept.len() < all {
        kept.push(WrongField { pointer: String::new(), message: format!("and {} more", all - kept.len()) });
    }
    kept
}

fn cut(mut text: String) -> String {
    if text.len() > TEXT {
        text.truncate(text.floor_char_boundary(TEXT));
        text.push('…');
    }
    text
}

struct Details {
    code: Option<u32>,
    reason: String,
    errors: Vec<WrongField>,
    maybe_stored: bool,
}

impl Shared {
    /// Makes dead letters durable, before the cursor passes their records.
    pub(super) async fn bury(&self, letters: &[DeadLetter]) -> Result<(), StreamError> {
        let Some(first) = letters.first() else { return Ok(()) };
        fault::point(Point::LettersBefore);
        let new = self.backend.put_dead_letters(letters).await?;
        fault::point(Point::LettersAfter);
        let table = first.key.destination.as_str();
        // All of one call are of one kind.
        let reason = if first.details.code.is_some() { LetterReason::Refused } else { LetterReason::Invalid };
        let label = LetterLabel { table: table.to_owned(), reason };
        self.metrics.records_dead_lettered.get_or_create(&label).inc_by(new);
        if new > 0 {
            let reason = first.details.reason.as_str();
            tracing::warn!(table, records = new, first = %first.key, reason, "dead letters: see `dead-letters list`");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ErrorCode;

    fn error(pointer: String) -> FieldError {
        FieldError { pointer, code: ErrorCode::InvalidValue, message: "no".to_owned() }
    }

    #[test]
    fn what_is_wrong_with_a_record_is_cut_to_what_has_room() {
        let few = first_of(vec![error("/a".to_owned()), error("/b".to_owned())]);
        assert!(few.iter().map(|field| field.pointer.as_str()).eq(["/a", "/b"]));
        let many = first_of((0..100).map(|number| error(format!("/{number}{}", "ä".repeat(1_000_000)))).collect());
        assert!(many.iter().map(|field| field.pointer.len() + field.message.len()).sum::<usize>() < ERRORS + 20);
        assert!(many[0].pointer.starts_with("/0ä") && many[0].pointer.ends_with("ä…"));
        assert_eq!(many.last().unwrap().message, format!("and {} more", 101 - many.len()));
    }
}
