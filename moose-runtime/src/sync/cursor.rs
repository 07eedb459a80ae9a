//! The cursor of one worker: changed in memory only after the change was committed.

use std::sync::Arc;

use tokio::sync::{Mutex, RwLockReadGuard};

use super::{Assignment, Lease, Shared, SyncError, backoff::Backoff, identity::fresh_id};
use crate::{
    fault::{self, Point},
    stream::{Backend, Counted, Cursor, StreamError},
    telemetry::{Component, Reason},
};

/// How many times writing a cursor that goes back is tried.
const GO_BACK_TRIES: usize = 20;

/// Keeps one cursor durable.
pub(super) struct CursorKeeper {
    shared: Shared,
    backend: Arc<dyn Backend>,
    group: String,
    topic: String,
    partition: u16,
    epoch: u64,
    lease: Lease,
    cursor: Mutex<Cursor>,
    component: Component,
}

impl CursorKeeper {
    /// Reads the cursor, or creates it at the start of the partition. Fails if it can't belong to the topic as it is.
    pub(super) async fn open(shared: &Shared, assignment: &Assignment) -> Result<Self, SyncError> {
        let (topic, partition, epoch) = (assignment.topic.as_str(), assignment.partition, assignment.storage.epoch);
        let group = super::group(&shared.app_name, &assignment.table.name);
        let backend = Arc::clone(&shared.backend);
        let bounds = backend.bounds(topic, partition).await?;
        let cursor = if let Some(mut cursor) = backend.cursor(&group, topic, partition).await? {
            // Committed with the next change; until then there is nothing to count.
            cursor.counted.get_or_insert(Counted::since(cursor.next));
            cursor.id.get_or_insert_with(|| Cursor::id_of_names(&group, topic));
            cursor
        } else {
            let next = bounds.start;
            let cursor =
                Cursor { id: Some(fresh_id()), counted: Some(Counted::since(next)), ..Cursor::new(epoch, next) };
            let held = assignment.lease.hold().await;
            let _held = held.ok_or_else(|| SyncError::Revoked { topic: topic.to_owned(), partition })?;
            backend.commit(&group, topic, partition, &cursor).await?;
            cursor
        };
        if cursor.epoch != epoch {
            return Err(SyncError::ForeignCursor {
                group,
                topic: topic.to_owned(),
                partition,
                known: cursor.epoch,
                found: epoch,
            });
        }
        let needed_end = cursor.pending.last().map_or(cursor.next, |pending| pending.last.saturating_add(1));
        if cursor.next < bounds.start || needed_end > bounds.end {
            let wanted = if cursor.next < bounds.start { cursor.next } else { needed_end };
            let (start, end) = (bounds.start, bounds.end);
            return Err(SyncError::OutOfRange { group, topic: topic.to_owned(), partition, wanted, start, end });
        }
        let (shared, topic, lease) = (shared.clone(), topic.to_owned(), assignment.lease.clone());
        let component = Component::Cursor { group: group.clone(), delivery: assignment.delivery() };
        Ok(Self { shared, backend, group, topic, partition, epoch, lease, cursor: Mutex::new(cursor), component })
    }

    /// The cursor as it was last written down.
    pub(super) async fn get(&self) -> Cursor {
        self.cursor.lock().await.clone()
    }

    /// Changes the cursor and commits it; returns when that is durable, with retries for as long as it takes. Once the
    /// partition was revoked, or created again, it never returns: the worker that waits here is being ended.
    pub(super) async fn update(&self, change: impl FnOnce(&mut Cursor)) {
        let mut cursor = self.cursor.lock().await;
        let mut changed = cursor.clone();
        change(&mut changed);
        let mut backoff = Backoff::default();
        pass(&cursor, &changed, Point::PendingBefore, Point::CursorBefore);
        while let Err(error) = self.write_down(&changed).await {
            tracing::error!(part = self.component.to_string(), %error, "failed to write the cursor; will be tried again");
            self.shared.health.failed(&self.component, Reason::Stream, error.to_string());
            if self.is_outdated(&cursor).await {
                self.shared.health.recovered(&self.component);
                self.lease.outdate();
            }
            tokio::time::sleep(backoff.next(false)).await;
        }
        pass(&cursor, &changed, Point::PendingAfter, Point::CursorAfter);
        self.shared.health.recovered(&self.component);
        *cursor = changed;
    }

    /// One last change while the partition is being given up, under a hold acquired before that. One try: what can't be
    /// committed now is left to the next owner.
    pub(super) async fn update_last(&self, _held: RwLockReadGuard<'_, ()>, change: impl FnOnce(&mut Cursor)) {
        let mut cursor = self.cursor.lock().await.clone();
        change(&mut cursor);
        if let Err(error) = self.backend.commit(&self.group, &self.topic, self.partition, &cursor).await {
            tracing::debug!(part = self.component.to_string(), %error, "failed to write the cursor a last time");
        }
    }

    /// Goes back to an offset that was confirmed earlier, and ends the work on the partition, which restarts from
    /// there: the rows after it may be in another table that had the name for a while. If they are in this one, the
    /// probe will say so.
    pub(super) async fn go_back(&self, next: u64) {
        // Locked until it is over, so that no other change is committed on top of it.
        let mut cursor = self.cursor.lock().await;
        let Some(_held) = self.lease.hold().await else { return };
        let Ok(bounds) = self.backend.bounds(&self.topic, self.partition).await else { return };
        let next = next.max(bounds.start);
        if cursor.next <= next {
            return;
        }
        let counted = Some(Counted::since(next));
        let changed = Cursor { next, pending: Vec::new(), counted, ..cursor.clone() };
        tracing::warn!(
            group = self.group,
            topic = self.topic,
            partition = self.partition,
            from = cursor.next,
            to = next,
            "another table has the name: what was confirmed since the right one was seen is looked for again"
        );
        self.lease.outdate();
        let mut backoff = Backoff::default();
        for _ in 0..GO_BACK_TRIES {
            match self.backend.commit(&self.group, &self.topic, self.partition, &changed).await {
                Ok(()) => {
                    *cursor = changed;
                    return;
                }
                Err(error) => {
                    tracing::error!(part = self.component.to_string(), %error, "failed to go back");
                }
            }
            tokio::time::sleep(backoff.next(false)).await;
        }
    }

    /// Whether the partition is no longer what it was when this was opened; logged with what the table may lack of it.
    async fn is_outdated(&self, cursor: &Cursor) -> bool {
        let Self { backend, group, topic, partition, .. } = self;
        // A failed request says nothing.
        let outdated = backend.epoch(group, topic, *partition).await.is_ok_and(|epoch| epoch != self.epoch);
        if outdated {
            tracing::warn!(
                group,
                topic,
                partition,
                next = cursor.next,
                pending = cursor.pending.len(),
                "the partition is another one than before: what is on its way is left, and it is looked at anew"
            );
        }
        outdated
    }

    async fn write_down(&self, cursor: &Cursor) -> Result<(), StreamError> {
        // Held until the response: nothing is committed for a partition that is being given up.
        let Some(held) = self.lease.hold_on().await else { return std::future::pending().await };
        let (backend, group, topic) = (Arc::clone(&self.backend), self.group.clone(), self.topic.clone());
        let (partition, cursor) = (self.partition, cursor.clone());
        // A task of its own: a commit on its way goes on when the worker is ended, and so must the hold.
        let commit = tokio::spawn(async move {
            let answer = backend.commit(&group, &topic, partition, &cursor).await;
            drop(held);
            answer
        });
        commit.await.unwrap_or_else(|ended| {
            let action = format!("write the cursor of `{}`", self.group);
            Err(StreamError::Storage { action, source: ended.into() })
        })
    }
}

/// Passes the fault points of a change: one if it adds a range, one if it goes past one.
fn pass(cursor: &Cursor, changed: &Cursor, adds: Point, passes: Point) {
    if changed.pending.iter().any(|range| cursor.pending.iter().all(|known| known.first != range.first)) {
        fault::point(adds);
    }
    if changed.next > cursor.next {
        fault::point(passes);
    }
}
