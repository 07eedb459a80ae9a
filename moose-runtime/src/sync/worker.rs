//! The worker of one partition and one destination.
//!
//! Two ranges may be written down at once: the one on its way and the next. In steady state one write of the cursor
//! says "done up to here, the next is pending". INSERTs of a partition stay in order: the next one is sent ahead but
//! for its last byte.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    task::{JoinHandle, JoinSet},
    time::MissedTickBehavior,
};

use super::{
    Assignment, Ended, Prepared, Shared,
    backoff::Backoff,
    beginning::ready,
    courier::{Courier, Delivered},
    lag,
    progress::{self, note, pass},
    reader::Reader,
    recovery::settle_pending,
};
use crate::{
    drain::OnItsWay,
    telemetry::{Component, Reason},
};

/// Maximum number of ranges that are written down and not confirmed.
const PENDING: usize = 2;
/// A worker that has run this long counts as started.
const GOOD_RUN: Duration = Duration::from_secs(30);

/// A running worker.
#[derive(Debug)]
pub struct Worker {
    task: JoinHandle<()>,
}

impl Worker {
    /// Starts the worker. It ends by itself some time after the process was told to stop, with its cursor committed.
    pub fn spawn(shared: Shared, assignment: Assignment) -> Self {
        Self { task: tokio::spawn(keep_running(shared, assignment)) }
    }

    /// Waits for the worker's end. What is pending then is settled at the next start.
    pub async fn ended(&mut self) {
        if !self.task.is_finished() {
            // An aborted task has no result.
            let _ = (&mut self.task).await;
        }
    }

    /// Aborts the worker. A range on its way stays pending and is settled at the next start.
    pub fn abort(&self) {
        self.task.abort();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.abort();
    }
}

/// Runs the worker to its end. A worker that panics is restarted, as after a crash of the process: a bug in one of them
/// must not silently stop delivery to a table.
async fn keep_running(shared: Shared, assignment: Assignment) {
    let component = Component::Worker(assignment.delivery());
    let mut backoff = Backoff::default();
    loop {
        // A set, so that the run is aborted together with this future.
        let mut running = JoinSet::new();
        running.spawn(run(shared.clone(), assignment.clone()));
        let ended = tokio::select! {
            ended = running.join_next() => ended,
            () = tokio::time::sleep(GOOD_RUN) => {
                shared.health.recovered(&component);
                backoff = Backoff::default();
                running.join_next().await
            }
        };
        match ended {
            None | Some(Ok(Ended::Done)) => return,
            Some(Ok(Ended::Outdated)) => {}
            Some(Err(error)) => {
                tracing::error!(part = component.to_string(), %error, "this is a bug; the worker is started anew");
                let text = format!("this is a bug; the worker is started anew: {error}");
                shared.health.failed(&component, Reason::Bug, text);
            }
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.next(false)) => {}
            () = shared.stop.wait() => return,
        }
    }
}

async fn run(shared: Shared, assignment: Assignment) -> Ended {
    let lease = assignment.lease.begun_anew();
    let assignment = Assignment { lease: lease.clone(), ..assignment };
    tokio::select! {
        // Checked before another commit can begin.
        biased;
        () = lease.outdated() => Ended::Outdated,
        ended = work(shared, assignment) => ended,
    }
}

async fn work(shared: Shared, assignment: Assignment) -> Ended {
    let beginning = async {
        let courier = ready(&shared, &assignment).await?;
        settle_pending(&courier).await.then_some(courier)
    };
    let begun = tokio::select! {
        begun = beginning => begun,
        () = lag::keep_measuring(&shared, &assignment) => None,
    };
    let Some(courier) = begun else { return Ended::Done };
    let (trials, mending) = tokio::join!(courier.drop_trial_tables(), courier.drop_mending_tables());
    for (what, error) in [("trial tables", trials.err()), ("mending tables", mending.err())] {
        if let Some(error) = error {
            tracing::warn!(table = assignment.table.name, %error, "failed to drop {what}; the next start tries again");
        }
    }
    let position = courier.cursor.get().await.next;
    let (sender, ranges) = mpsc::channel(1);
    let reader = Reader::new(shared, courier.assignment.clone(), position, courier.size());
    // Ranges on their way when the reader finds another topic are still delivered.
    let (read, ()) = tokio::join!(reader.run(sender), Steady::new(courier).run(ranges));
    read
}

/// The steady state: ranges arrive, are written down, sent and passed.
struct Steady {
    courier: Arc<Courier>,
    /// Ranges that are written down, in order; the first one is on its way.
    queue: VecDeque<(Arc<Prepared>, OnItsWay)>,
    /// A closed range that is not written down while the table is drained.
    waiting: Option<Prepared>,
    /// The range for which it is decided whether it is sent ahead.
    ahead: Option<u64>,
}

impl Steady {
    fn new(courier: Arc<Courier>) -> Self {
        Self { courier, queue: VecDeque::new(), waiting: None, ahead: None }
    }

    async fn run(mut self, mut ranges: mpsc::Receiver<Prepared>) {
        // A task of its own, because a delivery may hold the cursor's lock; the set ends it together with the worker.
        let mut on_its_way: JoinSet<Option<Delivered>> = JoinSet::new();
        let mut more = true;
        let mut in_doubt = false;
        let mut ticks = tokio::time::interval(lag::EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let Shared { drains, stop, .. } = self.courier.shared.clone();
        let table = self.courier.assignment.table.name.clone();
        while more || self.waiting.is_some() || !on_its_way.is_empty() {
            let room = self.queue.len() < PENDING;
            tokio::select! {
                Some(ended) = on_its_way.join_next() => match ended {
                    Ok(Some(delivered)) => {
                        in_doubt = false;
                        self.arrived(delivered, &mut ranges, &mut on_its_way).await;
                    }
                    Ok(None) => return,
                    Err(error) => {
                        tracing::error!(part = self.courier.assignment.delivery().to_string(), %error, "delivery broke off; it will be settled");
                        in_doubt = true;
                    }
                },
                range = ranges.recv(), if more && room && self.waiting.is_none() => match range {
                    Some(range) => self.waiting = Some(range),
                    None => more = false,
                },
                () = drains.opened(&table), if room && self.waiting.is_some() => {}
                () = stop.wait(), if self.waiting.is_some() && drains.is_drained(&table) => {
                    // It is not written down: the next start reads it again.
                    (self.waiting, more) = (None, false);
                    ranges.close();
                }
                _ = ticks.tick() => self.measure_lag().await,
            }
            if let Some((range, written)) = self.next_to_write(None) {
                let pending = self.courier.pending(&range);
                self.courier.cursor.update(|cursor| cursor.pending.push(pending)).await;
                self.queue.push_back((range, written));
            }
            if on_its_way.is_empty() {
                self.send_first(in_doubt, &mut on_its_way);
            }
            if let Some((next, _)) = self.queue.get(1).filter(|(next, _)| self.ahead != Some(next.first)) {
                self.ahead = self.courier.send_ahead(next).then_some(next.first);
            }
        }
    }

    /// Sends the first range that is written down.
    fn send_first(&self, in_doubt: bool, on_its_way: &mut JoinSet<Option<Delivered>>) {
        if let Some((range, _)) = self.queue.front() {
            let (courier, range) = (Arc::clone(&self.courier), Arc::clone(range));
            on_its_way.spawn(async move { courier.deliver(range, in_doubt).await });
        }
    }

    /// The range to write down next, if there is one, a slot is free and the table is not drained.
    fn next_to_write(&mut self, ranges: Option<&mut mpsc::Receiver<Prepared>>) -> Option<(Arc<Prepared>, OnItsWay)> {
        if self.queue.len() >= PENDING {
            return None;
        }
        if self.waiting.is_none() {
            self.waiting = ranges.and_then(|ranges| ranges.try_recv().ok());
        }
        self.waiting.as_ref()?;
        let written = self.courier.shared.drains.begin(&self.courier.assignment.table.name)?;
        Some((Arc::new(self.waiting.take()?), written))
    }

    /// The first range is in the table: commits that. The next one, written down before, is already on its way; a
    /// further one that is waiting is written down in the same commit.
    async fn arrived(
        &mut self,
        delivered: Delivered,
        ranges: &mut mpsc::Receiver<Prepared>,
        on_its_way: &mut JoinSet<Option<Delivered>>,
    ) {
        let Some((range, _done)) = self.queue.pop_front() else { return };
        self.send_first(false, on_its_way);
        let next = self.next_to_write(Some(ranges));
        let written = next.as_ref().map(|(next, _)| self.courier.pending(next));
        self.courier
            .cursor
            .update(|cursor| {
                pass(cursor, range.first, range.last, delivered);
                cursor.pending.extend(written);
            })
            .await;
        self.queue.extend(next);
        let oldest = self.queue.front().map(|(range, _)| range.oldest);
        note(&self.courier, delivered, oldest).await;
    }

    async fn measure_lag(&self) {
        let oldest = self.queue.front().map(|(range, _)| range.oldest);
        progress::measure_lag(&self.courier, oldest).await;
    }
}
