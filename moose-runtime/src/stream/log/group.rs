//! The batch of one group commit: the records of all callers, by partition, and the values.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use tokio::sync::oneshot;

use super::{
    block::{Block, Draft, Place},
    job::{Content, CursorMove, PutReply},
    partition::Partition,
    tail::PartitionKey,
};
use crate::stream::Result;

/// The content of one commit.
#[derive(Default)]
pub(super) struct Group {
    pub(super) appends: HashMap<PartitionKey, Appends>,
    /// Of several writes to a key the last wins: within a batch the database has no order.
    pub(super) writes: BTreeMap<String, Option<Vec<u8>>>,
    /// Likewise for the moves of a cursor.
    pub(super) cursors: HashMap<(PartitionKey, String), CursorMove>,
    pub(super) puts: Vec<PutReply>,
    pub(super) bytes: u64,
    pub(super) jobs: usize,
    /// Bytes by topic, so that several appends together stay within the budget.
    pub(super) topics: HashMap<u64, u64>,
}

/// The appends to one partition.
pub(super) struct Appends {
    pub(super) partition: Arc<Partition>,
    pub(super) content: Vec<Content>,
    pub(super) count: u64,
    /// The number of records before each append's first one, and its caller's channel.
    pub(super) waiting: Vec<(u64, oneshot::Sender<Result<u64>>)>,
}

impl Appends {
    pub(super) fn new(partition: Arc<Partition>) -> Self {
        Self { partition, content: Vec::new(), count: 0, waiting: Vec::new() }
    }

    pub(super) fn push(&mut self, content: Content, reply: oneshot::Sender<Result<u64>>) {
        self.waiting.push((self.count, reply));
        self.count += content.count();
        match (self.content.last_mut(), content) {
            (Some(Content::Records(before)), Content::Records(records)) => before.extend(records),
            (_, content) => self.content.push(content),
        }
    }

    /// The blocks of all records, at their places from `base` on.
    pub(super) fn blocks(&mut self, base: u64, timestamp: i64) -> Vec<Block> {
        let (epoch, partition) = self.partition.key;
        let mut place = Place { epoch, partition, base };
        let mut blocks: Vec<Block> = Vec::new();
        let mut add = |draft: Draft| {
            let block = draft.at(place, timestamp);
            place.base = block.end();
            blocks.push(block);
        };
        for content in self.content.drain(..) {
            match content {
                Content::Records(records) => Draft::plain(&records).for_each(&mut add),
                Content::Drafts(drafts) => drafts.into_iter().for_each(&mut add),
            }
        }
        blocks
    }
}
