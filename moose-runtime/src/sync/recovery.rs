//! Recovery after a start: the ranges that an earlier process had written down are finished before anything else.
//!
//! Each try is counted as an attempt, written down before it begins and removed unless it has ended the process: when
//! it fails, as in an outage, when the partition is revoked meanwhile, and when the process stops in order. A range at
//! which the process has ended three times may be the cause: it is reported, and retried only once a minute, while the
//! other tables go on.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use super::{
    Prepared, SyncError,
    backoff::Backoff,
    courier::{Courier, Delivered},
    progress::{note, pass},
    tries::{Attempt, Said},
};
use crate::{
    stream::{Cursor, Pending},
    telemetry::Component,
};

/// After as many attempts that ended the process, the range is taken to be the cause.
const CRASHES: u32 = 3;
/// The pause before the next attempt at such a range.
const REST: Duration = Duration::from_mins(1);

/// Settles the ranges that an earlier process had written down. False when the process stops before that is done.
pub(super) async fn settle_pending(courier: &Courier) -> bool {
    let found = courier.cursor.get().await.pending;
    let table = &courier.assignment.table.name;
    let mut on_their_way: Vec<_> = found.iter().map(|_| courier.shared.drains.go_on(table)).collect();
    for range in found {
        if settle(courier, &range).await.is_none() {
            return false;
        }
        on_their_way.pop();
    }
    true
}

/// Settles one range. `None` if the process stops before.
async fn settle(courier: &Courier, range: &Pending) -> Option<()> {
    if range.attempts >= CRASHES {
        let (table, topic) = (courier.assignment.table.name.clone(), courier.assignment.topic.clone());
        let Pending { first, last, attempts, .. } = *range;
        let error = SyncError::Crashes { table, topic, partition: courier.assignment.partition, first, last, attempts };
        held(courier, range, &error);
        courier.shared.stop.unless_signalled(tokio::time::sleep(REST)).await?;
    }
    courier.begin_attempt(range.first).await;
    let lease = &courier.assignment.lease;
    // Held all the time, so that the attempt can still be removed when the partition is revoked.
    let Some(lease_held) = lease.hold().await else { return std::future::pending().await };
    let delivered = tokio::select! {
        biased;
        over = lease.ending() => {
            match courier.end_attempt().filter(|_| over) {
                Some(first) => courier.cursor.update_last(lease_held, |cursor| take_back(cursor, first)).await,
                // Revoking the partition, or restarting the work on it, waits for this.
                None => drop(lease_held),
            }
            return std::future::pending().await;
        }
        delivered = deliver(courier, range) => delivered,
    };
    drop(lease_held);
    let Some(delivered) = delivered else {
        courier.survived().await;
        return None;
    };
    courier.end_attempt();
    courier.cursor.update(|cursor| pass(cursor, range.first, range.last, delivered)).await;
    note(courier, delivered, None).await;
    Some(())
}

async fn deliver(courier: &Courier, range: &Pending) -> Option<Delivered> {
    let prepared = prepare(courier, range).await?;
    courier.deliver(Arc::new(prepared), true).await
}

fn take_back(cursor: &mut Cursor, first: u64) {
    for pending in cursor.pending.iter_mut().filter(|pending| pending.first == first) {
        pending.attempts = pending.attempts.saturating_sub(1);
    }
}

impl Courier {
    /// Counts an attempt at a range that an earlier process had written down.
    async fn begin_attempt(&self, first: u64) {
        let count = |cursor: &mut Cursor| {
            for pending in cursor.pending.iter_mut().filter(|pending| pending.first == first) {
                pending.attempts = pending.attempts.saturating_add(1);
            }
        };
        self.cursor.update(count).await;
        self.set_attempt(Attempt::WrittenDown(first));
    }

    fn set_attempt(&self, now: Attempt) -> Attempt {
        std::mem::replace(&mut *self.attempt.lock().unwrap_or_else(PoisonError::into_inner), now)
    }

    /// Ends the recovery of the range. Returns the range of the attempt that is written down.
    fn end_attempt(&self) -> Option<u64> {
        match self.set_attempt(Attempt::None) {
            Attempt::WrittenDown(first) => Some(first),
            Attempt::None | Attempt::Survived(_) => None,
        }
    }

    /// Records that the attempt that is written down, if any, has failed without ending the process.
    pub(super) async fn survived(&self) {
        if let Some(first) = self.end_attempt() {
            self.cursor.update(|cursor| take_back(cursor, first)).await;
            self.set_attempt(Attempt::Survived(first));
        }
    }

    /// Counts another attempt: the retry after a failed one may end the process too.
    pub(super) async fn attempt_again(&self) {
        let survived = *self.attempt.lock().unwrap_or_else(PoisonError::into_inner);
        if let Attempt::Survived(first) = survived {
            self.begin_attempt(first).await;
        }
    }
}

/// Reads and encodes the range as it was, with as many retries as it takes.
async fn prepare(courier: &Courier, range: &Pending) -> Option<Prepared> {
    let mut backoff = Backoff::default();
    let mut said = Said::default();
    loop {
        courier.attempt_again().await;
        let error = match courier.prepare_again(range.first, range.last).await {
            Ok(prepared) => return Some(prepared),
            Err(error) => error,
        };
        courier.survived().await;
        if said.is_news(&error) {
            held(courier, range, &error);
        } else {
            courier.shared.failed(&Component::Table(courier.assignment.delivery()), &error);
        }
        if error.is_return() {
            backoff = Backoff::default();
        }
        courier.shared.stop.unless_signalled(tokio::time::sleep(backoff.next(error.is_unreachable()))).await?;
    }
}

fn held(courier: &Courier, range: &Pending, error: &SyncError) {
    let component = Component::Table(courier.assignment.delivery());
    tracing::error!(part = component.to_string(), first = range.first, last = range.last, %error, "held; nothing of the stream is lost");
    courier.shared.failed(&component, error);
}
