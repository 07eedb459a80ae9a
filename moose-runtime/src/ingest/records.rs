//! A body taken apart into records, and the records decoded: which may be stored, and what is wrong with the others.

use bytes::Bytes;
use memchr::memchr_iter;

use super::{Api, answer::RecordError, body::Format};
use crate::{
    record::{ErasedBatch, ErrorCode, FieldError, json},
    stream::{NewRecord, Spread},
};

/// Records that a request may bring: bounds what a small compressed body can make of itself.
const MAX_RECORDS: usize = 1_000_000;
/// Errors that an answer lists.
const LISTED_ERRORS: usize = 1_000;
/// Records that are decoded at once: bounds the memory of their errors.
const RECORDS_AT_ONCE: usize = 1_024;
/// Encoded bytes after which decoded columns are thrown away.
const COLUMN_BYTES: usize = 4 << 20;

/// A body's records, decoded.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    /// The valid records, their bytes as they came, by partition; none is empty.
    pub(super) valid: Vec<(u16, Vec<NewRecord>)>,
    /// How many records are not valid.
    pub(super) rejected: usize,
    /// What is wrong with those, the first of it.
    pub(super) errors: Vec<RecordError>,
    /// How many errors are not listed.
    pub(super) more: usize,
}

/// What the stream wants of records.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// The largest record that it takes, in bytes.
    pub(super) max_bytes: usize,
    /// Its partitions.
    pub(super) partitions: u16,
    /// Whether it keeps keys.
    pub(super) keys: bool,
}

/// Takes a body apart and decodes its records.
pub(super) fn decode(api: &Api, format: Format, body: &Bytes, wanted: Wanted) -> Decoded {
    let mut decoder = Decoder {
        batch: api.take_batch(),
        body,
        wanted,
        spread: Spread::new(wanted.partitions, wanted.keys),
        partitions: vec![Vec::new(); usize::from(wanted.partitions.max(1))],
        seen: 0,
        out: Decoded::default(),
    };
    match format {
        Format::Lines => {
            let records = lines(body).map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
            // Lines are counted first, which is quick: without that many there are not that many records.
            let many = memchr_iter(b'\n', body).count() >= MAX_RECORDS;
            if many && records.clone().nth(MAX_RECORDS).is_some() {
                decoder.reject_body(too_many_records());
            } else {
                decoder.records(records);
            }
        }
        Format::Json => match take_apart(body) {
            Ok(json::Body::One(record)) => decoder.records(std::iter::once(record.as_bytes())),
            Ok(json::Body::Array(elements)) => decoder.records(elements.into_iter().map(str::as_bytes)),
            Ok(json::Body::TooMany) => decoder.reject_body(too_many_records()),
            Ok(_) => decoder.reject_body(FieldError {
                pointer: String::new(),
                code: ErrorCode::InvalidJson,
                message: "there is more than one JSON value: send an array, or one object a line as \
                          `Content-Type: application/x-ndjson`"
                    .to_owned(),
            }),
            Err(error) => decoder.reject_body(error),
        },
    }
    let Decoder { batch, partitions, mut out, .. } = decoder;
    api.give_back(batch);
    out.valid = (0..).zip(partitions).filter(|(_, records)| !records.is_empty()).collect();
    out
}

/// What stands between the ends of lines.
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

fn too_large(bytes: usize, max: usize) -> FieldError {
    FieldError {
        pointer: String::new(),
        code: ErrorCode::TooLarge,
        message: format!("the record has {bytes} bytes, and the stream takes records of at most {max}"),
    }
}

struct Decoder<'a> {
    batch: Box<dyn ErasedBatch>,
    body: &'a Bytes,
    wanted: Wanted,
    spread: Spread,
    /// Valid records, by partition.
    partitions: Vec<Vec<NewRecord>>,
    /// Records so far.
    seen: usize,
    out: Decoded,
}

impl<'a> Decoder<'a> {
    fn records(&mut self, mut records: impl Iterator<Item = &'a [u8]>) {
        let mut chunk = Vec::with_capacity(RECORDS_AT_ONCE.min(records.size_hint().0 + 1));
        loop {
            chunk.clear();
            chunk.extend(records.by_ref().take(RECORDS_AT_ONCE));
            if chunk.is_empty() {
                return;
            }
            self.chunk(&chunk);
        }
    }

    fn chunk(&mut self, records: &[&'a [u8]]) {
        let mut rest = records;
        while !rest.is_empty() {
            let mut rejected = Vec::new();
            let looked_at = self.batch.decode(rest, COLUMN_BYTES, &mut rejected);
            assert!((1..=rest.len()).contains(&looked_at), "BUG: a batch that looks at {looked_at} of {}", rest.len());
            let (now, later) = rest.split_at(looked_at);
            rest = later;
            let mut next_rejected = rejected.iter().map(|rejected| rejected.index).peekable();
            for (index, record) in now.iter().enumerate() {
                if next_rejected.next_if_eq(&index).is_some() {
                    continue;
                }
                if record.len() <= self.wanted.max_bytes {
                    self.keep(record);
                } else {
                    self.out.rejected += 1;
                    self.list(self.seen + index, too_large(record.len(), self.wanted.max_bytes));
                }
            }
            for rejected in rejected {
                self.out.rejected += 1;
                for error in rejected.errors {
                    self.list(self.seen + rejected.index, error);
                }
            }
            self.seen += looked_at;
            if self.batch.byte_size() >= COLUMN_BYTES {
                self.batch.truncate(0);
            }
        }
    }

    /// A valid record goes to its partition.
    fn keep(&mut self, record: &'a [u8]) {
        let (partition, key) = self.spread.place(|| self.batch.record_key(record));
        if let Some(records) = self.partitions.get_mut(usize::from(partition)) {
            records.push(NewRecord { key, payload: self.body.slice_ref(record) });
        }
    }

    /// The body as a whole is not what it should be: it counts as one record.
    fn reject_body(&mut self, error: FieldError) {
        self.out.rejected = 1;
        self.list(0, error);
    }

    fn list(&mut self, index: usize, error: FieldError) {
        if self.out.errors.len() < LISTED_ERRORS {
            self.out.errors.push(RecordError { index, error });
        } else {
            self.out.more += 1;
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
