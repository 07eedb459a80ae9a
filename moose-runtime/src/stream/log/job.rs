//! The messages from callers to the commit thread: records and values to be made durable.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{
    block::{Draft, stored_size},
    partition::Partition,
    witness::Subject,
};
use crate::stream::Result;

/// Called once a `Put` is durable or has failed. Not a channel, since both async tasks and plain threads wait for it.
pub(super) type PutReply = Box<dyn FnOnce(Result<()>) + Send>;

/// A request to the commit thread.
pub(super) enum Job {
    /// Records of one partition.
    Append { partition: Arc<Partition>, content: Content, reply: oneshot::Sender<Result<u64>> },
    /// Sets or deletes values of `meta` or dead letters, all or nothing.
    Put { writes: Vec<(String, Option<Vec<u8>>)>, cursors: Vec<CursorMove>, reply: PutReply },
    /// Ends the thread once everything before it is written.
    Close,
}

/// The records of an append.
pub(super) enum Content {
    /// Records that share a block with those of other appends.
    Records(Vec<Bytes>),
    /// Records that are in blocks of their own, prepared by the caller.
    Drafts(Vec<Draft>),
}

impl Content {
    /// Number of records.
    pub(super) fn count(&self) -> u64 {
        let count = match self {
            Self::Records(records) => records.len(),
            Self::Drafts(drafts) => drafts.iter().map(Draft::count).sum(),
        };
        count as u64
    }

    /// Bytes that they will take once stored, without the header of a block that they share.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Records(records) => stored_size(records),
            Self::Drafts(drafts) => drafts.iter().map(|draft| draft.size() as u64).sum(),
        }
    }
}

/// The position of a cursor once its write is durable; none if its reader is forgotten.
pub(super) struct CursorMove {
    pub(super) partition: Arc<Partition>,
    pub(super) group: String,
    pub(super) next: Option<u64>,
}

impl CursorMove {
    /// The group's cursor goes to `next`.
    pub(super) fn to(partition: &Arc<Partition>, group: &str, next: u64) -> Self {
        Self { partition: Arc::clone(partition), group: group.to_owned(), next: Some(next) }
    }

    /// The group no longer reads the partition.
    pub(super) fn forgotten(partition: &Arc<Partition>, group: &str) -> Self {
        Self { partition: Arc::clone(partition), group: group.to_owned(), next: None }
    }

    /// The witness's entry for it.
    pub(super) fn witnessed(&self) -> (Subject, u64) {
        (Subject::cursor(self.partition.key, &self.group), self.next.unwrap_or(0))
    }
}
