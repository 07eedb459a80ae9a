//! Topics, and the records in their partitions.

use std::time::Duration;

use bytes::Bytes;

/// One stored record of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Place in the partition, counted from 0.
    pub offset: u64,
    /// When the backend accepted it, in milliseconds since the Unix epoch, by the backend's clock.
    pub timestamp: i64,
    /// The bytes as they came.
    pub payload: Bytes,
}

/// A record to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord {
    /// Its key, if it has one and the backend [keeps keys](super::Capabilities::keeps_keys), for other clients of the
    /// topic and for its compaction. It does not choose the partition: an append names that.
    pub key: Option<Bytes>,
    /// The bytes to store.
    pub payload: Bytes,
}

/// A record without a key.
impl From<Bytes> for NewRecord {
    fn from(payload: Bytes) -> Self {
        Self { key: None, payload }
    }
}

/// The required properties of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// Name of the topic.
    pub name: String,
    /// Number of partitions; may grow, never shrink.
    pub partitions: u16,
    /// When records that every cursor has passed may be deleted.
    pub retention: Retention,
}

/// When records may be deleted: only those that every cursor of the topic has passed, and of those what is older than
/// `age` or beyond `bytes` per partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Records older than this may be deleted.
    pub age: Option<Duration>,
    /// The oldest records beyond this many bytes in a partition may be deleted.
    pub bytes: Option<u64>,
}

/// The properties of an open topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topic {
    /// 64 random bits generated with the topic's storage: a wiped directory or a second stream never has the same.
    /// Records stored later may have other [epochs](super::Backend::epochs).
    pub epoch: u64,
    /// Number of partitions.
    pub partitions: u16,
}

/// The offsets in a partition: `start..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// First offset still stored.
    pub start: u64,
    /// Offset of the next record.
    pub end: u64,
}
