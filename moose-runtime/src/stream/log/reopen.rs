//! Reopens the log after a failure, without a restart of the process.
//!
//! After a failed write it is unknown what of it is in the files, in the page cache, or in the database's writer. So
//! the database is closed and opened from its files, as after a crash, and every partition is truncated where its
//! acknowledged records end. That is an opening like any other: a new epoch begins.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, PoisonError, atomic::Ordering},
};

use super::{
    disk::Disk,
    epochs::{self, new_epoch},
    journal::{self, End},
    partition::Partition,
    shared::{OpenTopic, Shared},
    store::{Store, storage},
    stored::Stored,
    tail::PartitionKey,
    witness::Witness,
};
use crate::stream::{EpochStart, Result, StreamError};

/// Reopens the log, if the cause of its failure is gone. Callers wait meanwhile; after an error, only what is in memory
/// can be read.
pub(super) fn reopen(shared: &Shared, disk: &mut dyn Disk) -> Result<()> {
    let place = shared.path.display();
    disk.probe(&shared.path).map_err(|source| storage(format!("write to {place}"), source))?;
    let mut store = shared.store.write().unwrap_or_else(PoisonError::into_inner);
    if shared.closed.load(Ordering::Acquire) {
        return Err(StreamError::Closed);
    }
    let topics = shared.topics.read().unwrap_or_else(PoisonError::into_inner).clone();
    shared.openings.fetch_add(1, Ordering::AcqRel);
    for partition in topics.values().flat_map(|topic| &topic.partitions) {
        partition.let_go();
    }
    drop(store.take());
    let mut witness = shared.witness.lock().unwrap_or_else(PoisonError::into_inner);
    let opened = open(&shared.path, &mut witness, true)?;
    let found = begin(&opened, &mut witness, &topics, disk)?;
    for (partition, stored, epochs) in found {
        partition.epochs.replace(epochs);
        partition.renew(stored);
    }
    *store = Some(opened);
    *shared.failed.write().unwrap_or_else(PoisonError::into_inner) = None;
    Ok(())
}

/// Opens the database in `directory`. After a failed write its journal is renewed first, which removes what is left of
/// that. A last write torn by a power failure is cut off too, if nothing acknowledged is in it.
pub(super) fn open(directory: &Path, witness: &mut Witness, renew: bool) -> Result<Store> {
    let database = directory.join("database");
    let failed = |source| storage(format!("renew the journal in {}", database.display()), source);
    if renew && database.exists() {
        journal::renew(&database).map_err(failed)?;
    }
    let error = match Store::open(directory) {
        Ok(store) => return Ok(store),
        Err(error) if error.is_torn => error,
        Err(error) => return Err(error.error),
    };
    let cut = match journal::cut_torn_end(&database, directory).map_err(failed)? {
        End::Whole => return Err(error.error),
        End::Cut(cut) => cut,
        End::Damaged(journal, at) => {
            let action = format!("open the stream in {}", directory.display());
            let reason = format!(
                "{} is damaged from byte {at} on, and more that can be read follows. A copy of the directory that is whole \
                 loses nothing. To go on with what comes before, cut the file there and take the file `witness` away: lost \
                 are the records and cursors that were written after that, and nothing that a table has already",
                journal.display()
            );
            return Err(storage(action, reason));
        }
    };
    let opened = Store::open(directory).map_err(|error| error.error);
    let checked = opened.and_then(|store| check(&store, witness).map(|()| store));
    let (copy, at, bytes) = (cut.copy.display(), cut.at, cut.bytes);
    match checked {
        Ok(store) => {
            tracing::warn!(
                "the last write to the stream in {} did not reach the disk as a whole before the machine went down: \
                 without it no record and no cursor is missing that was acknowledged, and its {bytes} bytes were cut off the journal at byte {at}; the journal as it was is \
                 {copy}",
                directory.display()
            );
            Ok(store)
        }
        Err(missing) => {
            cut.take_back().map_err(failed)?;
            let action = format!("open the stream in {}", directory.display());
            let reason = format!(
                "the end of its journal is damaged from byte {at} on, and without these {bytes} bytes something that was \
                 acknowledged is missing: {missing}. A copy of the directory that is whole loses nothing. To go on with what \
                 can be read, take the last {bytes} bytes that are not zero off the journal and the file `witness` away: \
                 lost is then what is named here"
            );
            Err(storage(action, reason))
        }
    }
}

/// Whether everything acknowledged is stored.
fn check(store: &Store, witness: &mut Witness) -> Result<()> {
    for (name, meta) in store.topics()? {
        for number in 0..meta.partitions {
            Stored::read(store, witness, &name, (meta.epoch, number), None)?;
        }
    }
    Ok(())
}

/// A partition, the content of its files, and its epochs.
type Found<'a> = (&'a Partition, Stored, Vec<EpochStart>);

/// Reads every open partition up to its acknowledged end, and begins an epoch in it, durably.
fn begin<'a>(
    store: &Store,
    witness: &mut Witness,
    topics: &'a HashMap<String, Arc<OpenTopic>>,
    disk: &mut dyn Disk,
) -> Result<Vec<Found<'a>>> {
    let (mut found, mut kept): (Vec<Found<'a>>, Vec<PartitionKey>) = (Vec::new(), Vec::new());
    let mut batch = store.database.batch();
    for topic in topics.values() {
        let epoch = new_epoch();
        for partition in &topic.partitions {
            let stored = Stored::read(store, witness, &partition.topic, partition.key, Some(partition.end()))?;
            let begun = epochs::begin(store, &partition.topic, partition.key, stored.bounds(), epoch)?;
            for (key, value) in begun.writes {
                batch.insert(store.place_of(&key), key, value);
            }
            kept.push(partition.key);
            found.push((partition, stored, begun.epochs));
        }
    }
    let failed = |source| StreamError::Storage { action: "begin an epoch of the stream".to_owned(), source };
    disk.commit(batch).map_err(failed)?;
    // Only now: nothing is stored beyond the ends any more.
    witness.forget_ends(&kept).map_err(|source| failed(source.into()))?;
    Ok(found)
}
