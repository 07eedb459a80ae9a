//! Retention: deletes records that every known reader of their partition has passed, once they are too old or too many.

use std::{sync::Arc, time::Duration};

use super::{
    partition::Partition,
    store::{Start, Store, key, storage},
    stored::PartitionPlace,
};
use crate::{
    fault::{self, Point},
    stream::{Result, Retention},
};

/// A new start, as planned by retention.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// The new start.
    pub(super) start: Start,
    /// Bytes that are freed.
    pub(super) bytes: u64,
}

/// How far the partition's start may move; `None` if it may not. Reads the disk.
pub(super) fn plan(partition: &Partition, retention: Retention, now: i64) -> Result<Option<Plan>> {
    partition.look_at_clock(now);
    let Some(passed) = partition.passed() else { return Ok(None) };
    let PartitionPlace { start, bytes } = partition.place();
    let steps = partition.steps();
    let corrected = |end, timestamp| steps.iter().fold(timestamp, |timestamp, step| step.correct(end, timestamp));
    let limits = Limits { passed, before: retention.age.map(|age| now.saturating_sub(milliseconds(age))), retention };
    let mut remaining = bytes;
    let mut moved = start;
    let segments = partition.segments();
    for (index, segment) in segments.iter().enumerate() {
        if segment.end <= moved.offset && index + 1 < segments.len() {
            continue;
        }
        if segment.base >= moved.offset {
            moved.skipped = 0;
        }
        let rest = segment.bytes.saturating_sub(moved.skipped);
        if limits.allow(segment.end, corrected(segment.end, segment.newest), rest, remaining) {
            remaining = remaining.saturating_sub(rest);
            moved = Start { offset: segment.end, skipped: segment.bytes, ..moved };
            continue;
        }
        for block in partition.blocks(segment, moved.offset)? {
            let block = block?;
            let size = block.size() as u64;
            if !limits.allow(block.end(), corrected(block.end(), block.timestamp()), size, remaining) {
                break;
            }
            remaining = remaining.saturating_sub(size);
            moved = Start { offset: block.end(), skipped: moved.skipped + size, ..moved };
        }
        break;
    }
    Ok((moved.offset > start.offset).then_some(Plan { start: moved, bytes: bytes.saturating_sub(remaining) }))
}

/// The limits of what may be deleted.
struct Limits {
    passed: u64,
    before: Option<i64>,
    retention: Retention,
}

impl Limits {
    /// Whether blocks up to `end`, the newest of `timestamp`, may be deleted, with `size` of the `remaining` bytes.
    fn allow(&self, end: u64, timestamp: i64, size: u64, remaining: u64) -> bool {
        let old = self.before.is_some_and(|before| timestamp < before);
        let beyond = self.retention.bytes.is_some_and(|limit| remaining.saturating_sub(size) >= limit);
        size > 0 && end <= self.passed && (old || beyond)
    }
}

fn milliseconds(age: Duration) -> i64 {
    i64::try_from(age.as_millis()).unwrap_or(i64::MAX)
}

/// The writes of a plan, which must be durable before anything is dropped.
pub(super) fn writes(partition: &Partition, plan: Plan) -> Result<Vec<(String, Option<Vec<u8>>)>> {
    let start = serde_json::to_vec(&plan.start)
        .map_err(|source| storage(format!("note where topic `{}` starts", partition.topic), source))?;
    let mut writes = vec![(key::start(partition.key), Some(start))];
    let segments = partition.segments();
    for pair in segments.windows(2) {
        if let [segment, next] = pair
            && next.base <= plan.start.offset
        {
            writes.push((key::seal(partition.key, segment.base), None));
        }
    }
    Ok(writes)
}

/// Moves the start, which is durable by now, and drops the segments before it.
pub(super) fn apply(store: &Store, partition: &Arc<Partition>, plan: Plan) -> Result<()> {
    for segment in partition.trim(plan.start, plan.bytes) {
        let base = segment.base;
        fault::point(Point::RetentionNoted);
        store
            .drop_segment(segment.keyspace)
            .map_err(|source| storage(format!("drop a segment of topic `{}` at {base}", partition.topic), source))?;
        fault::point(Point::RetentionAfter);
    }
    Ok(())
}
