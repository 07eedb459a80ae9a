//! The implementation of the stream contract on a Kafka cluster: what each call comes to.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use super::{Kafka, client::failed, fetch::ReadError, ffi::Content, note, produce::Sent, topics::Settings};
use crate::stream::{
    Assignments, Backend, Bounds, BoxFuture, Capabilities, Cursor, DeadLetter, DeadLetterKey, DeadLetterQuery, Ending,
    NewRecord, Record, Result, StreamError, Topic, TopicSpec,
};

/// How long leaving the groups may take.
const LEAVE_WITHIN: Duration = Duration::from_secs(15);
/// How long the last records may take to be delivered while the process ends.
const LAST_RECORDS: Duration = Duration::from_secs(5);

impl Kafka {
    /// The existing records from `first` to `last`; the partition's end must be past `last`.
    pub(super) async fn range(
        &self,
        topic: &str,
        partition: u16,
        first: u64,
        last: u64,
        content: Content,
    ) -> Result<Vec<Record>> {
        if first > last {
            return Ok(Vec::new());
        }
        let bounds = self.topics.bounds(topic, partition).await?;
        if first < bounds.start || last >= bounds.end {
            let wanted = if first < bounds.start { first } else { last };
            return Err(out_of_range(topic, partition, wanted, bounds));
        }
        match self.fetcher.read_range(topic, partition, first, last, content).await {
            Ok(records) => Ok(records),
            Err(error) => Err(self.read_error(error, topic, partition, first).await),
        }
    }

    /// Converts the error of a read; the brokers are asked for the offsets.
    async fn read_error(&self, error: ReadError, topic: &str, partition: u16, wanted: u64) -> StreamError {
        match error {
            ReadError::Other(error) => error,
            ReadError::NoSuchOffset => match self.topics.bounds(topic, partition).await {
                Ok(bounds) => out_of_range(topic, partition, wanted, bounds),
                Err(error) => error,
            },
        }
    }
}

/// The epoch of a topic with an id from the brokers. It depends on both halves of the id; the maximum is reserved for
/// rows that are not from a stream.
fn epoch_of(id: u128) -> u64 {
    u64::try_from((id >> 64) ^ (id & u128::from(u64::MAX))).unwrap_or(0).min(u64::MAX - 1)
}

fn out_of_range(topic: &str, partition: u16, wanted: u64, bounds: Bounds) -> StreamError {
    let Bounds { start, end } = bounds;
    StreamError::OutOfRange { topic: topic.to_owned(), partition, wanted, start, end }
}

impl Backend for Kafka {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            max_record_bytes: self.topics.max_record_bytes(),
            keeps_keys: true,
            has_gaps: true,
            lists_readers: false,
            cursors_expire: true,
            topics_can_be_recreated: true,
        }
    }

    fn open_topic<'a>(&'a self, spec: &'a TopicSpec) -> BoxFuture<'a, Result<Topic>> {
        Box::pin(async move {
            self.open()?;
            let settings = Settings { cleanup: "delete", retention: spec.retention, max_bytes: None };
            let partitions = self.topics.open(spec, settings).await?;
            let id = self.identity(&spec.name).await?;
            Ok(Topic { epoch: epoch_of(id), partitions })
        })
    }

    fn topic<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Result<Topic>> {
        Box::pin(async move {
            self.open()?;
            self.topics.known(topic, 0)?;
            let id = self.identity(topic).await?;
            Ok(Topic { epoch: epoch_of(id), partitions: self.partitions(topic) })
        })
    }

    fn partitions(&self, topic: &str) -> u16 {
        self.topics.count(topic).unwrap_or(0)
    }

    fn append<'a>(&'a self, topic: &'a str, partition: u16, records: Vec<NewRecord>) -> BoxFuture<'a, Result<u64>> {
        Box::pin(async move {
            self.open()?;
            self.topics.known(topic, partition)?;
            if records.is_empty() {
                return Ok(self.topics.bounds(topic, partition).await?.end);
            }
            let sent: Vec<_> = records
                .iter()
                .map(|record| Sent { key: record.key.as_deref(), payload: &record.payload, header: None })
                .collect();
            self.producer.append(topic, partition, &sent).await
        })
    }

    fn read<'a>(
        &'a self,
        topic: &'a str,
        partition: u16,
        from: u64,
        max_bytes: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>>> {
        Box::pin(async move {
            self.open()?;
            self.topics.known(topic, partition)?;
            match self.fetcher.read(topic, partition, from, max_bytes).await {
                Ok(records) => Ok(records),
                Err(error) => Err(self.read_error(error, topic, partition, from).await),
            }
        })
    }

    fn read_ahead(&self, readers: usize, most: u64) -> u64 {
        self.fetcher.read_ahead(readers, most)
    }

    fn read_range<'a>(
        &'a self,
        topic: &'a str,
        partition: u16,
        first: u64,
        last: u64,
    ) -> BoxFuture<'a, Result<Vec<Record>>> {
        Box::pin(async move {
            self.open()?;
            self.topics.known(topic, partition)?;
            self.range(topic, partition, first, last, Content::Payload).await
        })
    }

    fn bounds<'a>(&'a self, topic: &'a str, partition: u16) -> BoxFuture<'a, Result<Bounds>> {
        Box::pin(async move {
            self.open()?;
            self.topics.bounds(topic, partition).await
        })
    }

    fn size<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Result<Option<u64>>> {
        Box::pin(async move { self.topics.known(topic, 0).map(|()| None) })
    }

    fn assignments<'a>(&'a self, group: &'a str, topics: &'a [String]) -> BoxFuture<'a, Result<Assignments>> {
        Box::pin(async move { self.group(group)?.join(topics) })
    }

    fn epoch<'a>(&'a self, group: &'a str, topic: &'a str, partition: u16) -> BoxFuture<'a, Result<u64>> {
        Box::pin(async move {
            self.topics.known_by_now(topic, partition).await?;
            Ok(self.place(group, topic, partition).await?.epoch)
        })
    }

    fn cursor<'a>(&'a self, group: &'a str, topic: &'a str, partition: u16) -> BoxFuture<'a, Result<Option<Cursor>>> {
        Box::pin(async move { Ok(self.place(group, topic, partition).await?.cursor) })
    }

    fn moved<'a>(&'a self, group: &'a str, topic: &'a str, partition: u16) -> BoxFuture<'a, Result<Option<Cursor>>> {
        Box::pin(async move { Ok(self.place(group, topic, partition).await?.moved) })
    }

    fn take_over<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
        partition: u16,
        cursor: &'a Cursor,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let now = self.identity(topic).await?;
            let part = (group.to_owned(), topic.to_owned(), partition);
            self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert((part, cursor.epoch), now);
            self.commit(group, topic, partition, cursor).await
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
            self.topics.known(topic, partition)?;
            let part = (group.to_owned(), topic.to_owned(), partition);
            let now = self.identity(topic).await?;
            let known =
                self.ids.lock().unwrap_or_else(PoisonError::into_inner).get(&(part.clone(), cursor.epoch)).copied();
            let id = known.unwrap_or(now);
            if id != now {
                let action = format!("commit the offset of `{group}` on topic `{topic}` partition {partition}");
                return Err(failed(action, "the topic was deleted and made anew"));
            }
            let metadata = note::write(cursor, id, note::now()).map_err(|error| failed("write a cursor", error))?;
            self.group(group)?.commit(topic, partition, cursor.next, metadata).await?;
            self.epochs.lock().unwrap_or_else(PoisonError::into_inner).remove(&part);
            Ok(())
        })
    }

    fn letters_at_risk<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Result<Option<String>>> {
        Box::pin(self.letters_at_risk(topic))
    }

    fn put_dead_letters<'a>(&'a self, letters: &'a [DeadLetter]) -> BoxFuture<'a, Result<u64>> {
        Box::pin(self.store_letters(letters))
    }

    fn dead_letters<'a>(&'a self, query: &'a DeadLetterQuery) -> BoxFuture<'a, Result<Vec<DeadLetter>>> {
        Box::pin(self.find_letters(query))
    }

    fn dead_letter<'a>(&'a self, key: &'a DeadLetterKey) -> BoxFuture<'a, Result<Option<DeadLetter>>> {
        Box::pin(self.find_letter(key))
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

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.closed.store(true, Ordering::Release);
            let groups = std::mem::take(&mut *self.groups.lock().unwrap_or_else(PoisonError::into_inner));
            let (sender, left) = tokio::sync::oneshot::channel();
            let leave = move || {
                // All at once, because leaving waits for the brokers.
                std::thread::scope(|scope| {
                    for group in groups.into_values() {
                        scope.spawn(move || group.close());
                    }
                });
                // After a timeout nobody waits any longer.
                let _ = sender.send(());
            };
            // A detached thread, so that the end of the process does not wait for brokers that may never respond.
            let started = std::thread::Builder::new().name("kafka-leave".to_owned()).spawn(leave);
            started.map_err(|error| failed("leave the groups", error))?;
            if tokio::time::timeout(LEAVE_WITHIN, left).await.is_err() {
                tracing::warn!(
                    "the brokers don't answer: groups are left without a word, and wait for the session's end"
                );
            }
            self.fetcher.close();
            let producer = Arc::clone(&self.producer);
            let sent = tokio::task::spawn_blocking(move || producer.close(LAST_RECORDS)).await;
            sent.map_err(|error| failed("send the last records", error))
        })
    }
}
