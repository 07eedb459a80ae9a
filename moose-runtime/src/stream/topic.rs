//! Topics, and the records in their partitions.

use std::time::Duration;

use bytes::Bytes;

/// One record as it lies in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Place in the partition, counted from 0.
    pub offset: u64,
    /// When the backend took it, in milliseconds since the Unix epoch, by the backend's clock.
    pub timestamp: i64,
    /// The bytes that came.
    pub payload: Bytes,
}

/// A record that is to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord {
    /// Its key, where it has one and the backend [keeps keys](super::Capabilities::keeps_keys): other clients of the topic, and its
    /// compaction, go by it. It has nothing to do with the partition that an append names.
    pub key: Option<Bytes>,
    /// The bytes to be kept.
    pub payload: Bytes,
}

/// A record without a key.
impl From<Bytes> for NewRecord {
    fn from(payload: Bytes) -> Self {
        Self { key: None, payload }
    }
}

/// What a topic is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// Name of the topic.
    pub name: String,
    /// Number of partitions; may grow, never shrink.
    pub partitions: u16,
    /// When records that every cursor has passed may go.
    pub retention: Retention,
}

/// When records may be deleted: only what every cursor of the topic has passed, and of that what is older than `age` or
/// beyond `bytes` per partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Records older than this may go.
    pub age: Option<Duration>,
    /// The oldest records beyond this many bytes in a partition may go.
    pub bytes: Option<u64>,
}

/// What a topic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topic {
    /// 64 random bits made with the topic's storage: a wiped directory or a second stream never has the same. What is
    /// stored later may have other [epochs](super::Backend::epochs).
    pub epoch: u64,
    /// Number of partitions.
    pub partitions: u16,
}

/// The offsets that exist in a partition: `start..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// First offset still stored.
    pub start: u64,
    /// Offset that the next record will get.
    pub end: u64,
}
