//! Each opening of the log begins a new epoch in each partition, durably before a record of it is taken: so no two records
//! ever have the same epoch, partition and offset, even where the directory comes back from a copy.
//!
//! `epochs/<storage id>/<partition>` in `meta` holds the list. A partition without one was written when the storage's id was
//! the epoch of all records, and they keep it. An epoch under which nothing was taken gives its place to the next one, so
//! that a process which starts again and again makes nothing grow; its number is random and never comes back.

use serde::{Deserialize, Serialize};

use super::{
    partition::{Partition, damaged},
    store::{Store, key, storage},
};
use crate::stream::{Counted, Cursor, EpochStart, Result};

/// Epochs that are kept even when retention has taken all their records.
const KEPT: usize = 1_000;

/// The list of a partition as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u8,
    epochs: Vec<EpochStart>,
}

/// Epochs with a new one at the end, and what has to be durable before anything is taken in it.
pub(super) struct Begun {
    pub(super) epochs: Vec<EpochStart>,
    pub(super) writes: Vec<(String, Option<Vec<u8>>)>,
}

/// The epochs of a partition with a new one at its end.
pub(super) fn begin(store: &Store, partition: &Partition, epoch: u64) -> Result<Begun> {
    let (start, end) = (partition.place().start.offset, partition.end());
    let stored: Option<Stored> = store.get(&key::epochs(partition.key))?;
    let mut epochs = stored.map(|stored| stored.epochs).unwrap_or_default();
    if epochs.is_empty() {
        epochs.push(EpochStart { first: 0, epoch: partition.key.0 });
    }
    if let Some(newest) = epochs.last().filter(|newest| newest.first > end) {
        let detail = format!("an epoch began at {}, the stored records end at {end}", newest.first);
        return Err(damaged(&partition.topic, partition.key, end, detail));
    }
    epochs.pop_if(|newest| newest.first == end);
    epochs.push(EpochStart { first: end, epoch });

    let passed = epochs.iter().skip(1).take_while(|next| next.first <= start).count();
    let gone = passed.min(epochs.len().saturating_sub(KEPT));
    epochs.drain(..gone);
    let mut writes = Vec::new();
    if gone > 0 {
        let first = epochs.first().map_or(end, |oldest| oldest.first);
        writes = count_anew(store, partition, first)?;
    }
    let value = serde_json::to_vec(&Stored { version: 1, epochs: epochs.clone() })
        .map_err(|source| storage(format!("begin an epoch of topic `{}`", partition.topic), source))?;
    writes.push((key::epochs(partition.key), Some(value)));
    Ok(Begun { epochs, writes })
}

/// Cursors whose counts reach back before `first` begin to count anew: under which epochs their first records were taken is
/// not known any more, so nobody could hold those counts against the table.
fn count_anew(store: &Store, partition: &Partition, first: u64) -> Result<Vec<(String, Option<Vec<u8>>)>> {
    let mut writes = Vec::new();
    for (group, mut cursor) in store.scan::<Cursor>(&key::cursors(partition.key))? {
        if cursor.counted.is_some_and(|counted| counted.from < first) {
            cursor.counted = Some(Counted::since(cursor.next));
            let action = || format!("write the cursor of `{group}` on topic `{}`", partition.topic);
            let value = serde_json::to_vec(&cursor).map_err(|source| storage(action(), source))?;
            writes.push((key::cursor(partition.key, &group), Some(value)));
        }
    }
    Ok(writes)
}
