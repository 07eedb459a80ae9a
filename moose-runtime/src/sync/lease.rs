//! The lease of a partition: whether it is assigned to this process, as far as it knows.
//!
//! Brokers check who commits, not whose partition it is. So committing and giving up a partition exclude each other: a
//! commit holds the lease until it is answered, and a lease ends only when nobody holds it. No INSERT begins without it
//! either; one that is on its way may finish, since the next owner of the partition settles the same range under the
//! same token.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::{OwnedRwLockReadGuard, RwLock, RwLockReadGuard};

use crate::shutdown::Shutdown;

/// Missing rows are inserted within this time after the table was asked for them.
const FRESH: Duration = Duration::from_secs(10);

/// The lease of one partition, shared by everything that works on it.
#[derive(Clone, Debug, Default)]
pub struct Lease {
    commits: Arc<RwLock<()>>,
    over: Shutdown,
    /// The partition has changed since the work on it began.
    outdated: Shutdown,
}

impl Lease {
    /// A hold for a commit, kept until its response. `None` if the partition was revoked or has changed.
    pub(super) async fn hold(&self) -> Option<RwLockReadGuard<'_, ()>> {
        let held = self.commits.read().await;
        self.is_held().then_some(held)
    }

    /// The same for a commit that continues after its caller is gone: it owns its hold.
    pub(super) async fn hold_on(&self) -> Option<OwnedRwLockReadGuard<()>> {
        let held = Arc::clone(&self.commits).read_owned().await;
        self.is_held().then_some(held)
    }

    /// Whether it has not ended.
    pub(super) fn is_held(&self) -> bool {
        !self.over.is_signalled() && !self.outdated.is_signalled()
    }

    /// The same lease, for new work on the partition as it is now.
    pub(super) fn begun_anew(&self) -> Self {
        Self { outdated: Shutdown::new(), ..self.clone() }
    }

    /// Marks the partition as changed since the work on it began.
    pub(super) fn outdate(&self) {
        self.outdated.signal();
    }

    /// Resolves once the partition has changed and no commit is on its way any more.
    pub(super) async fn outdated(&self) {
        self.outdated.wait().await;
        drop(self.commits.write().await);
    }

    /// Resolves once the lease has ended or the partition has changed, though a commit may be on its way: true if it
    /// has ended.
    pub(super) async fn ending(&self) -> bool {
        tokio::select! {
            () = self.over.wait() => true,
            () = self.outdated.wait() => false,
        }
    }

    /// Ends it: returns once no commit is on its way.
    pub(super) async fn end(&self) {
        self.over.signal();
        drop(self.commits.write().await);
    }
}

/// When the table was asked which rows it has. Both clocks count: one may stop while the machine sleeps, the other may
/// be set back.
#[derive(Clone, Copy, Debug)]
pub(super) struct AskedAt(Instant, SystemTime);

impl AskedAt {
    pub(super) fn now() -> Self {
        Self(Instant::now(), SystemTime::now())
    }

    /// Whether the answer may still be used.
    pub(super) fn is_fresh(self) -> bool {
        self.0.elapsed() < FRESH && self.1.elapsed().is_ok_and(|elapsed| elapsed < FRESH)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn a_lease_ends_only_once_the_commits_under_way_are_answered() {
        let lease = Lease::default();
        let held = lease.hold().await.unwrap();
        let mut ending = Box::pin(lease.end());
        let waits = poll_fn(|context| std::task::Poll::Ready(ending.as_mut().poll(context).is_pending())).await;
        assert!(waits, "a commit is under way");
        assert!(!lease.is_held(), "none begins any more");
        drop(held);
        ending.await;
        assert!(lease.hold().await.is_none());
    }

    #[tokio::test]
    async fn what_is_outdated_is_not_committed_and_who_begins_anew_may() {
        let lease = Lease::default();
        let old = lease.begun_anew();
        let held = old.hold().await.unwrap();
        old.outdate();
        let mut outdated = Box::pin(old.outdated());
        let waits = poll_fn(|context| std::task::Poll::Ready(outdated.as_mut().poll(context).is_pending())).await;
        assert!(waits, "a commit is under way");
        drop(held);
        outdated.await;
        assert!(old.hold().await.is_none() && !old.is_held());
        let new = lease.begun_anew();
        assert!(new.hold().await.is_some());
        lease.end().await;
        assert!(new.hold().await.is_none() && !new.is_held());
    }

    #[test]
    fn an_answer_is_acted_on_for_ten_seconds_by_both_clocks() {
        assert!(AskedAt::now().is_fresh());
        let long_ago = Duration::from_secs(11);
        assert!(!AskedAt(Instant::now().checked_sub(long_ago).unwrap(), SystemTime::now()).is_fresh());
        assert!(!AskedAt(Instant::now(), SystemTime::now().checked_sub(long_ago).unwrap()).is_fresh());
        assert!(!AskedAt(Instant::now(), SystemTime::now() + long_ago).is_fresh(), "the clock was set back");
    }
}
