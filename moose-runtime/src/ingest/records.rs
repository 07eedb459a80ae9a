//! Splits a body into records and decodes them: which are valid, and the errors of the others.

use std::collections::BTreeMap;

use bytes::Bytes;
use memchr::memchr_iter;

use super::{answer::RecordError, body::Format};
use crate::{
    inlet::{Checked, Inlet},
    record::{ErrorCode, FieldError, json},
};

/// Maximum number of records per request: a small compressed body may contain many.
const MAX_RECORDS: usize = 1_000_000;
/// Maximum number of errors in a response.
const LISTED_ERRORS: usize = 1_000;

/// A body's records, decoded.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    /// The valid records, their bytes as they came.
    pub(super) valid: Checked,
    /// Number of invalid records, by the first error of each.
    pub(super) rejected: BTreeMap<ErrorCode, usize>,
    /// The first of their errors.
    pub(super) errors: Vec<RecordError>,
    /// Number of errors that are not listed.
    pub(super) more: usize,
}

/// Splits a body and decodes its records.
pub(super) fn decode(inlet: &Inlet, format: Format, body: &Bytes) -> Decoded {
    match format {
        Format::Lines => {
            let records = lines(body).map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
            // Lines are counted first, which is fast: without that many there can't be that many records.
            let many = memchr_iter(b'\n', body).count() >= MAX_RECORDS;
            if many && records.clone().nth(MAX_RECORDS).is_some() {
                return Decoded::nothing(too_many_records());
            }
            Decoded::of(inlet, body, records)
        }
        Format::Json => match take_apart(body) {
            Ok(json::Body::One(record)) => Decoded::of(inlet, body, std::iter::once(record.as_bytes())),
            Ok(json::Body::Array(elements)) => Decoded::of(inlet, body, elements.into_iter().map(str::as_bytes)),
            Ok(json::Body::TooMany) => Decoded::nothing(too_many_records()),
            Ok(_) => Decoded::nothing(FieldError {
                pointer: String::new(),
                code: ErrorCode::InvalidJson,
                message: "there is more than one JSON value: send an array, or one object a line as \
                          `Content-Type: application/x-ndjson`"
                    .to_owned(),
            }),
            Err(error) => Decoded::nothing(error),
        },
    }
}

/// The lines of a body.
fn lines(body: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    let mut begin = 0;
    let ends = memchr_iter(b'\n', body).chain(std::iter::once(body.len()));
    ends.filter_map(move |end| body.get(std::mem::replace(&mut begin, end + 1)..end))
}

/// The values of a JSON body.
fn take_apart(body: &[u8]) -> Result<json::Body<'_>, FieldError> {
    let text = std::str::from_utf8(body).map_err(|error| FieldError {
        pointer: String::new(),
        code: ErrorCode::InvalidUtf8,
        message: format!("the body is not UTF-8 at byte {}", error.valid_up_to()),
    })?;
    json::split(text, MAX_RECORDS)
}

fn too_many_records() -> FieldError {
    FieldError {
        pointer: String::new(),
        code: ErrorCode::TooManyRecords,
        message: format!("there are more than {MAX_RECORDS} records: send several requests"),
    }
}

impl Decoded {
    fn of<'b>(inlet: &Inlet, body: &Bytes, records: impl Iterator<Item = &'b [u8]>) -> Self {
        let mut decoded = Self::default();
        decoded.valid = inlet.check(body, records, |index, errors| {
            if let Some(first) = errors.first() {
                *decoded.rejected.entry(first.code).or_default() += 1;
            }
            for error in errors {
                decoded.list(index, error);
            }
        });
        decoded
    }

    /// The body as a whole is invalid: it counts as one record.
    fn nothing(error: FieldError) -> Self {
        let mut decoded = Self { rejected: [(error.code, 1)].into(), ..Self::default() };
        decoded.list(0, error);
        decoded
    }

    fn list(&mut self, index: usize, error: FieldError) {
        if self.errors.len() < LISTED_ERRORS {
            self.errors.push(RecordError { index, error });
        } else {
            self.more += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_what_stands_between_their_ends() {
        for body in ["", "\n", "a", "a\n", "\na", "a\nb", "a\r\n\r\n\nb\n", "{\"x\":\"ü\"}\n \n{}"] {
            let expected: Vec<&[u8]> = body.as_bytes().split(|byte| *byte == b'\n').collect();
            assert_eq!(lines(body.as_bytes()).collect::<Vec<_>>(), expected, "{body:?}");
        }
    }
}
