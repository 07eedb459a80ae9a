//! The disk: where a batch becomes durable, and the probe that tells whether writing would work again after a failure.

use std::{io::Write, path::Path};

use fjall::{OwnedWriteBatch, PersistMode};

/// Size of the file written by a probe: with less space than that the failure would be back at once.
const PROBED_BYTES: usize = 1 << 20;
/// Number of files opened by a probe, for the same reason.
const PROBED_FILES: usize = 16;

/// Why a commit failed.
pub(super) type CommitError = Box<dyn std::error::Error + Send + Sync>;

/// Where writes become durable. A trait because tests must make it fail.
pub(super) trait Disk: Send {
    /// Writes the batch and syncs it. Nothing of it is acknowledged before `Ok`.
    fn commit(&mut self, batch: OwnedWriteBatch) -> Result<(), CommitError>;

    /// Checks whether it would accept writes again.
    fn probe(&mut self, directory: &Path) -> std::io::Result<()>;
}

/// The real disk.
pub(super) struct Synced;

impl Disk for Synced {
    fn commit(&mut self, batch: OwnedWriteBatch) -> Result<(), CommitError> {
        Ok(batch.durability(Some(PersistMode::SyncAll)).commit()?)
    }

    fn probe(&mut self, directory: &Path) -> std::io::Result<()> {
        probe(directory)
    }
}

/// Checks whether new files can be created and written in the directory.
fn probe(directory: &Path) -> std::io::Result<()> {
    let path = directory.join("probe");
    let written = (|| {
        let mut file = std::fs::File::create(&path)?;
        let _others = (1..PROBED_FILES).map(|_| std::fs::File::open(&path)).collect::<Result<Vec<_>, _>>()?;
        // Not zeros, which some file systems don't store.
        file.write_all(&vec![0x55; PROBED_BYTES])?;
        file.sync_all()
    })();
    let removed = std::fs::remove_file(&path);
    written.and(removed)
}
