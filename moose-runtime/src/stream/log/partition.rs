//! One partition: its segments in order, its end, and reading it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use fjall::{Guard, Keyspace};
use tokio::sync::watch;

use super::{
    block::Block,
    segment::{Segment, block_of, damaged, decoded, is_ahead, unreadable},
    store::{Start, Step},
    stored::{PartitionPlace, Stored},
    tail::PartitionKey,
};
use crate::stream::{Bounds, Epochs, Record, Result};

/// An open partition.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) topic: String,
    pub(super) key: PartitionKey,
    /// Bytes of the whole topic, shared by its partitions: compared with the disk budget.
    pub(super) topic_bytes: Arc<AtomicU64>,
    /// Readers wait on this for new records.
    progress: watch::Sender<Progress>,
    place: Mutex<PartitionPlace>,
    segments: RwLock<Vec<Segment>>,
    /// The position of each known group. A group that has not committed yet is at 0.
    groups: Mutex<BTreeMap<String, u64>>,
    /// The epochs of its records.
    pub(super) epochs: Epochs,
}

/// How far a partition goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// Offset of the next record.
    pub(super) end: u64,
    /// No more records will come.
    pub(super) closed: bool,
}

impl Partition {
    /// A partition with its stored content.
    pub(super) fn new(topic: &str, key: PartitionKey, topic_bytes: Arc<AtomicU64>, stored: Stored) -> Self {
        let Stored { place, end, segments, groups } = stored;
        topic_bytes.fetch_add(place.bytes, Ordering::Relaxed);
        Self {
            topic: topic.to_owned(),
            key,
            topic_bytes,
            progress: watch::Sender::new(Progress { end, closed: false }),
            place: Mutex::new(place),
            segments: RwLock::new(segments),
            groups: Mutex::new(groups),
            epochs: Epochs::one(key.0),
        }
    }

    /// Releases the database, before it is reopened.
    pub(super) fn let_go(&self) {
        self.segments.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Continues with the reopened content. Its end is the acknowledged one; the groups are those known here, which
    /// include those that have not committed yet.
    pub(super) fn renew(&self, Stored { place, segments, .. }: Stored) {
        let before = std::mem::replace(&mut *self.place.lock().unwrap_or_else(PoisonError::into_inner), place);
        self.topic_bytes.fetch_add(place.bytes, Ordering::Relaxed);
        self.topic_bytes.fetch_sub(before.bytes, Ordering::Relaxed);
        *self.segments.write().unwrap_or_else(PoisonError::into_inner) = segments;
    }

    /// The offsets that are stored.
    pub(super) fn bounds(&self) -> Bounds {
        // In this order: the start never passes an end that was read later.
        let start = self.place().start.offset;
        Bounds { start, end: self.progress.borrow().end }
    }

    /// Subscribes to the partition's progress.
    pub(super) fn follow(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Offset of the next record.
    pub(super) fn end(&self) -> u64 {
        self.progress.borrow().end
    }

    /// The start, for retention.
    pub(super) fn place(&self) -> PartitionPlace {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The segments, in order.
    pub(super) fn segments(&self) -> Vec<Segment> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The segment that is being written.
    pub(super) fn active(&self) -> Option<Segment> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner).last().cloned()
    }

    /// Continues in a new segment.
    pub(super) fn roll(&self, keyspace: Keyspace) {
        let base = self.end();
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        let newest = segments.last().map_or(i64::MIN, |segment| segment.newest);
        segments.push(Segment { base, keyspace, end: base, bytes: 0, newest, stepped: None });
    }

    /// Adds blocks that are durable, and wakes the readers that wait for them.
    pub(super) fn advance(&self, end: u64, bytes: u64, newest: i64) {
        if let Some(segment) = self.segments.write().unwrap_or_else(PoisonError::into_inner).last_mut() {
            if newest < segment.newest {
                segment.stepped = Some(Step { offset: segment.end, timestamp: newest });
            }
            segment.end = end;
            segment.bytes += bytes;
            segment.newest = newest;
        }
        self.place.lock().unwrap_or_else(PoisonError::into_inner).bytes += bytes;
        self.topic_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.progress.send_modify(|progress| progress.end = end);
    }

    /// Where the clock was set back, as far as known.
    pub(super) fn steps(&self) -> Vec<Step> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        segments.iter().filter_map(|segment| segment.stepped).collect()
    }

    /// Records a step of the clock if the newest record is ahead of it: that must be noticed without an append.
    pub(super) fn look_at_clock(&self, now: i64) {
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(segment) = segments.last_mut().filter(|segment| is_ahead(segment.newest, now)) {
            segment.newest = now;
            segment.stepped = Some(Step { offset: segment.end, timestamp: now });
        }
    }

    /// Corrects timestamps from a clock that was ahead.
    pub(super) fn correct(&self, records: &mut [Record]) {
        for step in self.steps() {
            for record in records.iter_mut() {
                record.timestamp = step.correct(record.offset.saturating_add(1), record.timestamp);
            }
        }
    }

    /// Moves the start, and removes the segments before it.
    pub(super) fn trim(&self, start: Start, bytes: u64) -> Vec<Segment> {
        {
            let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
            place.start = start;
            place.bytes = place.bytes.saturating_sub(bytes);
        }
        // If the log was reopened meanwhile, it has been counted already.
        let less = |all: u64| Some(all.saturating_sub(bytes));
        let _ = self.topic_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        let keep_from = segments.iter().skip(1).take_while(|segment| segment.base <= start.offset).count();
        segments.drain(..keep_from).collect()
    }

    /// Ends all waiting and releases the database.
    pub(super) fn close(&self) {
        self.progress.send_modify(|progress| progress.closed = true);
        self.segments.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Sets a group's position, or removes the group.
    pub(super) fn set_group(&self, group: String, next: Option<u64>) {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        match next {
            Some(next) => groups.insert(group, next),
            None => groups.remove(&group),
        };
    }

    /// The groups that are known.
    pub(super) fn groups(&self) -> Vec<String> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Adds a group that has not committed yet, unless it is known.
    pub(super) fn know_group(&self, group: &str) {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner).entry(group.to_owned()).or_insert(0);
    }

    /// The offset that every known group has passed; `None` without groups.
    pub(super) fn passed(&self) -> Option<u64> {
        self.slowest().map(|(_, next)| next)
    }

    /// The known group that is furthest behind, and its position.
    pub(super) fn slowest(&self) -> Option<(String, u64)> {
        let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.iter().min_by_key(|(_, next)| **next).map(|(group, next)| (group.clone(), *next))
    }

    /// Reads stored records from `from` on, about `max_bytes` of them. Blocks on the disk.
    ///
    /// A gap or damage ends the read; if it is the first thing found, it is the error.
    pub(super) fn read_stored(&self, from: u64, max_bytes: usize) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        let mut budget = max_bytes;
        let mut expected = from;
        let segments = self.segments();
        let first = segments.partition_point(|segment| segment.end <= from);
        for segment in segments.get(first..).unwrap_or_default() {
            while expected < segment.end {
                // The rest of a block must be decompressed again by the next read: better not to begin one that may not
                // fit.
                if budget < max_bytes / 2 {
                    return Ok(records);
                }
                let block = match self.block_with(segment, expected) {
                    Ok(Some(block)) => block,
                    Ok(None) => break,
                    Err(_) if !records.is_empty() => return Ok(records),
                    Err(error) => return Err(error),
                };
                match block.copy_to(expected, &mut budget, &mut records) {
                    Ok(true) => expected = block.end(),
                    Ok(false) => return Ok(records),
                    Err(_) if !records.is_empty() => return Ok(records),
                    Err(detail) => return Err(damaged(&self.topic, self.key, expected, detail)),
                }
            }
            if expected < segment.end {
                break;
            }
        }
        if records.is_empty() {
            return Err(damaged(&self.topic, self.key, expected, "no stored block holds it".to_owned()));
        }
        Ok(records)
    }

    /// The blocks of a segment from the one that should hold `offset` on.
    pub(super) fn blocks(&self, segment: &Segment, offset: u64) -> Result<impl Iterator<Item = Result<Block>>> {
        let broken = |source| unreadable(&self.topic, self.key, offset, source);
        let first = segment.keyspace.range(..=offset.to_be_bytes()).next_back();
        let first = first.map(Guard::key).transpose().map_err(broken)?;
        let first = first.map_or_else(|| offset.to_be_bytes().to_vec(), |key| key.to_vec());
        let entries = segment.keyspace.range(first..);
        Ok(entries.map(move |entry| block_of(&self.topic, self.key, offset, entry)))
    }

    /// The block that holds `offset`. Readers go from block to block, so usually one begins there, and finding it
    /// decompresses nothing else.
    fn block_with(&self, segment: &Segment, offset: u64) -> Result<Option<Block>> {
        let key = offset.to_be_bytes();
        let begins = segment.keyspace.get(key).map_err(|source| unreadable(&self.topic, self.key, offset, source))?;
        let block = match begins {
            Some(stored) => Some(decoded(&self.topic, self.key, offset, stored)),
            None => self.blocks(segment, offset)?.next(),
        };
        let Some(block) = block.transpose()? else { return Ok(None) };
        if block.base() <= offset && offset < block.end() {
            return Ok(Some(block));
        }
        let detail = format!("no stored block holds it, the nearest holds {}..{}", block.base(), block.end());
        Err(damaged(&self.topic, self.key, offset, detail))
    }
}
