//! A segment of a partition: a run of its blocks, reading them, and detecting damage.

use bytes::Bytes;
use fjall::{Guard, Keyspace, Slice};

use super::{
    block::{Block, Place},
    store::{Seal, Step, storage},
    tail::PartitionKey,
};
use crate::stream::{Result, StreamError};

/// A run of a partition's blocks that is dropped as a whole.
#[derive(Clone)]
pub(super) struct Segment {
    pub(super) base: u64,
    pub(super) keyspace: Keyspace,
    /// Offset after its last record.
    pub(super) end: u64,
    /// Bytes of its blocks.
    pub(super) bytes: u64,
    /// Timestamp of its last record.
    pub(super) newest: i64,
    /// The last place where the clock was set back.
    pub(super) stepped: Option<Step>,
}

/// How far, in milliseconds, a timestamp may be ahead of the clock: beyond that the clock was wrong when it was taken.
const AHEAD: i64 = 60_000;

/// Whether a timestamp was taken from a wrong clock, if the present one is right.
pub(super) fn is_ahead(timestamp: i64, now: i64) -> bool {
    timestamp > now.saturating_add(AHEAD)
}

impl std::fmt::Debug for Segment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Segment").field("base", &self.base).field("end", &self.end).finish_non_exhaustive()
    }
}

/// Decodes a stored entry. `near` is the offset being looked for, in case the entry does not tell its own.
pub(super) fn block_of(topic: &str, key: PartitionKey, near: u64, entry: Guard) -> Result<Block> {
    let (base, stored) = entry.into_inner().map_err(|source| unreadable(topic, key, near, source))?;
    let base: [u8; 8] = (*base)
        .try_into()
        .map_err(|_| damaged(topic, key, near, format!("a block's key has {} bytes instead of 8", base.len())))?;
    decoded(topic, key, u64::from_be_bytes(base), stored)
}

/// Decodes what is stored as the block that begins at `base`.
pub(super) fn decoded(topic: &str, key: PartitionKey, base: u64, stored: Slice) -> Result<Block> {
    let place = Place { epoch: key.0, partition: key.1, base };
    Block::decode(place, Bytes::from(stored)).map_err(|detail| damaged(topic, key, base, detail))
}

/// Checks the first and the last block of a sealed segment.
pub(super) fn check_sealed(
    topic: &str,
    key: PartitionKey,
    base: u64,
    keyspace: Keyspace,
    seal: Seal,
) -> Result<Segment> {
    let damaged = |offset, detail| damaged(topic, key, offset, detail);
    let first = keyspace.first_key_value().ok_or_else(|| damaged(base, "its segment is empty".to_owned()))?;
    let last = keyspace.last_key_value().ok_or_else(|| damaged(base, "its segment is empty".to_owned()))?;
    let first = block_of(topic, key, base, first)?;
    let last = block_of(topic, key, seal.end.saturating_sub(1), last)?;
    if first.base() != base || last.end() != seal.end {
        let detail = format!("its segment should hold {base}..{} and holds {}..{}", seal.end, first.base(), last.end());
        return Err(damaged(if first.base() == base { last.end() } else { base }, detail));
    }
    let Seal { end, bytes, newest, stepped, .. } = seal;
    Ok(Segment { base, keyspace, end, bytes, newest, stepped })
}

/// Checks every block of a segment that follows a record with timestamp `before`.
pub(super) fn check_whole(
    topic: &str,
    key: PartitionKey,
    base: u64,
    keyspace: Keyspace,
    before: i64,
) -> Result<Segment> {
    let (mut end, mut bytes, mut newest, mut stepped) = (base, 0, before, None);
    for entry in keyspace.iter() {
        let block = block_of(topic, key, end, entry)?;
        if block.base() != end {
            let detail = format!("no stored block holds it, the next begins at {}", block.base());
            return Err(damaged(topic, key, end, detail));
        }
        if block.timestamp() < newest {
            stepped = Some(Step { offset: end, timestamp: block.timestamp() });
        }
        end = block.end();
        bytes += block.size() as u64;
        newest = block.timestamp();
    }
    Ok(Segment { base, keyspace, end, bytes, newest, stepped })
}

pub(super) fn damaged(topic: &str, (_, partition): PartitionKey, offset: u64, detail: String) -> StreamError {
    StreamError::Damaged { topic: topic.to_owned(), partition, offset, detail }
}

/// Converts a read error of the database: an I/O error is the storage's, anything else is damage.
pub(super) fn unreadable(topic: &str, key: PartitionKey, offset: u64, source: fjall::Error) -> StreamError {
    match source {
        fjall::Error::Io(source) => {
            storage(format!("read topic `{topic}` partition {} at offset {offset}", key.1), source)
        }
        other => damaged(topic, key, offset, format!("the database can't read it: {other}")),
    }
}
