//! The courier: delivers one range into the table, with as many retries as it takes.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    Assignment, Prepared, Shared, SyncError,
    backoff::Backoff,
    cursor::CursorKeeper,
    identity::Horizon,
    lease::AskedAt,
    now,
    remembered::boot,
    reopen::calls_for_reopening,
    settings::Settings,
    size::{OutOfMemory, RangeSize},
    target::{Target, columns},
    tries::{Attempt, FailedAgain, Refusals, Said, tell},
};
use crate::{
    clickhouse::{Ahead, Patience, insert::Insert},
    fault::{self, Point},
    stream::Pending,
    telemetry::{Component, RetryLabel, TableLabel},
};

/// Everything needed to deliver a range.
pub(super) struct Courier {
    pub(super) shared: Shared,
    pub(super) assignment: Assignment,
    pub(super) cursor: Arc<CursorKeeper>,
    pub(super) target: Target,
    columns: Vec<String>,
    /// What the table had when the work on the partition began.
    horizon: Horizon,
    size: Arc<RangeSize>,
    patience: Patience,
    /// The INSERT of the next range that was sent ahead.
    pub(super) next: Next,
    /// When the table was last asked which rows it has.
    asked: Mutex<Option<AskedAt>>,
    /// How often the table had been drained when it was last checked.
    drained: AtomicU64,
    /// When the last INSERT was sent: one restart of the engine since then is enough.
    sent: Mutex<tokio::time::Instant>,
    /// The attempt at a range that an earlier process had written down.
    pub(super) attempt: Mutex<Attempt>,
    pub(super) failed_again: FailedAgain,
}

/// The INSERT that was sent ahead, if any.
#[derive(Debug, Default)]
pub(super) struct Next(Mutex<Option<Sent>>);

#[derive(Debug)]
pub(super) struct Sent {
    /// First offset of its range.
    pub(super) first: u64,
    /// The uuid of its table, whichever table has the name by then.
    pub(super) table: uuid::Uuid,
    pub(super) insert: Ahead,
}

impl Next {
    pub(super) fn put(&self, sent: Option<Sent>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = sent;
    }

    pub(super) fn take(&self) -> Option<Sent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The result of settling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Settled {
    /// Rows that the table had at first.
    pub(super) had: usize,
    /// The views behind the table may lack some of them.
    pub(super) views_in_doubt: bool,
}

/// How a range got into the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delivered {
    /// Rows of the range, without those that became dead letters on the way.
    pub(super) rows: usize,
    /// Rows that the table had already when it was asked.
    pub(super) had: usize,
    /// Views behind the table may lack some of those.
    pub(super) views_in_doubt: bool,
    /// Bytes of the block.
    pub(super) bytes: usize,
    /// From the first try to the confirmation.
    pub(super) took: Duration,
}

impl Courier {
    pub(super) fn new(
        shared: Shared,
        assignment: Assignment,
        cursor: Arc<CursorKeeper>,
        target: Target,
        horizon: Horizon,
    ) -> Self {
        let columns = columns(&assignment.table);
        let (size, patience) = (Arc::default(), Patience::default());
        let sent = Mutex::new(tokio::time::Instant::now());
        let drained = AtomicU64::new(shared.drains.ended(&assignment.table.name));
        let (next, asked, attempt) = (Next::default(), Mutex::default(), Mutex::default());
        Self {
            shared,
            assignment,
            cursor,
            target,
            columns,
            horizon,
            size,
            patience,
            next,
            asked,
            drained,
            sent,
            attempt,
            failed_again: FailedAgain::default(),
        }
    }

    pub(super) fn patience(&self) -> &Patience {
        &self.patience
    }

    pub(super) fn is_drained(&self) -> bool {
        self.shared.drains.is_drained(&self.assignment.table.name)
    }

    /// Records that the table is now asked which rows it has.
    pub(super) fn ask(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(AskedAt::now());
    }

    /// Fails if the table was asked too long ago: another process may have settled the range since.
    pub(super) fn still_fresh(&self) -> Result<(), SyncError> {
        let asked = *self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.is_some_and(AskedAt::is_fresh) {
            return Ok(());
        }
        Err(SyncError::Stale { table: self.assignment.table.name.clone() })
    }

    /// Whether the table may have rows of a range that this cursor has never sent, which is then in doubt from the
    /// start.
    pub(super) fn may_have(&self, first: u64) -> bool {
        self.horizon.reaches(&self.assignment.epochs, first)
    }

    /// A range in the form that is written down before its INSERT.
    pub(super) fn pending(&self, range: &Prepared) -> Pending {
        // If the boot can't be found out it is 0, which counts for nothing on the embedded engine.
        let boot = if self.may_have(range.first) { None } else { Some(boot().unwrap_or(0)) };
        Pending { boot, ..Pending::new(range.first, range.last, now()) }
    }

    /// The maximum size of ranges that are not written down yet.
    pub(super) fn size(&self) -> Arc<RangeSize> {
        Arc::clone(&self.size)
    }

    /// Returns when every row of the range is in the table, or a dead letter; `None` if it failed again while the
    /// process was stopping, which leaves the range pending. `in_doubt`: an earlier INSERT of it may have been sent.
    pub(super) async fn deliver(&self, mut range: Arc<Prepared>, mut in_doubt: bool) -> Option<Delivered> {
        let component = Component::Table(self.assignment.delivery());
        let part = component.to_string();
        let started = Instant::now();
        let mut backoff = Backoff::default();
        let mut refusals = Refusals::default();
        let mut said = Said::default();
        let mut out_of_memory = OutOfMemory::default();
        in_doubt |= self.may_have(range.first);
        loop {
            if in_doubt || self.is_drained() {
                self.take_back();
            }
            tokio::select! {
                biased;
                () = self.shared.drains.passable(&self.assignment.table.name) => {}
                () = self.shared.stop.wait() => return None,
            }
            self.attempt_again().await;
            let error = match self.attempt(&range, in_doubt).await {
                Ok(Settled { had, views_in_doubt }) => {
                    if let Some(after) = self.shared.health.recovered(&component) {
                        tracing::info!(part, ?after, "works again");
                    }
                    return Some(Delivered {
                        rows: range.rows(),
                        had,
                        views_in_doubt,
                        bytes: range.body.len(),
                        took: started.elapsed(),
                    });
                }
                Err(error) => error,
            };
            in_doubt = true;
            self.take_back();
            self.survived().await;
            self.target.doubt().await;
            let error = if refusals.call_for_a_trial(&error) {
                self.attempt_again().await;
                let tried = self.trial(&range).await;
                self.survived().await;
                match tried {
                    Ok(rest) => {
                        range = Arc::new(rest);
                        continue;
                    }
                    Err(error) => refusals.rest(error),
                }
            } else {
                error
            };
            if out_of_memory.lasts(&error) {
                self.size.halve();
                tracing::warn!(part, "ClickHouse lacks the memory for this range; later ones will be half as large");
            }
            if error.is_return() {
                backoff = Backoff::default();
            }
            let wait = backoff.next(error.is_unreachable());
            if said.is_news(&error) {
                tell(&part, &range, &error);
            }
            self.shared.failed(&component, &error);
            let (table, code) = (self.assignment.table.name.clone(), error.code().unwrap_or(0));
            let label = RetryLabel { table, code, reason: error.reason() };
            self.shared.metrics.insert_retries.get_or_create(&label).inc();
            tokio::select! {
                () = self.pause(wait, &error) => {}
                () = self.shared.stop.wait() => return None,
            }
        }
    }

    /// Waits between a failure and the retry.
    async fn pause(&self, wait: Duration, error: &SyncError) {
        if let Some(database) = self.shared.reopen.as_deref().filter(|_| calls_for_reopening(error)) {
            let sent = *self.sent.lock().unwrap_or_else(PoisonError::into_inner);
            database.reopen(sent).await;
        }
        tokio::time::sleep(wait).await;
    }

    /// One try. Returns what the table had already.
    async fn attempt(&self, range: &Prepared, in_doubt: bool) -> Result<Settled, SyncError> {
        let drained = self.shared.drains.ended(&self.assignment.table.name);
        if self.drained.swap(drained, Ordering::AcqRel) != drained {
            self.take_back();
            self.target.doubt().await;
        }
        let state = self.target.checked(&self.cursor).await?;
        let settings = self.target.settings().await?;
        if in_doubt {
            return self.settle(range, &state, &settings).await;
        }
        if range.rows() == 0 || self.send_end(range, &state).await? {
            return Ok(Settled::default());
        }
        let token = self.assignment.token(range.first, range.last);
        self.insert(&self.assignment.table.name, &token, range.body.clone(), &settings).await?;
        Ok(Settled::default())
    }

    /// One INSERT under one token.
    pub(super) async fn insert(
        &self,
        table: &str,
        token: &str,
        body: Bytes,
        settings: &Settings,
    ) -> Result<(), SyncError> {
        fault::point(Point::InsertBefore);
        let took = self.send(table, Some(token), body, settings).await?;
        self.answered(took);
        Ok(())
    }

    /// Records that an INSERT into the table was confirmed.
    pub(super) fn answered(&self, took: Duration) {
        fault::point(Point::InsertAnswered);
        let label = TableLabel { table: self.assignment.table.name.clone() };
        self.shared.metrics.insert_seconds.get_or_create(&label).observe(took.as_secs_f64());
    }

    /// Sends one INSERT. Returns how long it took.
    pub(super) async fn send(
        &self,
        table: &str,
        token: Option<&str>,
        body: Bytes,
        settings: &Settings,
    ) -> Result<Duration, SyncError> {
        let started = self.begin_to_send()?;
        let insert = self.insert_of(table, token, body, settings);
        self.shared.client.insert().send(&insert, &self.patience).await.map_err(SyncError::Insert)?;
        Ok(started.elapsed())
    }

    /// Records when an INSERT, or the last byte of one, is sent; an error if that is not allowed.
    pub(super) fn begin_to_send(&self) -> Result<Instant, SyncError> {
        if !self.assignment.lease.is_held() {
            let (topic, partition) = (self.assignment.topic.clone(), self.assignment.partition);
            return Err(SyncError::Revoked { topic, partition });
        }
        *self.sent.lock().unwrap_or_else(PoisonError::into_inner) = tokio::time::Instant::now();
        Ok(Instant::now())
    }

    pub(super) fn insert_of<'a>(
        &'a self,
        table: &'a str,
        token: Option<&'a str>,
        body: Bytes,
        settings: &'a Settings,
    ) -> Insert<'a> {
        settings.insert_into(table, &self.columns, token, body)
    }
}
