//! Brings one range into the table, however often it must be tried.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    Assignment, Prepared, Shared, SyncError,
    ahead::Next,
    backoff::Backoff,
    cursor::CursorKeeper,
    encoder::{Closed, RangeEncoder},
    failure::{Verdict, blames_the_encoder, verdict},
    group,
    identity::Horizon,
    lease::AskedAt,
    now,
    recovery::Attempt,
    remembered::boot,
    reopen::calls_for_reopening,
    settings::Settings,
    settle::{FailedAgain, Settled},
    size::{OutOfMemory, RangeSize},
    target::{Target, columns},
};
use crate::{
    clickhouse::{Patience, insert::Insert},
    fault::{self, Point},
    stream::{Pending, Record},
    telemetry::{Component, RetryLabel, TableLabel},
};

/// A definite answer counts once it was given so often in a row.
const GIVEN: u32 = 2;
/// A trial that found no single rows at fault is repeated only after this long: it may have been many statements.
const TRIAL_AGAIN: Duration = Duration::from_mins(1);
/// How long a range that is read again waits for memory.
const WAIT_FOR_ROOM: Duration = Duration::from_secs(1);
/// A failure that goes on is logged again after this long.
const SAY_AGAIN: Duration = Duration::from_secs(10);

/// Everything that delivering a range needs.
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
    /// What of the next range was sent ahead.
    pub(super) next: Next,
    /// When the table was asked last what it has.
    asked: Mutex<Option<AskedAt>>,
    /// How often the table had been drained when it was looked at.
    drained: AtomicU64,
    /// When an INSERT was sent last: one opening of the database since then is enough.
    sent: Mutex<tokio::time::Instant>,
    /// The attempt at a range that an earlier process had written down.
    pub(super) attempt: Mutex<Attempt>,
    pub(super) failed_again: FailedAgain,
}

/// What was logged last of a failure that is tried again and again.
#[derive(Debug, Default)]
pub(super) struct Said(Option<(String, Instant)>);

impl Said {
    /// Whether to log this: it is another text than the last, or that was a while ago.
    pub(super) fn is_news(&mut self, error: &SyncError) -> bool {
        let text = error.to_string();
        let news = self.0.as_ref().is_none_or(|(last, at)| *last != text || at.elapsed() >= SAY_AGAIN);
        if news {
            self.0 = Some((text, Instant::now()));
        }
        news
    }
}

/// How a range came into the table.
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

    /// Notes that the table is asked what it has.
    pub(super) fn ask(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(AskedAt::now());
    }

    /// Fails when the table was asked too long ago: somebody else may have settled the range since.
    pub(super) fn still_fresh(&self) -> Result<(), SyncError> {
        let asked = *self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.is_some_and(AskedAt::is_fresh) {
            return Ok(());
        }
        Err(SyncError::Stale { table: self.assignment.table.name.clone() })
    }

    /// Whether the table may have something of a range that this cursor has never sent: it is in doubt from the beginning.
    pub(super) fn may_have(&self, first: u64) -> bool {
        self.horizon.reaches(&self.assignment.epochs, first)
    }

    /// A range as it is written down before its INSERT.
    pub(super) fn pending(&self, range: &Prepared) -> Pending {
        // Where that can't be found out it is 0, which counts for nothing on the embedded engine.
        let boot = if self.may_have(range.first) { None } else { Some(boot().unwrap_or(0)) };
        Pending { boot, ..Pending::new(range.first, range.last, now()) }
    }

    /// How large the ranges may be that are not written down yet.
    pub(super) fn size(&self) -> Arc<RangeSize> {
        Arc::clone(&self.size)
    }

    /// Returns when every row of the range is in the table, or a dead letter; `None` when it failed once more while the
    /// process stops, which leaves the range pending. `in_doubt`: an earlier INSERT of it may have been sent.
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

    /// Between a failed try and the next.
    async fn pause(&self, wait: Duration, error: &SyncError) {
        if let Some(database) = self.shared.reopen.as_deref().filter(|_| calls_for_reopening(error)) {
            let sent = *self.sent.lock().unwrap_or_else(PoisonError::into_inner);
            database.reopen(sent).await;
        }
        tokio::time::sleep(wait).await;
    }

    /// One try. The answer is what the table had already.
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

    /// An INSERT of the table was confirmed.
    pub(super) fn answered(&self, took: Duration) {
        fault::point(Point::InsertAnswered);
        let label = TableLabel { table: self.assignment.table.name.clone() };
        self.shared.metrics.insert_seconds.get_or_create(&label).observe(took.as_secs_f64());
    }

    /// One INSERT. The answer is how long it took.
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

    /// Notes that an INSERT begins, or the end of one is sent, and when; an error when it may not.
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

    /// Reads the offsets `first..=last` again, exactly as they were.
    pub(super) async fn read_again(&self, first: u64, last: u64) -> Result<Vec<Record>, SyncError> {
        let (topic, partition) = (&self.assignment.topic, self.assignment.partition);
        let backend = &self.shared.backend;
        let records = backend.read_range(topic, partition, first, last).await;
        if backend.capabilities().topics_can_be_recreated {
            // The offsets of a topic that was made anew are given to other records.
            let group = group(&self.shared.app_name, &self.assignment.table.name);
            if backend.epoch(&group, topic, partition).await? != self.assignment.storage.epoch {
                self.assignment.lease.outdate();
                return Err(SyncError::MadeAnew { topic: topic.clone(), partition });
            }
        }
        Ok(records?)
    }

    /// Encodes records, without some of them.
    pub(super) async fn encode(
        &self,
        records: Vec<Record>,
        without: BTreeSet<u64>,
    ) -> Result<Option<Closed>, SyncError> {
        let offset = records.first().map_or(0, |record| record.offset);
        let mut encoder = RangeEncoder::new(&self.assignment);
        let work = tokio::task::spawn_blocking(move || {
            encoder.push(&records, &without, usize::MAX, usize::MAX);
            encoder.close()
        });
        let (topic, partition) = (self.assignment.topic.clone(), self.assignment.partition);
        work.await.map_err(|_panic| SyncError::Panicked { topic, partition, offset })
    }

    /// A range that was written down earlier, as it was: its records without their dead letters. Records that this build
    /// refuses and an earlier one did not become dead letters too, marked as maybe stored; not those that the table has.
    pub(super) async fn prepare_again(&self, first: u64, last: u64) -> Result<Prepared, SyncError> {
        // How large it is is not known before. Who holds the memory may wait for a table that is gone, so not for ever.
        let size = self.shared.config.max_bytes.as_u64().saturating_mul(2);
        let room = tokio::time::timeout(WAIT_FOR_ROOM, self.shared.memory.reserve(size)).await;
        let records = self.read_again(first, last).await?;
        let letters = self.shared.backend.dead_letter_offsets(&self.assignment.letter_key(first), last).await?;
        let nothing = Prepared { first, last, offsets: Arc::default(), body: Bytes::new(), oldest: now(), room: None };
        let Some(Closed { range, refused }) = self.encode(records, letters.into_keys().collect()).await? else {
            return Ok(nothing);
        };
        let range = Prepared { first, last, ..range };
        drop(room);
        if !refused.is_empty() {
            let offsets: BTreeSet<u64> = refused.iter().map(|refused| refused.record.offset).collect();
            let state = self.target.checked(&self.cursor).await?;
            let settings = self.target.settings().await?;
            let lacks = if self.can_probe(&state) { self.missing(&settings, &range, &offsets).await? } else { offsets };
            let letters: Vec<_> = refused
                .into_iter()
                .filter(|refused| lacks.contains(&refused.record.offset))
                .map(|refused| self.assignment.misfit(refused, true))
                .collect();
            self.shared.bury(&letters).await?;
        }
        Ok(range)
    }
}

/// How often a definite answer was given in a row, and when rows were tried last.
#[derive(Debug, Default)]
struct Refusals {
    code: Option<u32>,
    count: u32,
    rests_until: Option<Instant>,
}

impl Refusals {
    /// Whether this failure, after those before, asks for a trial of the rows.
    fn call_for_a_trial(&mut self, error: &SyncError) -> bool {
        let code = if verdict(error) == Verdict::Trial { error.code() } else { None };
        self.count = if code.is_some() && code == self.code { self.count.saturating_add(1) } else { 1 };
        self.code = code;
        code.is_some() && self.count >= GIVEN && self.rests_until.is_none_or(|until| Instant::now() >= until)
    }

    /// A trial has ended with this error: the next one is not to follow at once, unless it was only the server that went
    /// away meanwhile.
    fn rest(&mut self, error: SyncError) -> SyncError {
        let passes = verdict(&error) == Verdict::Retry;
        let rest = if passes || !matches!(error, SyncError::Trial { .. }) { SAY_AGAIN } else { TRIAL_AGAIN };
        self.rests_until = (!error.is_unreachable()).then(|| Instant::now() + rest);
        error
    }
}

/// Says that a try has failed.
fn tell(part: &str, range: &Prepared, error: &SyncError) {
    let (first, last) = (range.first, range.last);
    if blames_the_encoder(error) {
        tracing::error!(part, first, last, %error, "ClickHouse can't read what was sent: a mistake of this program, please report it; the range is held");
    } else if verdict(error) == Verdict::Retry {
        tracing::warn!(part, first, last, %error, "not delivered yet; will be tried again");
    } else {
        tracing::warn!(part, first, last, %error, "refused; held until it is taken");
    }
}
