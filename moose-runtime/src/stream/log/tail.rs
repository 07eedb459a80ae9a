//! A cache of the newest blocks of all partitions, so that readers that keep up never touch the disk.

use std::collections::{HashMap, VecDeque};

use super::block::Block;

/// A partition of a topic, by the topic's epoch.
pub(super) type PartitionKey = (u64, u16);

/// The newest blocks, limited in bytes over all partitions together.
#[derive(Debug)]
pub(super) struct Tail {
    limit: usize,
    bytes: usize,
    blocks: HashMap<PartitionKey, VecDeque<Block>>,
    /// The partitions of the blocks in order of arrival, so that the oldest block is evicted first.
    order: VecDeque<PartitionKey>,
}

impl Tail {
    /// An empty tail that keeps at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, bytes: 0, blocks: HashMap::new(), order: VecDeque::new() }
    }

    /// Adds the newest block of a partition.
    pub(super) fn push(&mut self, partition: PartitionKey, block: Block) {
        self.bytes += block.size();
        self.blocks.entry(partition).or_default().push_back(block);
        self.order.push_back(partition);
        while self.bytes > self.limit {
            let Some(oldest) = self.order.pop_front() else { return };
            if let Some(gone) = self.blocks.get_mut(&oldest).and_then(VecDeque::pop_front) {
                self.bytes -= gone.size();
            }
        }
    }

    /// The blocks from the one that holds `from` on, about `max_bytes` of them; empty if `from` is no longer in the
    /// tail.
    pub(super) fn from(&self, partition: PartitionKey, from: u64, max_bytes: usize) -> Vec<Block> {
        let Some(blocks) = self.blocks.get(&partition) else { return Vec::new() };
        if blocks.front().is_none_or(|oldest| from < oldest.base()) {
            return Vec::new();
        }
        let first = blocks.partition_point(|block| block.end() <= from);
        let mut taken = Vec::new();
        let mut bytes = 0;
        for block in blocks.range(first..) {
            taken.push(block.clone());
            bytes += block.size();
            // The first block may be read from its middle: one more block than its size suggests is enough.
            if bytes > max_bytes && taken.len() > 1 {
                break;
            }
        }
        taken
    }

    /// Removes everything.
    pub(super) fn clear(&mut self) {
        self.bytes = 0;
        self.blocks.clear();
        self.order.clear();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::stream::log::block::{Draft, Place};

    fn block(base: u64, size: usize) -> Block {
        let place = Place { epoch: 1, partition: 0, base };
        Draft::plain(&[Bytes::from(vec![b'x'; size])]).next().expect("a block").at(place, 0)
    }

    #[test]
    fn the_oldest_block_goes_first_whatever_its_partition() {
        let mut tail = Tail::new(300);
        for base in 0..4 {
            tail.push((1, 0), block(base, 100));
            tail.push((1, 1), block(base, 1));
        }
        assert!(tail.bytes <= 300);
        assert!(tail.from((1, 0), 1, 1000).is_empty(), "gone");
        assert_eq!(tail.from((1, 0), 3, 1000).first().map(Block::base), Some(3));
        assert_eq!(tail.from((1, 1), 3, 1000).first().map(Block::base), Some(3));
    }

    #[test]
    fn a_block_larger_than_the_tail_is_not_kept() {
        let mut tail = Tail::new(50);
        tail.push((1, 0), block(0, 100));
        assert_eq!(tail.bytes, 0);
        assert!(tail.from((1, 0), 0, 10).is_empty());
    }
}
