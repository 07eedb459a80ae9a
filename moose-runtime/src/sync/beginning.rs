//! The start of a worker: reads its cursor, checks that the table is the cursor's, and finds out what the table already
//! has.

use std::sync::Arc;

use super::{
    Assignment, ResumeFrom, Shared, SyncError,
    anew::{Answer, begin_anew_if_told, inherit},
    backoff::Backoff,
    courier::Courier,
    cursor::CursorKeeper,
    group,
    identity::{self, Horizon},
    known::{Known, Notes},
    settle::can_be_asked,
    target::Target,
    tries::Said,
};
use crate::{
    clickhouse::TableState,
    fault::{self, Point},
    stream::{Capabilities, Counted, Epochs},
    telemetry::Component,
};

/// Opens the cursor and checks the table, with retries for as long as it takes. `None` if the process stops before.
pub(super) async fn ready(shared: &Shared, assignment: &Assignment) -> Option<Arc<Courier>> {
    let component = Component::Table(assignment.delivery());
    let part = component.to_string();
    let mut backoff = Backoff::default();
    let mut said = Said::default();
    loop {
        let error = match open(shared, assignment).await {
            Ok(courier) => {
                shared.health.recovered(&component);
                return Some(Arc::new(courier));
            }
            Err(error) => error,
        };
        if said.is_news(&error) {
            tracing::warn!(part, %error, "can't begin; will be tried again");
        }
        shared.failed(&component, &error);
        if error.is_return() {
            backoff = Backoff::default();
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.next(error.is_unreachable())) => {}
            () = shared.stop.wait() => return None,
        }
    }
}

async fn open(shared: &Shared, assignment: &Assignment) -> Result<Courier, SyncError> {
    let mut assignment = assignment.clone();
    let (topic, partition) = (assignment.topic.clone(), assignment.partition);
    let (topic, group) = (topic.as_str(), group(&shared.app_name, &assignment.table.name));
    let backend = &shared.backend;
    let Capabilities { lists_readers, cursors_expire, .. } = backend.capabilities();
    // The topic may have been created again since the process started.
    assignment.storage.epoch = backend.topic(topic).await?.epoch;
    let notes = Notes { client: &shared.client, topic, epoch: assignment.storage.epoch };
    let known = Known { notes, group: &group, partition };
    let target = Target::new(shared.client.clone(), Arc::clone(&assignment.table));
    inherit(shared, &assignment, &group, &known).await?;
    let mut looked = None;
    if !lists_readers {
        // Done before a cursor exists: a group that has one of its own never continues at another's.
        let (state, _) = looked.insert(target.look_with_settings().await?);
        identity::alone(shared, &assignment, state.uuid).await?;
    }
    assignment.storage.epoch = backend.epoch(&group, topic, partition).await?;
    let answer = Answer::of_this_start(shared, &assignment, &group).await?;
    let is_noted = !cursors_expire || known.is_noted().await?;
    if cursors_expire {
        begin_anew_if_told(shared, &mut assignment, &group, is_noted, answer).await?;
    }
    let cursor = CursorKeeper::open(shared, &assignment).await?;
    let of_group = || Epochs::one(assignment.storage.epoch);
    assignment.epochs = backend.epochs(topic, partition)?.unwrap_or_else(of_group);
    if !is_noted {
        known.note().await?;
    }
    let (state, settings, cursor) = if let Some((state, settings)) = looked {
        (state, settings, cursor)
    } else {
        let (state, settings) = target.look_with_settings().await?;
        identity::alone(shared, &assignment, state.uuid).await?;
        // Another reader may have been adopted while the table was queried.
        (state, settings, CursorKeeper::open(shared, &assignment).await?)
    };
    assignment.id = cursor.get().await.id.unwrap_or_default();
    go_on_in(&target, &state, shared, &assignment, &cursor, answer).await?;
    let horizon = if can_be_asked(&assignment.table, &state) {
        Horizon::ask(shared, &assignment, &settings, cursor.get().await.next).await?
    } else {
        Horizon::default()
    };
    fault::point(Point::TableAsked);
    target.check(state, &cursor).await?;
    Ok(Courier::new(shared.clone(), assignment, Arc::new(cursor), target, horizon))
}

/// Continues in a table that is not the one that the cursor knows, where the operator has said how; and records that
/// the answer was used.
async fn go_on_in(
    target: &Target,
    state: &TableState,
    shared: &Shared,
    assignment: &Assignment,
    cursor: &CursorKeeper,
    answer: Answer,
) -> Result<(), SyncError> {
    let now = cursor.get().await;
    let replaced = match now.table_uuid.filter(|known| *known != state.uuid) {
        Some(known) if !target.is_successor(known, state).await? => Some(known),
        _ => None,
    };
    if let Some(known) = replaced {
        let table = assignment.table.name.clone();
        let resume = answer.or(SyncError::TableReplaced { table, found: state.uuid, known })?;
        tracing::warn!(
            table = assignment.table.name,
            partition = assignment.partition,
            ?resume,
            can_be_asked = can_be_asked(&assignment.table, state),
            "goes on in another table, as told: what it has already is not stored again where it can be asked"
        );
        let bounds = || shared.backend.bounds(&assignment.topic, assignment.partition);
        let mut start = bounds().await?.start;
        loop {
            cursor
                .update(|cursor| {
                    cursor.table_uuid = Some(state.uuid);
                    cursor.views_in_doubt.clear();
                    if resume == ResumeFrom::Earliest {
                        cursor.next = start;
                        cursor.pending.clear();
                    }
                    for pending in &mut cursor.pending {
                        // It is unknown under which token the new table got what it has.
                        pending.boot = None;
                    }
                    // The new table has none of what was counted for the old one.
                    cursor.counted = Some(Counted::since(cursor.next));
                })
                .await;
            // Retention may have deleted records until the cursor existed to hold them.
            let now = bounds().await?.start;
            if resume != ResumeFrom::Earliest || now == start {
                break;
            }
            start = now;
        }
    }
    if answer.given.is_some() && !now.answered {
        cursor.update(|cursor| cursor.answered = true).await;
    }
    Ok(())
}
