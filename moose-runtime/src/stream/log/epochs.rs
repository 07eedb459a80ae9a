//! Epochs: each opening of the log begins a new one in each partition, durably before any record is written under it.
//! So no two records ever have the same epoch, partition and offset, even where the directory is restored from a copy.
//!
//! `epochs/<storage id>/<partition>` in `meta` holds the list. A partition without one was written when the storage's
//! id was the epoch of all records, and they keep it. An epoch without records is replaced by the next one, so that a
//! process which starts again and again makes nothing grow; its number is random and never used again.

use serde::{Deserialize, Serialize};

use super::{
    store::{Store, key, storage},
    tail::PartitionKey,
};
use crate::stream::{Bounds, Counted, Cursor, EpochStart, Result};

/// Maximum number of epochs that are kept after retention has deleted all their records.
const KEPT: usize = 1_000;

/// The list of a partition as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u8,
    epochs: Vec<EpochStart>,
}

/// The epochs with a new one at the end, and what must be durable before any record is written under it.
pub(super) struct Begun {
    pub(super) epochs: Vec<EpochStart>,
    pub(super) writes: Vec<(String, Vec<u8>)>,
}

/// The first offset of the newest epoch: the partition's records reached at least this far.
pub(super) fn newest(store: &Store, partition: PartitionKey) -> Result<u64> {
    let stored: Option<Stored> = store.get(&key::epochs(partition))?;
    Ok(stored.and_then(|stored| stored.epochs.last().map(|newest| newest.first)).unwrap_or(0))
}

/// The epochs of a partition, with a new one at the end.
pub(super) fn begin(
    store: &Store,
    topic: &str,
    partition: PartitionKey,
    Bounds { start, end }: Bounds,
    epoch: u64,
) -> Result<Begun> {
    let stored: Option<Stored> = store.get(&key::epochs(partition))?;
    let mut epochs = stored.map(|stored| stored.epochs).unwrap_or_default();
    if epochs.is_empty() {
        epochs.push(EpochStart { first: 0, epoch: partition.0 });
    }
    epochs.retain(|begun| begun.first < end);
    epochs.push(EpochStart { first: end, epoch });

    let passed = epochs.iter().skip(1).take_while(|next| next.first <= start).count();
    let gone = passed.min(epochs.len().saturating_sub(KEPT));
    epochs.drain(..gone);
    let mut writes = Vec::new();
    if gone > 0 {
        let first = epochs.first().map_or(end, |oldest| oldest.first);
        writes = count_anew(store, topic, partition, first)?;
    }
    let value = serde_json::to_vec(&Stored { version: 1, epochs: epochs.clone() })
        .map_err(|source| storage(format!("begin an epoch of topic `{topic}`"), source))?;
    writes.push((key::epochs(partition), value));
    Ok(Begun { epochs, writes })
}

/// Restarts the counting of cursors whose counts reach back before `first`: the epochs of their first records are no
/// longer known, so those counts could not be compared with the table.
fn count_anew(store: &Store, topic: &str, partition: PartitionKey, first: u64) -> Result<Vec<(String, Vec<u8>)>> {
    let mut writes = Vec::new();
    for (group, mut cursor) in store.scan::<Cursor>(&key::cursors(partition))? {
        if cursor.counted.is_some_and(|counted| counted.from < first) {
            cursor.counted = Some(Counted::since(cursor.next));
            let value = serde_json::to_vec(&cursor)
                .map_err(|source| storage(format!("write the cursor of `{group}` on topic `{topic}`"), source))?;
            writes.push((key::cursor(partition, &group), value));
        }
    }
    Ok(writes)
}

/// 64 random bits; the maximum means "not from a stream" in the tables.
pub(super) fn new_epoch() -> u64 {
    loop {
        let epoch = rand::random();
        if epoch != u64::MAX {
            return epoch;
        }
    }
}
