//! Accounting: what became of the records of a stream, by the stream's own durable counters.
//!
//! `accepted = inserted + dead-lettered + in the stream` holds at every moment, because the cursor and its counters are
//! written in one commit. Comparing that with the table is done elsewhere: the two sides never come from one counter.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{Backend, Counted, Cursor, DeadLetterKey, Ending, EpochStart, Epochs, Reader, Result, Trouble};

/// A route: a stream and one of its destinations, with an account for each partition of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// Name of the stream's topic.
    pub topic: String,
    /// Epoch of the topic.
    pub epoch: u64,
    /// The table.
    pub table: String,
    /// The group that fills it.
    pub group: String,
}

/// The stream's side of the accounting, for one partition and destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Name of the stream.
    pub stream: String,
    /// The partition.
    pub partition: u16,
    /// The table.
    pub table: String,
    /// Epoch of the topic, in hex.
    pub epoch: String,
    /// Prefix of its ranges' tokens; `None` before the first range.
    #[serde(default)]
    pub id: Option<String>,
    /// The epochs of the partition's records from `from` on, by their first offsets.
    pub epochs: Vec<EpochStart>,
    /// The uuid of the table that was filled, as far as known.
    #[serde(default)]
    pub table_uuid: Option<uuid::Uuid>,
    /// Other groups that have read the partition into that table, or into one of that name.
    #[serde(default)]
    pub others: Vec<String>,
    /// Ranges that are in the table, but of which the views behind it may lack rows.
    #[serde(default)]
    pub views_in_doubt: Vec<(u64, u64)>,
    /// First offset that is counted: 0, unless the table was replaced or counting began later.
    pub from: u64,
    /// Every offset below is done.
    pub next: u64,
    /// Offset of the next record.
    pub end: u64,
    /// Rows that were confirmed.
    pub inserted: u64,
    /// Records that became dead letters, including those that were replayed or dropped.
    pub dead_lettered: u64,
    /// Dead letters whose rows are in the table by now.
    pub replayed: u64,
    /// Offsets that are done and hold no record that a reader sees: transaction markers, aborted records, and records
    /// removed by compaction. 0 where the stream has no such thing. Brokers don't count them, so this is the remainder,
    /// and a contradiction between stream and table shows on the table's side alone.
    #[serde(default)]
    pub without_record: u64,
}

impl Account {
    /// Records accepted since counting began.
    pub fn accepted(&self) -> u64 {
        self.end.saturating_sub(self.from).saturating_sub(self.without_record)
    }

    /// Records that are not done yet.
    pub fn in_the_stream(&self) -> u64 {
        self.end.saturating_sub(self.next)
    }

    /// Whether every accepted record is accounted for.
    pub fn is_balanced(&self) -> bool {
        let known = self.inserted.checked_add(self.dead_lettered).and_then(|sum| sum.checked_add(self.in_the_stream()));
        known == Some(self.accepted())
    }
}

/// A reader that is not declared, but for which records are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Undeclared {
    /// Name of the stream.
    pub stream: String,
    /// Its group.
    pub reader: String,
    /// Records that it has not read.
    pub lag: u64,
}

/// Computes the accounts of an application.
#[derive(Clone)]
pub struct Accounting {
    backend: Arc<dyn Backend>,
    ways: Vec<Way>,
}

impl fmt::Debug for Accounting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Accounting").field("ways", &self.ways).finish_non_exhaustive()
    }
}

impl Accounting {
    /// The accounting of these routes, whose topics are open.
    pub fn new(backend: Arc<dyn Backend>, ways: Vec<Way>) -> Self {
        Self { backend, ways }
    }

    /// The routes.
    pub fn ways(&self) -> &[Way] {
        &self.ways
    }

    /// Why the stream's storage accepts nothing at present.
    pub fn trouble(&self) -> Option<Trouble> {
        self.backend.trouble()
    }

    /// Every route with every partition that it has now: some may have been added since the topic was opened.
    pub fn places(&self) -> impl Iterator<Item = (&Way, u16)> {
        let of_way = |way: &Way| 0..self.backend.partitions(&way.topic);
        self.ways.iter().flat_map(move |way| of_way(way).map(move |partition| (way, partition)))
    }

    /// Readers that belong to no route, but for which records are kept.
    pub async fn undeclared(&self) -> Result<Vec<Undeclared>> {
        let topics: BTreeSet<&str> = self.ways.iter().map(|way| way.topic.as_str()).collect();
        let mut found: BTreeMap<(&str, String), u64> = BTreeMap::new();
        for topic in topics {
            for Reader { group, partition, cursor } in self.backend.readers(topic).await? {
                if self.ways.iter().any(|way| way.topic == topic && way.group == group) {
                    continue;
                }
                let bounds = self.backend.bounds(topic, partition).await?;
                let next = cursor.map_or(bounds.start, |cursor| cursor.next);
                *found.entry((topic, group)).or_default() += bounds.end.saturating_sub(next);
            }
        }
        let undeclared =
            |((stream, reader), lag): ((&str, _), _)| Undeclared { stream: stream.to_owned(), reader, lag };
        Ok(found.into_iter().map(undeclared).collect())
    }

    /// The current state of every account.
    pub async fn accounts(&self) -> Result<Vec<Account>> {
        let mut accounts = Vec::new();
        for (way, partition) in self.places() {
            accounts.push(self.account(way, partition).await?);
        }
        Ok(accounts)
    }

    async fn account(&self, way: &Way, partition: u16) -> Result<Account> {
        let Way { topic, group, .. } = way;
        // In this order: a cursor can't be past an end that is queried after it.
        let cursor = self.backend.cursor(group, topic, partition).await?;
        let bounds = self.backend.bounds(topic, partition).await?;
        let next = cursor.as_ref().map_or(bounds.start, |cursor| cursor.next);
        let of_cursor = || Epochs::one(cursor.as_ref().map_or(way.epoch, |cursor| cursor.epoch));
        let epochs = self.backend.epochs(topic, partition)?.unwrap_or_else(of_cursor);
        let counted = cursor.as_ref().and_then(|cursor| cursor.counted).unwrap_or(Counted::since(next));
        let letters = self.letters(way, partition, &epochs, counted.from, next).await?;
        let table_uuid = cursor.as_ref().and_then(|cursor| cursor.table_uuid);
        let others = self.backend.readers(topic).await?;
        let others =
            others.into_iter().filter(|reader| reader.partition == partition && is_other(way, table_uuid, reader));
        let done = counted.inserted.saturating_add(letters.len() as u64);
        let without_record = if self.backend.capabilities().has_gaps {
            next.saturating_sub(counted.from).saturating_sub(done)
        } else {
            0
        };
        Ok(Account {
            stream: topic.clone(),
            partition,
            table: way.table.clone(),
            epoch: format!("{:016x}", cursor.as_ref().map_or(way.epoch, |cursor| cursor.epoch)),
            id: cursor.as_ref().and_then(|cursor| cursor.id.clone()),
            epochs: epochs.spans(counted.from, u64::MAX).into_iter().map(EpochStart::from).collect(),
            table_uuid,
            others: others.map(|reader| reader.group).collect(),
            views_in_doubt: cursor.map(|cursor| cursor.views_in_doubt).unwrap_or_default(),
            from: counted.from,
            next,
            end: bounds.end,
            inserted: counted.inserted,
            dead_lettered: letters.len() as u64,
            replayed: letters.values().filter(|ended| **ended == Some(Ending::Replayed)).count() as u64,
            without_record,
        })
    }

    /// Dead letters from an offset on, below `next`, and how each has ended.
    async fn letters(
        &self,
        way: &Way,
        partition: u16,
        epochs: &Epochs,
        from: u64,
        next: u64,
    ) -> Result<BTreeMap<u64, Option<Ending>>> {
        let mut letters = BTreeMap::new();
        let Some(last) = next.checked_sub(1) else { return Ok(letters) };
        for span in epochs.spans(from, last) {
            let (destination, topic) = (way.table.clone(), way.topic.clone());
            let first = DeadLetterKey { destination, topic, epoch: span.epoch, partition, offset: span.first };
            letters.extend(self.backend.dead_letter_offsets(&first, span.last).await?);
        }
        Ok(letters)
    }
}

/// Whether a reader is not the route's, but has filled the same table, by its uuid or its name.
pub fn is_other(way: &Way, table: Option<uuid::Uuid>, reader: &Reader) -> bool {
    let Reader { group, cursor: Some(Cursor { table_uuid, .. }), .. } = reader else { return false };
    let same_name = group.rsplit_once('/').is_some_and(|(_, name)| name == way.table);
    *group != way.group && (same_name || (table.is_some() && *table_uuid == table))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::stream::{
        Cursor, Retention, TopicSpec,
        log::{Log, LogOptions},
    };

    #[tokio::test]
    async fn accounts_are_the_cursors_and_the_ends_and_survive_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let spec = TopicSpec { name: "t".to_owned(), partitions: 1, retention: Retention { age: None, bytes: None } };
        let open = async || {
            let log = Arc::new(Log::open(LogOptions::new(directory.path().join("stream"))).unwrap());
            let epoch = log.open_topic(&spec).await.unwrap().epoch;
            let way = Way { topic: "t".to_owned(), epoch, table: "t".to_owned(), group: "g".to_owned() };
            (Accounting::new(Arc::clone(&log) as Arc<dyn Backend>, vec![way]), log, epoch)
        };
        let (accounting, log, epoch) = open().await;
        log.append("t", 0, vec![Bytes::from_static(b"r").into(); 10]).await.unwrap();
        let account = accounting.accounts().await.unwrap().remove(0);
        assert_eq!((account.accepted(), account.inserted, account.in_the_stream()), (10, 0, 10));
        assert!(account.is_balanced());

        let counted = |inserted| Some(Counted { from: 0, inserted });
        let cursor = |inserted| Cursor { counted: counted(inserted), ..Cursor::new(epoch, 6) };
        log.commit("g", "t", 0, &cursor(6)).await.unwrap();
        log.close().await.unwrap();
        drop((accounting, log));
        let (accounting, log, _) = open().await;
        let account = accounting.accounts().await.unwrap().remove(0);
        assert_eq!((account.accepted(), account.inserted, account.in_the_stream()), (10, 6, 4));
        assert!(account.is_balanced());

        log.commit("g", "t", 0, &cursor(5)).await.unwrap();
        assert!(!accounting.accounts().await.unwrap().remove(0).is_balanced(), "a record that nobody accounts for");
        log.close().await.unwrap();
    }
}
