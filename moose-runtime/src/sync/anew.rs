//! Handles a cursor that no longer fits its partition: the partition is held, so that nothing is skipped or read twice,
//! until the operator has said where to resume.
//!
//! Brokers keep cursors and records apart: they delete the offsets of a group, and their retention passes a cursor as
//! if there were none.

use super::{Assignment, ResumeFrom, Shared, SyncError, cause::Misfit, identity::fresh_id, known::Known};
use crate::stream::{Bounds, Counted, Cursor, Pending};

/// The operator's answer about held partitions: where to resume.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    /// The answer given at this start.
    pub(super) given: Option<ResumeFrom>,
    /// An answer was given at an earlier start and has been used for this partition. Reset by a start without one.
    pub(super) used_up: bool,
}

impl Answer {
    /// The answer given at this start, and whether it still counts for the partition. A start without an answer resets
    /// it, so that the next one counts again.
    pub(super) async fn of_this_start(
        shared: &Shared,
        assignment: &Assignment,
        group: &str,
    ) -> Result<Self, SyncError> {
        let Assignment { topic, partition, lease, .. } = assignment;
        let cursor = shared.backend.cursor(group, topic, *partition).await?;
        let used_up = cursor.as_ref().is_some_and(|cursor| cursor.answered);
        if let Some(cursor) = cursor.filter(|_| used_up && shared.resume.is_none()) {
            let revoked = || SyncError::Revoked { topic: topic.clone(), partition: *partition };
            let _held = lease.hold().await.ok_or_else(revoked)?;
            let cursor = Cursor { answered: false, ..cursor };
            shared.backend.commit(group, topic, *partition, &cursor).await?;
        }
        Ok(Self { given: shared.resume, used_up })
    }

    /// Where to resume, or the hold if there is no answer.
    pub(super) fn or(self, hold: SyncError) -> Result<ResumeFrom, SyncError> {
        match self {
            Self { given: None, .. } => Err(hold),
            Self { given: Some(resume), used_up: false } => Ok(resume),
            Self { given: Some(_), used_up: true } => Err(SyncError::UsedUp { hold: hold.into() }),
        }
    }
}

/// Fails if the cursor of a group that has read the partition before (`begun`) is gone, or names offsets that the
/// partition does not have. If the operator has said where to resume, the cursor is reset instead.
pub(super) async fn begin_anew_if_told(
    shared: &Shared,
    assignment: &mut Assignment,
    group: &str,
    begun: bool,
    answer: Answer,
) -> Result<(), SyncError> {
    let (topic, partition) = (assignment.topic.clone(), assignment.partition);
    let moved = shared.backend.moved(group, &topic, partition).await?;
    let is_moved = moved.is_some();
    let cursor = match moved {
        Some(cursor) => Some(cursor),
        None => shared.backend.cursor(group, &topic, partition).await?,
    };
    let Bounds { start, end } = shared.backend.bounds(&topic, partition).await?;
    let group = group.to_owned();
    let names = || Cursor::id_of_names(&group, &topic);
    let id = cursor.as_ref().map(|cursor| cursor.id.clone().unwrap_or_else(names));
    let (error, pending) = match cursor {
        None if begun => {
            (SyncError::LostCursor { group: group.clone(), topic: topic.clone(), partition, start, end }, Vec::new())
        }
        None => return Ok(()),
        Some(cursor) => {
            let Some(misfit) = misfit(&cursor, start, end) else {
                return if is_moved {
                    take_up_if_told(shared, assignment, &group, cursor, Bounds { start, end }, answer).await
                } else {
                    Ok(())
                };
            };
            if matches!(misfit, Misfit::Ahead { .. }) {
                // The offsets past the end will be assigned again, to other records.
                assignment.storage.epoch = rand::random_range(0..u64::MAX);
            } else {
                assignment.storage.epoch = cursor.epoch;
            }
            let error =
                SyncError::Truncated { group: group.clone(), topic: topic.clone(), partition, start, end, misfit };
            (error, cut(cursor.pending, start, end))
        }
    };
    let text = error.to_string();
    let (next, pending) = match answer.or(error)? {
        // The rest of a pending range may be in the table: it is settled before anything else.
        ResumeFrom::Earliest => (start, pending),
        ResumeFrom::Next => (end, Vec::new()),
    };
    tracing::warn!(error = text, next, "going on as told");
    let (id, counted) = (id.or_else(|| Some(fresh_id())), Some(Counted::since(next)));
    let cursor = Cursor { id, answered: true, pending, counted, ..Cursor::new(assignment.storage.epoch, next) };
    take_over(shared, assignment, &group, &cursor).await
}

/// Fails if the topic has another id than the one that the cursor was written for, while its offsets fit: it may have
/// been moved, or created again. If the operator says that it was moved, its offsets are still the same records; so the
/// cursor keeps its epoch, and what is pending is settled as usual.
async fn take_up_if_told(
    shared: &Shared,
    assignment: &mut Assignment,
    group: &str,
    cursor: Cursor,
    bounds: Bounds,
    answer: Answer,
) -> Result<(), SyncError> {
    let Bounds { start, end } = bounds;
    let (topic, partition, next) = (assignment.topic.clone(), assignment.partition, cursor.next);
    let error = SyncError::AnotherTopic { group: group.to_owned(), topic, partition, next, start, end };
    let text = error.to_string();
    let cursor = match answer.or(error)? {
        ResumeFrom::Next => Cursor { answered: true, ..cursor },
        ResumeFrom::Earliest => Cursor {
            answered: true,
            epoch: assignment.storage.epoch,
            table_uuid: None,
            next: start,
            pending: Vec::new(),
            counted: Some(Counted::since(start)),
            ..cursor
        },
    };
    tracing::warn!(error = text, next = cursor.next, "going on as told");
    assignment.storage.epoch = cursor.epoch;
    take_over(shared, assignment, group, &cursor).await
}

async fn take_over(shared: &Shared, assignment: &Assignment, group: &str, cursor: &Cursor) -> Result<(), SyncError> {
    let Assignment { topic, partition, lease, .. } = assignment;
    let revoked = || SyncError::Revoked { topic: topic.clone(), partition: *partition };
    let _held = lease.hold().await.ok_or_else(revoked)?;
    Ok(shared.backend.take_over(group, topic, *partition, cursor).await?)
}

/// After a rename of the table or the application: continues at the cursor under the former name, if that names the
/// same table by its uuid. Does nothing once the new name has a cursor of its own.
pub(super) async fn inherit(
    shared: &Shared,
    assignment: &Assignment,
    group: &str,
    known: &Known<'_>,
) -> Result<(), SyncError> {
    let Assignment { topic, partition, table, lease, .. } = assignment;
    if shared.backend.cursor(group, topic, *partition).await?.is_some() {
        return Ok(());
    }
    let of_renamed_table = table.renamed_from.as_ref().map(|former| super::group(&shared.app_name, former));
    let adopted = if shared.backend.capabilities().lists_readers { None } else { known.adopts().await? };
    let Some(former) = adopted.or(of_renamed_table) else { return Ok(()) };
    let Some(mut cursor) = shared.backend.cursor(&former, topic, *partition).await? else { return Ok(()) };
    let revoked = || SyncError::Revoked { topic: topic.clone(), partition: *partition };
    let _held = lease.hold().await.ok_or_else(revoked)?;
    tracing::info!(topic, partition, former, next = cursor.next, "goes on where the former name was");
    // Where the storage knows its readers: the former name has no reader any more, and no records are kept for it.
    let moved = shared.backend.forget_reader(topic, &former, Some(group)).await?;
    if moved || shared.backend.cursor(group, topic, *partition).await?.is_some() {
        return Ok(());
    }
    cursor.id.get_or_insert_with(|| Cursor::id_of_names(&former, topic));
    shared.backend.commit(group, topic, *partition, &cursor).await?;
    // From now on the former name has no reader; a worker that gets another partition continues at its cursor there.
    known.take_place_of(&former).await
}

fn misfit(cursor: &Cursor, start: u64, end: u64) -> Option<Misfit> {
    if cursor.next < start {
        return Some(Misfit::Behind { next: cursor.next, start });
    }
    let needed = cursor.pending.last().map_or(cursor.next, |pending| pending.last.saturating_add(1));
    (needed > end).then_some(Misfit::Ahead { needed })
}

/// What is left of pending ranges whose first records are gone; nothing if the partition ends before them.
fn cut(pending: Vec<Pending>, start: u64, end: u64) -> Vec<Pending> {
    if pending.iter().any(|range| range.last >= end) {
        return Vec::new();
    }
    let left = pending.into_iter().filter(|range| range.last >= start);
    let of_it = |range: Pending| {
        // A range of its own then, but its rows were sent under the token of the whole one.
        if range.first < start { Pending { first: start, boot: None, ..range } } else { range }
    };
    left.map(of_it).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u64, last: u64) -> Pending {
        Pending { attempts: 1, ..Pending::new(first, last, 0) }
    }

    fn cursor(next: u64, pending: Vec<Pending>) -> Cursor {
        Cursor { pending, ..Cursor::new(1, next) }
    }

    #[test]
    fn a_cursor_fits_while_every_offset_that_it_needs_is_there() {
        assert_eq!(misfit(&cursor(3, vec![range(3, 9)]), 3, 10), None);
        assert_eq!(misfit(&cursor(3, vec![range(3, 9)]), 4, 10), Some(Misfit::Behind { next: 3, start: 4 }));
        assert_eq!(misfit(&cursor(3, vec![range(3, 9)]), 0, 9), Some(Misfit::Ahead { needed: 10 }));
        assert_eq!(misfit(&cursor(5, Vec::new()), 0, 4), Some(Misfit::Ahead { needed: 5 }));
    }

    #[test]
    fn of_pending_ranges_that_is_kept_which_is_still_there() {
        assert_eq!(cut(vec![range(3, 5), range(6, 9)], 7, 10), [range(7, 9)]);
        assert_eq!(cut(vec![range(3, 5), range(6, 9)], 4, 10), [range(4, 5), range(6, 9)]);
        assert_eq!(cut(vec![range(3, 5), range(6, 9)], 4, 8), []);
    }
}
