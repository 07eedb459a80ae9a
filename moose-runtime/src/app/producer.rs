//! The producer: appends records from within the program, with the same checks and the same promise as the front door.

use std::{fmt, marker::PhantomData, ops::Range, sync::Arc};

use bytes::Bytes;

use super::AppError;
use crate::{
    declare::Stream,
    inlet::{Checked, Inlet},
    record::{Batch, FieldError, OlapRecord},
    stream::Backend,
};

/// Appends records to a stream.
pub struct Producer<R> {
    inlet: Inlet,
    record: PhantomData<fn(R)>,
}

impl<R> fmt::Debug for Producer<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Producer").field(&self.inlet).finish()
    }
}

impl<R: OlapRecord + serde::Serialize> Producer<R> {
    pub(super) fn new(backend: Arc<dyn Backend>, stream: &Stream<R>) -> Self {
        let key = stream.key();
        let new_batch = Arc::new(move || Box::new(Batch::<R>::with_record_key(key)) as _);
        Self { inlet: Inlet::new(backend, stream.name().to_owned(), new_batch), record: PhantomData }
    }

    /// Appends records; when it returns, they are durable and will be rows. Each is checked as the front door would
    /// check it, and nothing is appended when one of them is not valid. Records go to the partition of their key; should
    /// the stream fail, those of some partitions may have been appended and those of others not.
    pub async fn append(&self, records: &[R]) -> Result<(), AppError> {
        let appended = self.inlet.append(self.check(records)?).await;
        appended.failure.map_or(Ok(()), |failure| Err(failure.into()))
    }

    /// The records as the stream keeps them.
    fn check(&self, records: &[R]) -> Result<Checked, AppError> {
        let mut json = Vec::new();
        let mut places: Vec<Range<usize>> = Vec::with_capacity(records.len());
        for (index, record) in records.iter().enumerate() {
            let begin = json.len();
            serde_json::to_writer(&mut json, record)
                .map_err(|error| AppError::Record { index, reason: format!("it can't be written as JSON: {error}") })?;
            places.push(begin..json.len());
        }
        let body = Bytes::from(json);
        let mut first: Option<(usize, Vec<FieldError>)> = None;
        let checked =
            self.inlet.check(&body, places.into_iter().filter_map(|place| body.get(place)), |index, errors| {
                if first.as_ref().is_none_or(|(known, _)| index < *known) {
                    first = Some((index, errors));
                }
            });
        match first {
            Some((index, errors)) => {
                let reasons: Vec<String> = errors.iter().map(reason).collect();
                Err(AppError::Record { index, reason: reasons.join("; ") })
            }
            None => Ok(checked),
        }
    }
}

/// What is wrong, and where; an error about the whole record has an empty pointer.
fn reason(error: &FieldError) -> String {
    if error.pointer.is_empty() { error.message.clone() } else { format!("{}: {}", error.pointer, error.message) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{
        StreamError, contract,
        double::Double,
        log::{Log, LogOptions},
    };

    #[derive(serde::Serialize, crate::OlapRecord)]
    #[olap(crate = "crate")]
    struct Note {
        #[key]
        id: u8,
        #[olap(fixed = 4)]
        code: String,
        text: String,
    }

    fn note(id: u8, code: &str, bytes: usize) -> Note {
        Note { id, code: code.to_owned(), text: "x".repeat(bytes) }
    }

    #[tokio::test]
    async fn what_the_door_refuses_is_refused_with_its_words_and_nothing_is_appended() {
        let directory = tempfile::tempdir().unwrap();
        let log: Arc<dyn Backend> = Arc::new(Log::open(LogOptions::new(directory.path())).unwrap());
        log.open_topic(&contract::topic("notes", 1)).await.unwrap();
        let backend = Arc::new(Double { most: Some(100), ..Double::of(log) });
        let producer = Producer::new(backend.clone(), &Stream::<Note>::new("notes"));
        for (wrong, reason) in [
            (note(2, "code", 200), "the record has 232 bytes, and the stream takes records of at most 100"),
            (note(2, "too long", 1), "/code: "),
        ] {
            let error = producer.append(&[note(1, "code", 1), wrong, note(3, "too long", 1)]).await.unwrap_err();
            let AppError::Record { index: 1, reason: found } = &error else { panic!("{error}") };
            assert!(found.starts_with(reason), "{found}");
        }
        assert_eq!(backend.bounds("notes", 0).await.unwrap().end, 0);
        producer.append(&[note(1, "code", 1), note(2, "code", 2)]).await.unwrap();
        assert_eq!(backend.bounds("notes", 0).await.unwrap().end, 2);
        let full = |_| Some(StreamError::Full { topic: "notes".to_owned(), reason: "no room".to_owned() });
        let full = Double { fails: full, ..Double::of(backend) };
        let producer = Producer::new(Arc::new(full), &Stream::<Note>::new("notes"));
        let error = producer.append(&[note(1, "code", 1)]).await.unwrap_err();
        assert!(matches!(error, AppError::Stream(StreamError::Full { .. })), "{error}");
    }
}
