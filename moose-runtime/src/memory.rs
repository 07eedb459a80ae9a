//! The memory budget: how many bytes of records may be held at once, at the front door and on their way into tables.
//!
//! Each of the two sides has half of `memory.budget`, so that neither starves the other: while ClickHouse is away the
//! sync may use all of its half, and the front door still accepts records into the stream. Memory is reserved before it
//! is used: without enough, the front door responds with 503, and the sync stops reading. Bodies, columns, blocks and
//! what a stream's clients prefetch are counted, not what the process needs besides.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// Bytes per permit. Small enough that a single event costs next to nothing.
const GRAIN: u64 = 1 << 10;

/// Memory of a request besides its decompressed body, as a multiple of that: its columns, its records' positions and
/// the log's blocks.
pub const BESIDE_A_BODY: u64 = 2;

/// One side's share of the budget. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Share {
    grains: Arc<Semaphore>,
    size: u32,
}

/// A reservation of bytes, released on drop.
#[derive(Debug)]
pub struct Reserved {
    permit: OwnedSemaphorePermit,
}

/// The shares of the front door and of the sync, whose streams may use half of its share for prefetching: `read_ahead`
/// gets that amount, and returns how much of it they use.
pub fn shares(budget: u64, read_ahead: impl FnOnce(u64) -> u64) -> (Share, Share) {
    let half = budget / 2;
    (Share::new(half), Share::new(half.saturating_sub(read_ahead(half / 2))))
}

impl Share {
    /// A share of that many bytes.
    pub fn new(bytes: u64) -> Self {
        let size = grains(bytes).max(1);
        Self { grains: Arc::new(Semaphore::new(size as usize)), size }
    }

    /// Its size.
    pub fn bytes(&self) -> u64 {
        u64::from(self.size) * GRAIN
    }

    /// Reserves bytes, if available.
    pub fn try_reserve(&self, bytes: u64) -> Option<Reserved> {
        match Arc::clone(&self.grains).try_acquire_many_owned(grains(bytes)) {
            Ok(permit) => Some(Reserved { permit }),
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => None,
        }
    }

    /// Reserves bytes as soon as they are available, first come, first served. More than the whole share counts as the
    /// whole share, so that the wait can end.
    pub async fn reserve(&self, bytes: u64) -> Reserved {
        let permit = Arc::clone(&self.grains).acquire_many_owned(grains(bytes).min(self.size)).await;
        match permit {
            Ok(permit) => Reserved { permit },
            // The semaphore is never closed.
            Err(_closed) => std::future::pending().await,
        }
    }

    /// Bytes that are reserved at present.
    #[cfg(test)]
    pub(crate) fn reserved(&self) -> u64 {
        (self.size as usize).saturating_sub(self.grains.available_permits()) as u64 * GRAIN
    }
}

impl Reserved {
    /// Adds another reservation of the same share.
    pub fn merge(&mut self, more: Self) {
        self.permit.merge(more.permit);
    }

    /// Its size.
    pub fn bytes(&self) -> u64 {
        self.permit.num_permits() as u64 * GRAIN
    }

    /// Releases what exceeds `bytes`.
    pub fn shrink(&mut self, bytes: u64) {
        let spare = self.permit.num_permits().saturating_sub(grains(bytes) as usize);
        drop(self.permit.split(spare));
    }
}

fn grains(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(GRAIN)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_comes_back() {
        let share = Share::new(10 * GRAIN);
        let mut first = share.try_reserve(6 * GRAIN).unwrap();
        assert!(share.try_reserve(5 * GRAIN).is_none());
        first.merge(share.try_reserve(4 * GRAIN).unwrap());
        assert!(share.try_reserve(1).is_none());
        first.shrink(2 * GRAIN + 1);
        assert_eq!(share.reserved(), 3 * GRAIN);
        drop(first);
        assert_eq!(share.reserved(), 0);
    }

    #[test]
    fn what_streams_read_ahead_is_the_syncs() {
        let (door, sync) = shares(1000 * GRAIN, |most| {
            assert_eq!(most, 250 * GRAIN);
            100 * GRAIN
        });
        assert!(door.try_reserve(500 * GRAIN).is_some());
        assert!(sync.try_reserve(401 * GRAIN).is_none() && sync.try_reserve(400 * GRAIN).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_gets_what_others_give_back() {
        let share = Share::new(10 * GRAIN);
        let held = share.try_reserve(8 * GRAIN).unwrap();
        let waiting = tokio::spawn({
            let share = share.clone();
            async move { share.reserve(5 * GRAIN).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(held);
        drop(waiting.await.unwrap());
        assert_eq!(share.reserved(), 0);
        drop(share.reserve(1 << 40).await);
    }
}
