//! Explains why a record was rejected: every error in it, each with its JSON pointer.
//!
//! This is the slow path, taken only after the columns have rejected a record. It reads the text again, field by field
//! and element by element, through the same [`Stores::append_json`](super::Stores::append_json) as the fast path, into
//! columns that are thrown away. So both paths agree on what is valid.

use serde::de;

use super::{
    ErrorCode, FieldError, RecordColumns,
    decode::Seen,
    error::Problem,
    findings::Findings,
    json::{self, Node, Place},
};

/// All errors in a rejected record; never empty.
pub(super) fn explain<R, C: RecordColumns<R>>(record: &[u8]) -> Vec<FieldError> {
    let mut findings = Findings::default();
    match std::str::from_utf8(record) {
        Ok(text) => explain_text::<R, C>(text, &mut findings),
        Err(error) => findings.push(
            &Place::Record,
            Problem::new(ErrorCode::InvalidUtf8, format!("not UTF-8 at byte {}", error.valid_up_to())),
        ),
    }
    if findings.is_empty() {
        findings.push(&Place::Record, Problem::new(ErrorCode::InvalidValue, "not a value of the record's type"));
    }
    findings.into_errors()
}

fn explain_text<R, C: RecordColumns<R>>(record: &str, findings: &mut Findings) {
    let out_of_range = match json::check(record) {
        Ok(()) => None,
        Err(error) if error.code == ErrorCode::OutOfRange => Some(error),
        Err(error) => {
            findings.push(&Place::Record, Problem::new(error.code, error.message));
            return;
        }
    };
    explain_fields::<R, C>(Node::new(record.trim_ascii()), &Place::Record, findings);
    // A number beyond every float, in a field that is not declared.
    if let (Some(error), true) = (out_of_range, findings.is_empty()) {
        findings.push(&Place::Record, Problem::new(error.code, error.message));
    }
}

/// All errors in an object that represents a struct.
pub(super) fn explain_fields<R, C: RecordColumns<R>>(object: Node<'_>, place: &Place<'_>, findings: &mut Findings) {
    if !object.is_object() {
        findings.push_wrong_type(place, "an object", object);
        return;
    }
    let mut seen = Seen::default();
    object.for_each_field(|name, value| {
        if findings.is_full() {
            return;
        }
        let place = place.field(name);
        match C::field(name).and_then(|place| Some((place, C::FIELDS.get(place)?))) {
            Some((number, field)) if seen.insert(number) => (field.explain)(value, &place, findings),
            Some((_, field)) => findings.push(&place, de::Error::duplicate_field(field.name())),
            None if C::DENY_UNKNOWN_FIELDS => findings.push(&place, de::Error::unknown_field(name, &[])),
            None => {}
        }
    });
    for (_, field) in C::FIELDS.iter().enumerate().filter(|(number, _)| !seen.contains(*number)) {
        if let Err(problem) = (field.missing)(field.name()) {
            findings.push(&place.field(field.name()), problem);
        }
    }
}
