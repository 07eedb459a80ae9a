//! After a start: the ranges that an earlier process had written down are brought to their end before anything else.
//!
//! Each start counts as an attempt at them, unless the process is stopped in order. What has ended the process three
//! times may be what ends it: it is shown, and tried again only every minute, while the other tables go on.

use std::{sync::Arc, time::Duration};

use super::{
    Prepared, SyncError,
    backoff::Backoff,
    courier::{Courier, Said},
    worker::{note, pass},
};
use crate::stream::Pending;

/// So many attempts that ended the process are no chance.
const CRASHES: u32 = 3;
/// How long such a range rests before the next attempt.
const REST: Duration = Duration::from_mins(1);

/// Settles the ranges that an earlier process had written down. False when the process stops before that is done.
pub(super) async fn settle_pending(courier: &Courier) -> bool {
    let found = courier.cursor.get().await.pending;
    if found.is_empty() {
        return true;
    }
    change_attempts(courier, |attempts| attempts.saturating_add(1)).await;
    let table = &courier.assignment.table.name;
    let mut on_their_way: Vec<_> = found.iter().map(|_| courier.shared.drains.go_on(table)).collect();
    for range in found {
        if settle(courier, &range).await.is_none() {
            change_attempts(courier, |attempts| attempts.saturating_sub(1)).await;
            return false;
        }
        on_their_way.pop();
    }
    true
}

async fn change_attempts(courier: &Courier, change: impl Fn(u32) -> u32) {
    let change_all = |cursor: &mut crate::stream::Cursor| {
        for pending in &mut cursor.pending {
            pending.attempts = change(pending.attempts);
        }
    };
    courier.cursor.update(change_all).await;
}

/// `None` when the process stops before.
async fn settle(courier: &Courier, range: &Pending) -> Option<()> {
    if range.attempts >= CRASHES {
        let (table, topic) = (courier.assignment.table.name.clone(), courier.assignment.topic.clone());
        let Pending { first, last, attempts, .. } = *range;
        let error = SyncError::Crashes { table, topic, partition: courier.assignment.partition, first, last, attempts };
        held(courier, range, &error);
        courier.shared.stop.unless_signalled(tokio::time::sleep(REST)).await?;
    }
    let prepared = prepare(courier, range).await?;
    let delivered = courier.deliver(Arc::new(prepared), true).await?;
    courier.cursor.update(|cursor| pass(cursor, range.first, range.last, delivered)).await;
    note(courier, delivered, None).await;
    Some(())
}

/// The range as it was, however often it must be tried.
async fn prepare(courier: &Courier, range: &Pending) -> Option<Prepared> {
    let mut backoff = Backoff::default();
    let mut said = Said::default();
    loop {
        let error = match courier.prepare_again(range.first, range.last).await {
            Ok(prepared) => return Some(prepared),
            Err(error) => error,
        };
        if said.is_news(&error) {
            held(courier, range, &error);
        } else {
            courier.shared.failed(&courier.assignment.part(), &error);
        }
        if error.is_return() {
            backoff = Backoff::default();
        }
        courier.shared.stop.unless_signalled(tokio::time::sleep(backoff.next(error.is_unreachable()))).await?;
    }
}

fn held(courier: &Courier, range: &Pending, error: &SyncError) {
    let part = courier.assignment.part();
    tracing::error!(part, first = range.first, last = range.last, %error, "held; nothing of the stream is lost");
    courier.shared.failed(&part, error);
}
