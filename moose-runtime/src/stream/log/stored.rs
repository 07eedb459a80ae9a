//! Reads the files of a partition, and checks them against what was acknowledged.

use std::collections::{BTreeMap, HashMap};

use super::{
    epochs,
    segment::{Segment, check_sealed, check_whole, damaged},
    store::{Seal, Start, Store, key, storage},
    tail::PartitionKey,
    witness::{Subject, Witness},
};
use crate::stream::{Bounds, Cursor, Result};

/// A partition's start and size, for retention.
#[derive(Clone, Copy, Debug)]
pub(super) struct PartitionPlace {
    pub(super) start: Start,
    /// Bytes of the blocks from the start on.
    pub(super) bytes: u64,
}

/// The content of a partition's files.
pub(super) struct Stored {
    pub(super) place: PartitionPlace,
    pub(super) end: u64,
    pub(super) segments: Vec<Segment>,
    pub(super) groups: BTreeMap<String, u64>,
}

impl Stored {
    /// Reads a partition, and checks that its segments follow each other without a gap, that the newest one is
    /// complete, and that nothing acknowledged is missing at the end. Whatever a failed write has left beyond its end,
    /// given by the witness or by `end`, is removed.
    pub(super) fn read(
        store: &Store,
        witness: &Witness,
        topic: &str,
        key: PartitionKey,
        end: Option<u64>,
    ) -> Result<Self> {
        let damaged = |offset, detail| damaged(topic, key, offset, detail);
        let start = store.get(&key::start(key))?.unwrap_or(Start::ZERO);
        // An epoch that has begun proves the same, for a witness that lags behind.
        let epoch = if witness.is_new() { 0 } else { epochs::newest(store, key)? };
        let acknowledged = witness.get(Subject::end(key)).max(epoch);
        let mut found = store.segments(key)?;
        if let Some(end) = end.into_iter().chain(witness.failed_at(key)).min() {
            store.cut(&found, end).map_err(|source| storage(format!("cut topic `{topic}` at {end}"), source))?;
        }
        if found.is_empty() {
            if acknowledged > 0 || start.offset > 0 {
                let detail = format!("all its segments are missing; {acknowledged} records were acknowledged");
                return Err(damaged(start.offset, detail));
            }
            let first = store.segment(key, 0);
            found.push((0, first.map_err(|source| storage(format!("make a segment of topic `{topic}`"), source))?));
        }
        // Dropping segments may have been interrupted.
        while let [(_, keyspace), (next, _), ..] = found.as_slice()
            && *next <= start.offset
        {
            let dropped = store.drop_segment(keyspace.clone());
            dropped.map_err(|source| storage(format!("drop a segment of topic `{topic}`"), source))?;
            found.remove(0);
        }
        let mut segments: Vec<Segment> = Vec::with_capacity(found.len());
        let last = found.len() - 1;
        for (index, (base, keyspace)) in found.into_iter().enumerate() {
            if let Some(before) = segments.last()
                && before.end != base
            {
                let detail = format!("the segment before ends at {}, the next begins at {base}", before.end);
                return Err(damaged(before.end, detail));
            }
            let seal: Option<Seal> = if index < last { store.get(&key::seal(key, base))? } else { None };
            segments.push(match seal {
                Some(seal) => check_sealed(topic, key, base, keyspace, seal)?,
                None => {
                    check_whole(topic, key, base, keyspace, segments.last().map_or(i64::MIN, |before| before.newest))?
                }
            });
        }
        let first = segments.first().map_or(0, |segment| segment.base);
        let end = segments.last().map_or(0, |segment| segment.end);
        if first > start.offset || start.offset > end {
            return Err(damaged(start.offset, format!("it should start there and holds {first}..{end}")));
        }
        if end < acknowledged {
            let missing = acknowledged - end;
            let detail = format!(
                "{acknowledged} is the end that was acknowledged, the stored records end at {end}: a copy of the directory \
                 that is whole loses nothing; without the file `witness` the log goes on, and {missing} records are lost"
            );
            return Err(damaged(end, detail));
        }
        let bytes = segments.iter().map(|segment| segment.bytes).sum::<u64>().saturating_sub(start.skipped);
        let groups = load_groups(store, witness, topic, key)?;
        Ok(Self { place: PartitionPlace { start, bytes }, end, segments, groups })
    }

    /// The offsets that are stored.
    pub(super) fn bounds(&self) -> Bounds {
        Bounds { start: self.place.start.offset, end: self.end }
    }
}

/// The positions of a partition's groups, checked against what was acknowledged.
fn load_groups(store: &Store, witness: &Witness, topic: &str, key: PartitionKey) -> Result<BTreeMap<String, u64>> {
    let cursors: BTreeMap<String, u64> =
        store.scan::<Cursor>(&key::cursors(key))?.into_iter().map(|(group, cursor)| (group, cursor.next)).collect();
    let mut seen: HashMap<Subject, u64> = HashMap::new();
    for (group, next) in &cursors {
        seen.insert(Subject::cursor(key, group), *next);
    }
    for (reader, acknowledged) in witness.readers(key) {
        let next = seen.get(&reader).copied().unwrap_or(0);
        if next < acknowledged {
            let detail = format!("{acknowledged} was committed as the cursor of a reader, {next} is stored");
            return Err(damaged(topic, key, next, detail));
        }
    }
    let mut groups: BTreeMap<String, u64> =
        store.scan::<()>(&key::groups(key.0))?.into_iter().map(|(group, ())| (group, 0)).collect();
    groups.extend(cursors);
    Ok(groups)
}
