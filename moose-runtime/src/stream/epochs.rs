//! The epochs of a partition: which offsets belong to which epoch.

use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

/// Where an epoch begins in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochStart {
    /// Its first offset. It ends where the next one begins.
    pub first: u64,
    /// The epoch.
    pub epoch: u64,
}

/// Consecutive offsets with one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochSpan {
    /// The epoch.
    pub epoch: u64,
    /// First offset.
    pub first: u64,
    /// Last offset, inclusive.
    pub last: u64,
}

impl From<EpochSpan> for EpochStart {
    fn from(span: EpochSpan) -> Self {
        Self { first: span.first, epoch: span.epoch }
    }
}

/// The epochs of one partition, in the order of their offsets. Clones share one list: an epoch that begins later is
/// visible in all of them before any record of it can be read.
#[derive(Clone, Debug)]
pub struct Epochs {
    list: Arc<RwLock<Vec<EpochStart>>>,
}

impl Epochs {
    /// These epochs, ordered by their first offsets.
    pub fn new(list: Vec<EpochStart>) -> Self {
        Self { list: Arc::new(RwLock::new(list)) }
    }

    /// One epoch for all offsets.
    pub fn one(epoch: u64) -> Self {
        Self::new(vec![EpochStart { first: 0, epoch }])
    }

    /// The list as it is now.
    pub fn list(&self) -> Vec<EpochStart> {
        self.list.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the list: only by one that agrees with it for every offset from which a record was read.
    pub fn replace(&self, list: Vec<EpochStart>) {
        *self.list.write().unwrap_or_else(PoisonError::into_inner) = list;
    }

    /// The epoch of an offset. Offsets before the first known epoch belong to that one.
    pub fn at(&self, offset: u64) -> u64 {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        let after = list.partition_point(|start| start.first <= offset);
        list.get(after.saturating_sub(1)).map_or(u64::MAX, |start| start.epoch)
    }

    /// The end of an offset's epoch: the first offset of the next one, if there is one.
    pub fn end_of(&self, offset: u64) -> Option<u64> {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        list.get(list.partition_point(|start| start.first <= offset)).map(|next| next.first)
    }

    /// The offsets `first..=last`, split by epoch.
    pub fn spans(&self, first: u64, last: u64) -> Vec<EpochSpan> {
        let starts = self.list();
        let mut spans = Vec::new();
        for (index, start) in starts.iter().enumerate() {
            let from = if index == 0 { first } else { start.first.max(first) };
            let to = starts.get(index + 1).map_or(last, |next| next.first.saturating_sub(1).min(last));
            let is_empty = starts.get(index + 1).is_some_and(|next| next.first <= from);
            if !is_empty && from <= to {
                spans.push(EpochSpan { epoch: start.epoch, first: from, last: to });
            }
        }
        spans
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs() -> Epochs {
        Epochs::new([(5, 50), (10, 100), (30, 300)].map(|(first, epoch)| EpochStart { first, epoch }).to_vec())
    }

    #[test]
    fn an_offset_has_the_epoch_that_began_last_before_it() {
        let epochs = epochs();
        let of = [0, 5, 9, 10, 29, 30, u64::MAX].map(|offset| epochs.at(offset));
        assert_eq!(of, [50, 50, 50, 100, 100, 300, 300]);
        assert_eq!([0, 9, 10, 30].map(|offset| epochs.end_of(offset)), [Some(5), Some(10), Some(30), None]);
        let clone = epochs.clone();
        epochs.replace([epochs.list(), vec![EpochStart { first: 40, epoch: 400 }]].concat());
        assert_eq!((clone.at(39), clone.at(40)), (300, 400), "clones see what begins later");
    }

    #[test]
    fn offsets_are_taken_apart_by_epochs() {
        let span = |(epoch, first, last)| EpochSpan { epoch, first, last };
        let spans = |first, last| epochs().spans(first, last);
        assert_eq!(spans(0, u64::MAX), [(50, 0, 9), (100, 10, 29), (300, 30, u64::MAX)].map(span));
        assert_eq!(spans(12, 20), [(100, 12, 20)].map(span));
        assert_eq!(spans(9, 10), [(50, 9, 9), (100, 10, 10)].map(span));
        assert_eq!(spans(3, 2), []);
        assert_eq!(Epochs::one(7).spans(4, 6), [(7, 4, 6)].map(span));
    }
}
