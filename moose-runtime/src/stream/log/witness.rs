//! The witness: a file beside the database that records what was acknowledged, to detect a lost end.
//!
//! The database's journal ends, by its own rule, at the first entry that it can't read. Damage in its middle would
//! silently lose what was acknowledged after it: records, whose offsets would be assigned again, and cursors. This file
//! says how far each partition and each cursor had come. It is written after each commit and not synced on its own:
//! after a power failure it may be behind, never ahead. Where the database has less than this file says, it is damaged.
//!
//! After a failed write it says more: that there was one, and the ends of the partitions that it was to reach. What is
//! beyond these was refused, and is removed at the next opening.
//!
//! 32 bytes an entry: epoch u64, value u64, reader u64, partition u16, kind u16, CRC-32 of these 28. The reader is 0
//! for the end of a partition, else the hash of a group's name. Of kind 1, the value is one more than the offset at
//! which the partition is to be truncated, 0 where it is not; of kind 2, 1 says that a write has failed. An entry with
//! a wrong checksum is ignored.

use std::{
    collections::HashMap,
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
};

use super::tail::PartitionKey;

const ENTRY: usize = 32;
const CHECKED: usize = 28;

/// The subject of an entry: the end of a partition, or a reader's position in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Subject {
    partition: PartitionKey,
    reader: u64,
    kind: u16,
}

/// The offset reached.
const COME: u16 = 0;
/// The offset at which a partition must be truncated.
const CUT: u16 = 1;
/// Whether a write has failed.
const FAILED: Subject = Subject { partition: (0, 0), reader: 0, kind: 2 };

impl Subject {
    /// The end of a partition.
    pub(super) fn end(partition: PartitionKey) -> Self {
        Self { partition, reader: 0, kind: COME }
    }

    /// The cursor of a group.
    pub(super) fn cursor(partition: PartitionKey, group: &str) -> Self {
        // FNV-1a: stable for ever, which the standard library's hashers don't promise.
        let hash = group
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self { partition, reader: hash.max(1), kind: COME }
    }

    /// The offset at which a partition must be truncated.
    fn cut(partition: PartitionKey) -> Self {
        Self { partition, reader: 0, kind: CUT }
    }
}

/// The open file, and its entries.
#[derive(Debug)]
pub(super) struct Witness {
    file: File,
    entries: HashMap<Subject, Entry>,
    next_slot: u64,
    is_new: bool,
    /// An entry that must be durable may not be: a sync has failed.
    unsynced: bool,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    slot: u64,
    value: u64,
}

impl Witness {
    /// Opens the file in `directory`, creating it if missing.
    pub(super) fn open(directory: &Path) -> std::io::Result<Self> {
        let path = directory.join("witness");
        let is_new = !path.try_exists()?;
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut stored = Vec::new();
        file.read_to_end(&mut stored)?;
        let mut entries = HashMap::new();
        let (chunks, _torn) = stored.as_chunks::<ENTRY>();
        for (slot, chunk) in (0..).zip(chunks) {
            if let Some((subject, value)) = decode(chunk) {
                entries.insert(subject, Entry { slot, value });
            }
        }
        Ok(Self { file, entries, next_slot: chunks.len() as u64, is_new, unsynced: false })
    }

    /// Whether the file was missing: nothing is known of what was acknowledged.
    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whether a write has failed since the log was last opened.
    pub(super) fn has_failed(&self) -> bool {
        self.get(FAILED) > 0
    }

    /// Where the partition must be truncated.
    pub(super) fn failed_at(&self, partition: PartitionKey) -> Option<u64> {
        self.get(Subject::cut(partition)).checked_sub(1)
    }

    /// Records, durably, that a write to these ends has failed.
    pub(super) fn note_failure(&mut self, ends: impl Iterator<Item = (PartitionKey, u64)>) -> std::io::Result<()> {
        self.set(FAILED, 1)?;
        for (partition, end) in ends {
            // An earlier failure that is not repaired yet ended there or before.
            if self.failed_at(partition).is_none_or(|before| end < before) {
                self.set(Subject::cut(partition), end.saturating_add(1))?;
            }
        }
        self.sync(true)
    }

    /// Syncs entries that must be durable, also those of an earlier call whose sync has failed.
    fn sync(&mut self, changed: bool) -> std::io::Result<()> {
        self.unsynced |= changed;
        if self.unsynced {
            self.file.sync_data()?;
            self.unsynced = false;
        }
        Ok(())
    }

    /// Nothing is left of failed writes at the ends of these partitions.
    pub(super) fn forget_ends(&mut self, partitions: &[PartitionKey]) -> std::io::Result<()> {
        let mut changed = self.has_failed();
        if changed {
            self.set(FAILED, 0)?;
        }
        for partition in partitions {
            if self.failed_at(*partition).is_some() {
                self.set(Subject::cut(*partition), 0)?;
                changed = true;
            }
        }
        self.sync(changed)
    }

    /// The offset that the subject had reached, at least.
    pub(super) fn get(&self, subject: Subject) -> u64 {
        self.entries.get(&subject).map_or(0, |entry| entry.value)
    }

    /// The epochs with something acknowledged.
    pub(super) fn epochs(&self) -> impl Iterator<Item = u64> {
        self.entries.keys().filter(|subject| subject.kind == COME).map(|subject| subject.partition.0)
    }

    /// Every reader of the partition that is past 0, and its position.
    pub(super) fn readers(&self, partition: PartitionKey) -> impl Iterator<Item = (Subject, u64)> {
        let of_partition =
            move |subject: &Subject| subject.partition == partition && subject.reader != 0 && subject.kind == COME;
        let entries = self.entries.iter().filter(move |(subject, entry)| of_partition(subject) && entry.value > 0);
        entries.map(|(subject, entry)| (*subject, entry.value))
    }

    /// Lowers the entries of subjects that move back or are deleted, durably. To be called before that is written: the
    /// old entry would report it as a loss if the process ended in between, and an old, larger value could survive a
    /// power failure.
    pub(super) fn lower(&mut self, moves: impl Iterator<Item = (Subject, u64)>) -> std::io::Result<()> {
        let mut lowered = false;
        for (subject, value) in moves {
            if value < self.get(subject) {
                self.set(subject, value)?;
                lowered = true;
            }
        }
        self.sync(lowered)
    }

    /// Sets the offset that the subject has reached.
    pub(super) fn set(&mut self, subject: Subject, value: u64) -> std::io::Result<()> {
        let slot = self.entries.get(&subject).map_or(self.next_slot, |entry| entry.slot);
        self.file.seek(SeekFrom::Start(slot * ENTRY as u64))?;
        self.file.write_all(&encode(subject, value))?;
        self.next_slot = self.next_slot.max(slot + 1);
        self.entries.insert(subject, Entry { slot, value });
        Ok(())
    }
}

fn encode(subject: Subject, value: u64) -> Vec<u8> {
    let (epoch, partition) = subject.partition;
    let mut entry = Vec::with_capacity(ENTRY);
    entry.extend_from_slice(&epoch.to_le_bytes());
    entry.extend_from_slice(&value.to_le_bytes());
    entry.extend_from_slice(&subject.reader.to_le_bytes());
    entry.extend_from_slice(&partition.to_le_bytes());
    entry.extend_from_slice(&subject.kind.to_le_bytes());
    entry.resize(CHECKED, 0);
    let checksum = crc32fast::hash(&entry);
    entry.extend_from_slice(&checksum.to_le_bytes());
    entry
}

fn decode(entry: &[u8; ENTRY]) -> Option<(Subject, u64)> {
    let (checked, checksum) = entry.split_last_chunk::<4>()?;
    if crc32fast::hash(checked) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let (epoch, rest) = checked.split_first_chunk::<8>()?;
    let (value, rest) = rest.split_first_chunk::<8>()?;
    let (reader, rest) = rest.split_first_chunk::<8>()?;
    let (partition, rest) = rest.split_first_chunk::<2>()?;
    let (kind, _) = rest.split_first_chunk::<2>()?;
    let partition = (u64::from_le_bytes(*epoch), u16::from_le_bytes(*partition));
    let (reader, kind) = (u64::from_le_bytes(*reader), u16::from_le_bytes(*kind));
    Some((Subject { partition, reader, kind }, u64::from_le_bytes(*value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_survives_reopening_and_a_damaged_entry_says_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let [a, b, c] = [Subject::end((1, 0)), Subject::cursor((1, 0), "g"), Subject::end((2, 0))];
        let mut witness = Witness::open(directory.path()).unwrap();
        witness.set(a, 10).unwrap();
        witness.set(b, 20).unwrap();
        witness.set(a, 11).unwrap();
        drop(witness);

        let mut witness = Witness::open(directory.path()).unwrap();
        assert_eq!([a, b, c].map(|subject| witness.get(subject)), [11, 20, 0]);
        assert_eq!(witness.readers((1, 0)).collect::<Vec<_>>(), [(b, 20)]);
        witness.set(c, 5).unwrap();
        drop(witness);

        let path = directory.path().join("witness");
        let mut stored = std::fs::read(&path).unwrap();
        stored[9] ^= 1;
        std::fs::write(&path, stored).unwrap();
        let witness = Witness::open(directory.path()).unwrap();
        assert_eq!([a, b, c].map(|subject| witness.get(subject)), [0, 20, 5]);
    }
}
