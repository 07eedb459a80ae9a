//! The implementation of the stream contract on the log: what each call comes to.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, atomic::Ordering},
};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{
    Log,
    block::{Draft, MAX_RECORD_BYTES},
    close,
    job::{Content, CursorMove, Job},
    store::{key, storage},
};
use crate::stream::{
    Assignments, Backend, Bounds, BoxFuture, Capabilities, Cursor, DeadLetter, DeadLetterKey, DeadLetterQuery, Ending,
    Epochs, NewRecord, Reader, Record, Result, StreamError, Topic, TopicSpec, Trouble,
};

/// Bytes per read of a range.
const RANGE_BYTES: usize = 4 << 20;

/// Appends of this many bytes or more get blocks of their own. Their caller compresses them: callers are many, and the
/// single commit thread then has less to write.
const PACKED_FROM: usize = 16 << 10;
/// Appends of up to this many bytes are compressed on the async threads: less than 100 µs of work.
const INLINE_BYTES: usize = 64 << 10;

/// The records of an append, in the form that the commit thread takes.
async fn content(records: Vec<Bytes>) -> Result<Content> {
    let bytes: usize = records.iter().map(Bytes::len).sum();
    if bytes < PACKED_FROM {
        return Ok(Content::Records(records));
    }
    let pack = move || Content::Drafts(Draft::packed(&records).collect());
    if bytes <= INLINE_BYTES {
        return Ok(pack());
    }
    let done = tokio::task::spawn_blocking(pack).await;
    done.map_err(|source| storage("pack records for the stream".to_owned(), source))
}

impl Backend for Log {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            max_record_bytes: MAX_RECORD_BYTES,
            keeps_keys: false,
            has_gaps: false,
            lists_readers: true,
            cursors_expire: false,
            topics_can_be_recreated: false,
        }
    }

    fn open_topic<'a>(&'a self, spec: &'a TopicSpec) -> BoxFuture<'a, Result<Topic>> {
        Box::pin(self.make_topic(spec))
    }

    fn topic<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Result<Topic>> {
        Box::pin(async move {
            let epoch = self.shared.topic(topic)?.epoch;
            Ok(Topic { epoch, partitions: self.partitions(topic) })
        })
    }

    fn partitions(&self, topic: &str) -> u16 {
        self.shared.topic(topic).map_or(0, |open| u16::try_from(open.partitions.len()).unwrap_or(u16::MAX))
    }

    fn append<'a>(&'a self, topic: &'a str, partition: u16, records: Vec<NewRecord>) -> BoxFuture<'a, Result<u64>> {
        Box::pin(async move {
            self.shared.writable()?;
            let partition = self.shared.partition(topic, partition)?;
            if records.is_empty() {
                return Ok(partition.end());
            }
            let records: Vec<Bytes> = records.into_iter().map(|record| record.payload).collect();
            if let Some(record) = records.iter().find(|record| record.len() > MAX_RECORD_BYTES) {
                let action = format!("append a record of {} bytes to topic `{topic}`", record.len());
                return Err(storage(action, format!("a record may have at most {MAX_RECORD_BYTES} bytes")));
            }
            let content = content(records).await?;
            let (reply, answer) = oneshot::channel();
            let job = Job::Append { partition, content, reply };
            self.jobs.send(job).map_err(|_closed| StreamError::Closed)?;
            answer.await.map_err(|_closed| StreamError::Closed)?
        })
    }

    fn read<'a>(
        &'a self,
        topic: &'a str,
        partition: u16,
        from: u64,
        max_bytes: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>>> {
        Box::pin(self.read_records(topic, partition, from, max_bytes))
    }

    fn read_range<'a>(
        &'a self,
        topic: &'a str,
        partition: u16,
        first: u64,
        last: u64,
    ) -> BoxFuture<'a, Result<Vec<Record>>> {
        Box::pin(async move {
            let Bounds { start, end } = self.shared.partition(topic, partition)?.bounds();
            if first <= last && last >= end {
                let topic = topic.to_owned();
                return Err(StreamError::OutOfRange { topic, partition, wanted: last, start, end });
            }
            let mut records: Vec<Record> = Vec::new();
            let mut from = first;
            while from <= last {
                let read = self.read_records(topic, partition, from, RANGE_BYTES).await?;
                let Some(newest) = read.last() else { break };
                from = newest.offset.saturating_add(1);
                records.extend(read.into_iter().filter(|record| record.offset <= last));
            }
            Ok(records)
        })
    }

    fn bounds<'a>(&'a self, topic: &'a str, partition: u16) -> BoxFuture<'a, Result<Bounds>> {
        Box::pin(async move { Ok(self.shared.partition(topic, partition)?.bounds()) })
    }

    fn size<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Result<Option<u64>>> {
        Box::pin(async move { Ok(Some(self.shared.topic(topic)?.bytes.load(Ordering::Relaxed))) })
    }

    fn assignments<'a>(&'a self, group: &'a str, topics: &'a [String]) -> BoxFuture<'a, Result<Assignments>> {
        Box::pin(async move {
            let mut all = Vec::new();
            for topic in topics {
                self.register_group(group, topic).await?;
                let partitions = self.shared.topic(topic)?.partitions.len();
                all.extend((0..).take(partitions).map(|partition| (topic.clone(), partition)));
            }
            Ok(Assignments::of_all(all))
        })
    }

    fn epoch<'a>(&'a self, _group: &'a str, topic: &'a str, _partition: u16) -> BoxFuture<'a, Result<u64>> {
        Box::pin(async move { Ok(self.shared.topic(topic)?.epoch) })
    }

    fn epochs(&self, topic: &str, partition: u16) -> Result<Option<Epochs>> {
        Ok(Some(self.shared.partition(topic, partition)?.epochs.clone()))
    }

    fn readers<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Result<Vec<Reader>>> {
        Box::pin(self.find_readers(topic))
    }

    fn forget_reader<'a>(
        &'a self,
        topic: &'a str,
        group: &'a str,
        heir: Option<&'a str>,
    ) -> BoxFuture<'a, Result<bool>> {
        Box::pin(self.forget(topic, group, heir))
    }

    fn cursor<'a>(&'a self, group: &'a str, topic: &'a str, partition: u16) -> BoxFuture<'a, Result<Option<Cursor>>> {
        Box::pin(async move {
            let partition = self.shared.partition(topic, partition)?;
            let key = key::cursor(partition.key, group);
            let action = format!("read the cursor of `{group}` on topic `{topic}`");
            self.blocking(&action, move |store| store.get(&key)).await
        })
    }

    fn commit<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
        partition: u16,
        cursor: &'a Cursor,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let partition = self.shared.partition(topic, partition)?;
            let action = || format!("write the cursor of `{group}` on topic `{topic}`");
            let value = serde_json::to_vec(cursor).map_err(|source| storage(action(), source))?;
            // Known at its old position until the new one is durable: retention may only lag behind.
            partition.know_group(group);
            let write = (key::cursor(partition.key, group), Some(value));
            self.put(vec![write], vec![CursorMove::to(&partition, group, cursor.next)]).await
        })
    }

    fn put_dead_letters<'a>(&'a self, letters: &'a [DeadLetter]) -> BoxFuture<'a, Result<u64>> {
        Box::pin(self.store_letters(letters))
    }

    fn dead_letters<'a>(&'a self, query: &'a DeadLetterQuery) -> BoxFuture<'a, Result<Vec<DeadLetter>>> {
        Box::pin(self.find_letters(query.clone()))
    }

    fn dead_letter<'a>(&'a self, key: &'a DeadLetterKey) -> BoxFuture<'a, Result<Option<DeadLetter>>> {
        Box::pin(self.find_letter(key.clone()))
    }

    fn dead_letter_offsets<'a>(
        &'a self,
        first: &'a DeadLetterKey,
        last: u64,
    ) -> BoxFuture<'a, Result<BTreeMap<u64, Option<Ending>>>> {
        Box::pin(self.letter_offsets(first, last))
    }

    fn end_dead_letters<'a>(&'a self, keys: &'a [DeadLetterKey], ending: Ending) -> BoxFuture<'a, Result<u64>> {
        Box::pin(self.end_letters(keys, ending))
    }

    fn trouble(&self) -> Option<Trouble> {
        let failure = self.shared.failed.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        let since = failure.since;
        let paused = StreamError::Paused { cause: failure.to_string(), maybe_stored: false };
        Some(Trouble { since, message: paused.to_string() })
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        let (shared, jobs, threads) = (Arc::clone(&self.shared), self.jobs.clone(), Arc::clone(&self.threads));
        Box::pin(async move {
            let closed = tokio::task::spawn_blocking(move || close(&shared, &jobs, &threads)).await;
            closed.map_err(|source| storage("close the stream".to_owned(), source))
        })
    }
}
