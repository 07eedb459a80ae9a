//! Dead letters: one compacted topic of one partition per stream, `<stream>.dead-letters`.
//!
//! A message's key is that of the letter, its payload the record's as it came, and a header gives the reason. A letter
//! that has ended is written again without its payload. Each process keeps the keys in memory, and reads what others
//! have written since before it answers.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::CStr,
    ops::Bound,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    Kafka,
    book::{Book, Entry},
    client::failed,
    ffi::{Content, open_envelope},
    produce::Sent,
    topics::Settings,
};
use crate::stream::{
    DeadLetter, DeadLetterDetails, DeadLetterKey, DeadLetterQuery, Ending, Result, Retention, StreamError, TopicSpec,
};

/// Suffix of the topic's name.
const ENDING: &str = ".dead-letters";
/// The header with the reason.
const HEADER: &str = "moose-dead-letter";
const HEADER_TO_READ: &CStr = c"moose-dead-letter";
/// How many offsets are read at once.
const PAGE: u64 = 1000;

/// The topic's maximum message size: records may have been received compressed, too.
const LETTER_BYTES: u64 = 16 << 20;
/// The most that a letter adds to its record: its key, and the reason, which is limited where it is made.
const BESIDE_A_RECORD: u64 = 64 << 10;

/// The header's value.
#[derive(Serialize, Deserialize)]
struct Why {
    version: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<Ending>,
    #[serde(flatten)]
    details: DeadLetterDetails,
}

/// The maximum message size for the dead letters of a stream with this maximum record size.
fn wanted(of_stream: Option<u64>) -> u64 {
    of_stream.map_or(LETTER_BYTES, |bytes| bytes.saturating_add(BESIDE_A_RECORD).max(LETTER_BYTES))
}

fn remedy(topic: &str, bytes: u64) -> String {
    format!(
        "set it with kafka-configs.sh --alter --entity-type topics --entity-name {topic} --add-config max.message.bytes={bytes}"
    )
}

fn topic_of(stream: &str) -> String {
    format!("{stream}{ENDING}")
}

/// Key, reason and payload of a message; `None` if it is not a letter of ours.
fn read(message: &Bytes) -> Option<(DeadLetterKey, Why, Bytes)> {
    let (key, why, payload) = open_envelope(message)?;
    let key = std::str::from_utf8(&key).ok()?.parse().ok()?;
    Some((key, serde_json::from_slice(&why).ok()?, payload))
}

impl Kafka {
    /// Creates the topic if it is missing.
    async fn open_letters(&self, stream: &str, book: &mut Book) -> Result<()> {
        if !book.is_open {
            let retention = Retention { age: None, bytes: None };
            let spec = TopicSpec { name: topic_of(stream), partitions: 1, retention };
            let max_bytes = Some(wanted(self.topics.max_bytes(stream).await?));
            self.topics.open(&spec, Settings { cleanup: "compact", retention, max_bytes }).await?;
            if let Some(flaw) = self.letters_at_risk(stream).await? {
                tracing::warn!("{flaw}");
            }
            book.is_open = true;
        }
        Ok(())
    }

    /// Reads the messages written since. If the topic does not exist yet, there are none.
    async fn catch_up(&self, stream: &str, book: &mut Book) -> Result<()> {
        let topic = topic_of(stream);
        if !book.is_open {
            if !self.topics.exists(&topic).await? {
                return Ok(());
            }
            self.open_letters(stream, book).await?;
        }
        let bounds = self.topics.bounds(&topic, 0).await?;
        book.next = book.next.max(bounds.start);
        while book.next < bounds.end {
            let last = book.next.saturating_add(PAGE - 1).min(bounds.end - 1);
            for record in self.range(&topic, 0, book.next, last, Content::Envelope(HEADER_TO_READ)).await? {
                if let Some((key, why, _)) = read(&record.payload) {
                    book.letters.insert(key, Entry { ended: why.ended, offset: record.offset });
                }
            }
            book.next = last + 1;
        }
        Ok(())
    }

    async fn write_letters(&self, stream: &str, letters: Vec<(DeadLetterKey, Why, Bytes)>) -> Result<()> {
        let mut parts = Vec::with_capacity(letters.len());
        for (key, why, payload) in letters {
            let why = serde_json::to_vec(&why).map_err(|error| failed("write a dead letter", error))?;
            parts.push((key.to_string(), why, payload));
        }
        let sent: Vec<Sent<'_>> = parts
            .iter()
            .map(|(key, why, payload)| Sent { key: Some(key.as_bytes()), payload, header: Some((HEADER, why)) })
            .collect();
        if sent.is_empty() {
            return Ok(());
        }
        let topic = topic_of(stream);
        let outcome = self.letters.producer(&self.options)?.send(&topic, 0, &sent).await?;
        if outcome.is_too_large() {
            let size = |sent: &Sent<'_>| sent.payload.len() + sent.header.map_or(0, |(_, why)| why.len());
            let bytes = sent.iter().map(size).max().unwrap_or(0);
            return Err(StreamError::LetterTooLarge {
                remedy: remedy(&topic, wanted(Some(bytes as u64))),
                topic,
                bytes,
            });
        }
        outcome.told(&topic, 0).map(drop)
    }

    /// Which dead letters of the stream may be too large, and what to do.
    pub(super) async fn letters_at_risk(&self, stream: &str) -> Result<Option<String>> {
        let topic = topic_of(stream);
        let (Some(of_stream), Some(of_letters)) =
            (self.topics.max_bytes(stream).await?, self.topics.max_bytes(&topic).await?)
        else {
            return Ok(None);
        };
        let wanted = of_stream.saturating_add(BESIDE_A_RECORD);
        Ok((of_letters < wanted).then(|| {
            format!(
                "topic `{topic}` takes records of {of_letters} bytes, and a dead letter of `{stream}` may have {wanted}: one that does \
                 not fit would hold its table up until it does; {}",
                remedy(&topic, self::wanted(Some(of_stream)))
            )
        }))
    }

    pub(super) async fn store_letters(&self, letters: &[DeadLetter]) -> Result<u64> {
        let mut by_stream: BTreeMap<&str, BTreeMap<&DeadLetterKey, &DeadLetter>> = BTreeMap::new();
        for letter in letters {
            // Of letters with one key the first is kept.
            by_stream.entry(&letter.key.topic).or_default().entry(&letter.key).or_insert(letter);
        }
        let mut new = 0;
        for (stream, letters) in by_stream {
            let book = self.letters.book(stream);
            let mut book = book.lock().await;
            self.open_letters(stream, &mut book).await?;
            self.catch_up(stream, &mut book).await?;
            let unknown: Vec<_> = letters
                .into_values()
                .filter(|letter| !book.letters.contains_key(&letter.key))
                .map(|letter| {
                    let why = Why { version: 1, ended: None, details: letter.details.clone() };
                    (letter.key.clone(), why, letter.payload.clone())
                })
                .collect();
            new += unknown.len() as u64;
            self.write_letters(stream, unknown).await?;
        }
        Ok(new)
    }

    pub(super) async fn find_letters(&self, query: &DeadLetterQuery) -> Result<Vec<DeadLetter>> {
        let mut streams = self.letters.streams();
        streams.extend(self.topics.names().into_iter().filter(|name| !name.ends_with(ENDING)));
        let mut found = Vec::new();
        let from = query.after.clone().map_or(Bound::Unbounded, Bound::Excluded);
        for stream in streams {
            let book = self.letters.book(&stream);
            let mut book = book.lock().await;
            self.catch_up(&stream, &mut book).await?;
            let letters = book.letters.range((from.clone(), Bound::Unbounded));
            let here = letters
                .filter(|(key, entry)| {
                    entry.ended.is_none() && query.destination.as_ref().is_none_or(|table| *table == key.destination)
                })
                .map(|(key, entry)| (key.clone(), entry.offset))
                .take(query.limit);
            found.extend(here);
        }
        found.sort();
        found.truncate(query.limit);
        self.letters_at(found).await
    }

    /// The letters with their newest messages at these offsets.
    async fn letters_at(&self, places: Vec<(DeadLetterKey, u64)>) -> Result<Vec<DeadLetter>> {
        let mut by_stream: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        for (key, offset) in &places {
            by_stream.entry(key.topic.clone()).or_default().insert(*offset);
        }
        let mut read_again = BTreeMap::new();
        for (stream, mut offsets) in by_stream {
            while let Some(first) = offsets.first().copied() {
                let rest = offsets.split_off(&first.saturating_add(PAGE));
                let last = offsets.last().copied().unwrap_or(first);
                let topic = topic_of(&stream);
                for record in self.range(&topic, 0, first, last, Content::Envelope(HEADER_TO_READ)).await? {
                    if let Some((key, why, payload)) = read(&record.payload) {
                        read_again.insert(key.clone(), DeadLetter { key, payload, details: why.details });
                    }
                }
                offsets = rest;
            }
        }
        Ok(places.into_iter().filter_map(|(key, _)| read_again.remove(&key)).collect())
    }

    pub(super) async fn find_letter(&self, key: &DeadLetterKey) -> Result<Option<DeadLetter>> {
        let offset = {
            let book = self.letters.book(&key.topic);
            let mut book = book.lock().await;
            self.catch_up(&key.topic, &mut book).await?;
            book.letters.get(key).filter(|entry| entry.ended.is_none()).map(|entry| entry.offset)
        };
        let Some(offset) = offset else { return Ok(None) };
        Ok(self.letters_at(vec![(key.clone(), offset)]).await?.pop())
    }

    pub(super) async fn letter_offsets(
        &self,
        first: &DeadLetterKey,
        last: u64,
    ) -> Result<BTreeMap<u64, Option<Ending>>> {
        let book = self.letters.book(&first.topic);
        let mut book = book.lock().await;
        self.catch_up(&first.topic, &mut book).await?;
        let last = DeadLetterKey { offset: last, ..first.clone() };
        if *first > last {
            return Ok(BTreeMap::new());
        }
        Ok(book.letters.range(first..=&last).map(|(key, entry)| (key.offset, entry.ended)).collect())
    }

    pub(super) async fn end_letters(&self, keys: &[DeadLetterKey], ending: Ending) -> Result<u64> {
        let mut by_stream: BTreeMap<&str, BTreeSet<&DeadLetterKey>> = BTreeMap::new();
        for key in keys {
            by_stream.entry(&key.topic).or_default().insert(key);
        }
        let mut count = 0;
        for (stream, keys) in by_stream {
            let book = self.letters.book(stream);
            let mut book = book.lock().await;
            self.catch_up(stream, &mut book).await?;
            let open = |key: &&DeadLetterKey| {
                let entry = book.letters.get(*key).filter(|entry| entry.ended.is_none())?;
                Some(((*key).clone(), entry.offset))
            };
            let places: Vec<_> = keys.iter().filter_map(open).collect();
            let letters = self.letters_at(places).await?;
            count += letters.len() as u64;
            let ended = letters.into_iter().map(|letter| {
                (letter.key, Why { version: 1, ended: Some(ending), details: letter.details }, Bytes::new())
            });
            self.write_letters(stream, ended.collect()).await?;
        }
        Ok(count)
    }
}
