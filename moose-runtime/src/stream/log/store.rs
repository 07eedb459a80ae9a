//! The database under the log: the layout of keys and keyspaces in `fjall`, and the mapping of its errors.
//!
//! - A partition's blocks are in *segments*: one keyspace each, `<epoch>.<partition>.<base>`, the key being a block's
//!   base offset, big-endian. A segment is dropped as a whole, so space is freed without rewriting anything; within a
//!   partition keys only grow, so the database never merges, only moves.
//! - The keyspace `meta` holds topics, cursors, registered groups, the epochs of partitions and where they start, and
//!   the contents of sealed segments. Keys are text, values JSON with a version.
//! - The keyspace `dead-letters` is described in `letters`.

use std::path::Path;

use fjall::{
    CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode, Slice,
    config::{BlockSizePolicy, CompressionPolicy, FilterPolicy},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::tail::PartitionKey;
use crate::stream::{Result, StreamError};

/// Memory for blocks read from disk. Backlogs are read once, in order: a cache would not help them.
const CACHE_BYTES: u64 = 4 << 20;
/// The minimum of the database's limit for its journals.
const JOURNAL_BYTES: u64 = 64 << 20;
/// Approximate memory of all segments' memtables together, divided when a segment is created.
const MEMTABLES_BYTES: u64 = 32 << 20;
/// Memtable of one segment.
const MEMTABLE_BYTES: std::ops::RangeInclusive<u64> = 1 << 20..=8 << 20;
/// Blocks are read in sequence: larger than the database's default for lookups.
const DATA_BLOCK_BYTES: u32 = 32 << 10;

/// The open database.
pub(super) struct Store {
    pub(super) database: Database,
    meta: Keyspace,
    letters: Keyspace,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Store").finish_non_exhaustive()
    }
}

/// What is stored about a topic.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct TopicMeta {
    pub(super) version: u8,
    pub(super) epoch: u64,
    pub(super) partitions: u16,
}

/// The content of a sealed segment.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Seal {
    pub(super) version: u8,
    /// Offset after its last record.
    pub(super) end: u64,
    /// Bytes of its blocks.
    pub(super) bytes: u64,
    /// Timestamp of its last record.
    pub(super) newest: i64,
    /// Where the clock was set back, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stepped: Option<Step>,
}

/// A clock that was ahead was set back here: records before the offset are no newer than this, whatever their
/// timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Step {
    /// First offset after the step.
    pub(super) offset: u64,
    /// The clock's time after the step.
    pub(super) timestamp: i64,
}

impl Step {
    /// The corrected timestamp of a block or segment that ends at `end`.
    pub(super) fn correct(self, end: u64, timestamp: i64) -> i64 {
        if end <= self.offset { timestamp.min(self.timestamp) } else { timestamp }
    }
}

/// The start of a partition, once retention has moved it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Start {
    pub(super) version: u8,
    /// First offset that counts as stored.
    pub(super) offset: u64,
    /// Bytes of the blocks before it in its segment.
    pub(super) skipped: u64,
}

impl Start {
    /// A partition from which nothing was deleted.
    pub(super) const ZERO: Self = Self { version: 1, offset: 0, skipped: 0 };
}

/// Keys in `meta`.
pub(super) mod key {
    use super::PartitionKey;

    /// Prefix of the keys of dead letters: tells the committer to which keyspace a write belongs.
    pub(crate) const LETTERS: &str = "letter/";

    /// Prefix of the keys of topics.
    pub(crate) const TOPICS: &str = "topic/";

    pub(crate) fn topic(name: &str) -> String {
        format!("{TOPICS}{name}")
    }

    pub(crate) fn cursors((epoch, partition): PartitionKey) -> String {
        format!("cursor/{epoch:016x}/{partition:05}/")
    }

    pub(crate) fn cursor(partition: PartitionKey, group: &str) -> String {
        format!("{}{group}", cursors(partition))
    }

    pub(crate) fn groups(epoch: u64) -> String {
        format!("group/{epoch:016x}/")
    }

    pub(crate) fn group(epoch: u64, group: &str) -> String {
        format!("{}{group}", groups(epoch))
    }

    pub(crate) fn start((epoch, partition): PartitionKey) -> String {
        format!("start/{epoch:016x}/{partition:05}")
    }

    pub(crate) fn epochs((epoch, partition): PartitionKey) -> String {
        format!("epochs/{epoch:016x}/{partition:05}")
    }

    pub(crate) fn seal((epoch, partition): PartitionKey, base: u64) -> String {
        format!("seal/{epoch:016x}/{partition:05}/{base:020}")
    }
}

/// Why the database could not be opened.
pub(super) struct OpenError {
    pub(super) error: StreamError,
    /// The journal has invalid content that is readable: a last write that did not reach the disk completely, or
    /// damage.
    pub(super) is_torn: bool,
}

impl Store {
    /// Opens the database in `directory`, creating it if missing.
    pub(super) fn open(directory: &Path) -> Result<Self, OpenError> {
        let place = directory.display();
        let path = directory.join("database");
        // The database checks what it reads, and some of its checks are assertions.
        let opened = std::panic::catch_unwind(|| {
            let database = Database::builder(&path)
                .cache_size(CACHE_BYTES)
                .max_journaling_size(JOURNAL_BYTES)
                .journal_compression(CompressionType::None)
                .manual_journal_persist(true)
                .max_cached_files(Some(64))
                // With two of them one waits for the other by spinning.
                .worker_threads(1)
                .open()?;
            let meta = database.keyspace("meta", || {
                KeyspaceCreateOptions::default().max_memtable_size(1 << 20).manual_journal_persist(true)
            })?;
            let letters = database.keyspace("dead-letters", || {
                KeyspaceCreateOptions::default()
                    .max_memtable_size(1 << 20)
                    .manual_journal_persist(true)
                    .data_block_compression_policy(CompressionPolicy::all(CompressionType::Lz4))
            })?;
            Ok::<_, fjall::Error>((database, meta, letters))
        });
        let action = format!("open the stream in {place}");
        match opened {
            Ok(Ok((database, meta, letters))) => Ok(Self { database, meta, letters }),
            Ok(Err(source)) => {
                let is_torn = matches!(source, fjall::Error::JournalRecovery(_));
                Err(OpenError { error: storage(action, source), is_torn })
            }
            Err(panic) => Err(OpenError { error: storage(action, panic_text(panic.as_ref())), is_torn: false }),
        }
    }

    /// All topics, by name.
    pub(super) fn topics(&self) -> Result<Vec<(String, TopicMeta)>> {
        self.scan(key::TOPICS)
    }

    /// The keyspace `meta`, for writes.
    pub(super) fn meta(&self) -> &Keyspace {
        &self.meta
    }

    /// The keyspace of the dead letters.
    pub(super) fn letters(&self) -> &Keyspace {
        &self.letters
    }

    /// The keyspace of a key of a `Put`.
    pub(super) fn place_of(&self, key: &str) -> &Keyspace {
        if key.starts_with(key::LETTERS) { &self.letters } else { &self.meta }
    }

    /// A value of `meta`, as stored.
    pub(super) fn value(&self, key: &str) -> Result<Option<Slice>> {
        self.meta.get(key).map_err(|source| storage(format!("read `{key}` of the stream"), source))
    }

    /// A value of `meta`.
    pub(super) fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let Some(value) = self.value(key)? else { return Ok(None) };
        let read = serde_json::from_slice(&value);
        read.map(Some).map_err(|source| storage(format!("read `{key}` of the stream"), source))
    }

    /// All values of `meta` whose key begins with `prefix`, with the rest of the key.
    pub(super) fn scan<T: DeserializeOwned>(&self, prefix: &str) -> Result<Vec<(String, T)>> {
        let action = || format!("read `{prefix}…` of the stream");
        let mut found = Vec::new();
        for entry in self.meta.prefix(prefix) {
            let (key, value) = entry.into_inner().map_err(|source| storage(action(), source))?;
            let key = String::from_utf8_lossy(&key);
            let rest = key.strip_prefix(prefix).unwrap_or_default().to_owned();
            found.push((rest, serde_json::from_slice(&value).map_err(|source| storage(action(), source))?));
        }
        Ok(found)
    }

    /// The segments of a partition with the base offset of each, in order.
    pub(super) fn segments(&self, partition: PartitionKey) -> Result<Vec<(u64, Keyspace)>> {
        let prefix = segment_prefix(partition);
        let mut found = Vec::new();
        for name in self.database.list_keyspace_names() {
            let Some(base) = name.strip_prefix(prefix.as_str()).and_then(|base| base.parse().ok()) else { continue };
            let keyspace = self
                .database
                .keyspace(&name, KeyspaceCreateOptions::default)
                .map_err(|source| storage(format!("open segment {name} of the stream"), source))?;
            found.push((base, keyspace));
        }
        found.sort_by_key(|(base, _)| *base);
        Ok(found)
    }

    /// Creates the segment of a partition that begins at `base`, or opens it.
    pub(super) fn segment(&self, partition: PartitionKey, base: u64) -> fjall::Result<Keyspace> {
        let memtable = (MEMTABLES_BYTES / self.database.keyspace_count().max(1) as u64)
            .clamp(*MEMTABLE_BYTES.start(), *MEMTABLE_BYTES.end());
        self.database.keyspace(&format!("{}{base:020}", segment_prefix(partition)), || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(memtable)
                .manual_journal_persist(true)
                .data_block_size_policy(BlockSizePolicy::all(DATA_BLOCK_BYTES))
                .data_block_compression_policy(CompressionPolicy::all(CompressionType::Lz4))
                .filter_policy(FilterPolicy::disabled())
        })
    }

    /// Removes the blocks from `end` on from segments, durably.
    pub(super) fn cut(&self, segments: &[(u64, Keyspace)], end: u64) -> fjall::Result<()> {
        let mut batch = self.database.batch();
        for (_, keyspace) in segments.iter().rev() {
            let before = batch.len();
            for entry in keyspace.range(end.to_be_bytes()..) {
                batch.remove(keyspace, entry.key()?);
            }
            if batch.len() == before {
                break;
            }
        }
        batch.durability(Some(PersistMode::SyncAll)).commit()
    }

    /// Drops a segment; its files are deleted once nothing reads them.
    pub(super) fn drop_segment(&self, keyspace: Keyspace) -> fjall::Result<()> {
        self.database.delete_keyspace(keyspace)
    }
}

fn segment_prefix((epoch, partition): PartitionKey) -> String {
    format!("{epoch:016x}.{partition:05}.")
}

/// A failure of the storage during `action`.
pub(super) fn storage(action: String, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StreamError {
    StreamError::Storage { action, source: source.into() }
}

/// The message of a panic.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("an assertion of the database failed: {}", text.unwrap_or("no reason given"))
}
