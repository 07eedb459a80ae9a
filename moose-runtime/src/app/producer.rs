//! Appending records from within the program, with the front door's checks and its promise.

use std::{marker::PhantomData, sync::Arc};

use bytes::Bytes;

use super::AppError;
use crate::{
    declare::Stream,
    record::{Batch, ErasedBatch, OlapRecord},
    stream::{Backend, NewRecord, Spread},
};

/// Appends records to a stream.
pub struct Producer<R> {
    backend: Arc<dyn Backend>,
    topic: &'static str,
    /// Columns of the record's key.
    key: &'static [&'static str],
    record: PhantomData<fn(R)>,
}

impl<R> std::fmt::Debug for Producer<R> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Producer").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl<R: OlapRecord + serde::Serialize> Producer<R> {
    pub(super) fn new(backend: Arc<dyn Backend>, stream: &Stream<R>) -> Self {
        Self { backend, topic: stream.name(), key: stream.key(), record: PhantomData }
    }

    /// Appends records; when it returns, they are durable and will be rows. Each is checked as the front door would
    /// check it, and nothing is appended when one of them is not valid. Records go to the partition of their key; should
    /// the stream fail, those of some partitions may have been appended and those of others not.
    pub async fn append(&self, records: &[R]) -> Result<(), AppError> {
        for (partition, records) in (0..).zip(self.encode(records)?) {
            if !records.is_empty() {
                self.backend.append(self.topic, partition, records).await?;
            }
        }
        Ok(())
    }

    /// The records as the stream keeps them, by partition.
    fn encode(&self, records: &[R]) -> Result<Vec<Vec<NewRecord>>, AppError> {
        let mut batch = Batch::<R>::with_record_key(self.key);
        let count = self.backend.partitions(self.topic);
        let spread = Spread::new(count, self.backend.keeps_keys());
        let mut partitions = vec![Vec::new(); usize::from(count.max(1))];
        for (index, record) in records.iter().enumerate() {
            let json = serde_json::to_vec(record)
                .map_err(|error| AppError::Record { index, reason: format!("it can't be written as JSON: {error}") })?;
            let mut rejected = Vec::new();
            batch.decode(&[&json], usize::MAX, &mut rejected);
            batch.truncate(0);
            if let Some(rejected) = rejected.first() {
                let reasons: Vec<String> =
                    rejected.errors.iter().map(|error| format!("{}: {}", error.pointer, error.message)).collect();
                return Err(AppError::Record { index, reason: reasons.join("; ") });
            }
            let (partition, key) = spread.place(|| batch.record_key(&json));
            if let Some(partition) = partitions.get_mut(usize::from(partition)) {
                partition.push(NewRecord { key, payload: Bytes::from(json) });
            }
        }
        Ok(partitions)
    }
}
