//! Brings one range into the table, however often it must be tried.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    Assignment, Prepared, Shared, SyncError,
    backoff::Backoff,
    cursor::CursorKeeper,
    encoder::RangeEncoder,
    failure::{Verdict, blames_the_encoder, verdict},
    now,
    settings::Settings,
    target::Target,
};
use crate::{
    clickhouse::insert::Insert,
    schema::provenance,
    stream::Record,
    telemetry::{RetryLabel, TableLabel},
};

/// An INSERT that has not been answered for this long is given up and settled.
const INSERT_TIMEOUT: Duration = Duration::from_mins(1);
/// How much of a range is read from the stream at once.
const READ_BYTES: usize = 4 << 20;
/// A failure that goes on is logged again after this long.
const SAY_AGAIN: Duration = Duration::from_secs(10);

/// Everything that delivering a range needs.
pub(super) struct Courier {
    pub(super) shared: Shared,
    pub(super) assignment: Assignment,
    pub(super) cursor: Arc<CursorKeeper>,
    pub(super) target: Target,
    columns: Vec<String>,
}

/// How a range came into the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delivered {
    /// Rows that the table had already when it was asked.
    pub(super) had: usize,
    /// From the first try to the confirmation.
    pub(super) took: Duration,
}

impl Courier {
    pub(super) fn new(shared: Shared, assignment: Assignment, cursor: Arc<CursorKeeper>) -> Self {
        let mut columns: Vec<String> = assignment.table.columns.iter().map(|column| column.name.clone()).collect();
        if assignment.table.provenance {
            columns.extend([provenance::EPOCH, provenance::PARTITION, provenance::OFFSET].map(str::to_owned));
        }
        let target = Target::new(shared.client.clone(), Arc::clone(&assignment.table));
        Self { shared, assignment, cursor, target, columns }
    }

    /// Returns when every row of the range is in the table; `None` when it failed once more while the process stops,
    /// which leaves the range pending. `in_doubt`: an earlier INSERT of it may have been sent.
    pub(super) async fn deliver(&self, range: &Prepared, mut in_doubt: bool) -> Option<Delivered> {
        let part = self.assignment.part();
        let started = Instant::now();
        let mut backoff = Backoff::default();
        let mut said: Option<Instant> = None;
        loop {
            match self.attempt(range, in_doubt).await {
                Ok(had) => {
                    if let Some(after) = self.shared.health.recovered(&part) {
                        tracing::info!(part, ?after, "works again");
                    }
                    return Some(Delivered { had, took: started.elapsed() });
                }
                Err(error) => {
                    in_doubt = true;
                    self.target.doubt().await;
                    let wait = backoff.next(error.is_unreachable());
                    if said.is_none_or(|at| at.elapsed() >= SAY_AGAIN) {
                        said = Some(Instant::now());
                        tell(&part, range, &error);
                    }
                    self.shared.health.failed(&part, error.code(), error.to_string());
                    let label =
                        RetryLabel { table: self.assignment.table.name.clone(), code: error.code().unwrap_or(0) };
                    self.shared.metrics.retries.get_or_create(&label).inc();
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = self.shared.stop.wait() => return None,
                    }
                }
            }
        }
    }

    /// One try. The answer is how many rows the table had already.
    async fn attempt(&self, range: &Prepared, in_doubt: bool) -> Result<usize, SyncError> {
        let state = self.target.checked(&self.cursor).await?;
        let settings = self.target.settings().await?;
        if in_doubt {
            return self.settle(range, &state, &settings).await;
        }
        let token = self.assignment.token(range.first, range.last);
        self.insert(&self.assignment.table.name, &token, range.body.clone(), &settings).await?;
        Ok(0)
    }

    /// One INSERT under one token.
    pub(super) async fn insert(
        &self,
        table: &str,
        token: &str,
        body: Bytes,
        settings: &Settings,
    ) -> Result<(), SyncError> {
        let insert = Insert {
            table,
            columns: &self.columns,
            settings: &settings.insert,
            token: settings.tokens.then_some(token),
            body,
            timeout: INSERT_TIMEOUT,
        };
        let started = Instant::now();
        self.shared.client.insert().send(&insert).await.map_err(SyncError::Insert)?;
        let label = TableLabel { table: self.assignment.table.name.clone() };
        self.shared.metrics.insert_duration.get_or_create(&label).observe(started.elapsed().as_secs_f64());
        Ok(())
    }

    /// Reads the offsets `first..=last` again, exactly as they were.
    pub(super) async fn read_again(&self, first: u64, last: u64) -> Result<Vec<Record>, SyncError> {
        let (topic, partition) = (&self.assignment.topic, self.assignment.partition);
        let mut records: Vec<Record> = Vec::new();
        let mut from = first;
        while from <= last {
            let read = self.shared.backend.read(topic, partition, from, READ_BYTES).await?;
            let Some(newest) = read.last() else { break };
            from = newest.offset.saturating_add(1);
            records.extend(read.into_iter().filter(|record| record.offset <= last));
        }
        Ok(records)
    }

    /// Encodes records; with `only`, those offsets of them.
    pub(super) async fn encode(
        &self,
        mut records: Vec<Record>,
        only: Option<BTreeSet<u64>>,
    ) -> Result<Option<Prepared>, SyncError> {
        if let Some(only) = only {
            records.retain(|record| only.contains(&record.offset));
        }
        let (topic, partition) = (self.assignment.topic.clone(), self.assignment.partition);
        let offset = records.first().map_or(0, |record| record.offset);
        let mut encoder = RangeEncoder::new(&self.assignment);
        let work = tokio::task::spawn_blocking(move || {
            let taken = encoder.push(&records, usize::MAX, usize::MAX);
            match taken.refused {
                Some(errors) => Err((records.get(taken.records).map_or(0, |record| record.offset), errors)),
                None => Ok(encoder.close()),
            }
        });
        match work.await {
            Ok(Ok(prepared)) => Ok(prepared),
            Ok(Err((offset, errors))) => Err(SyncError::Undecodable { topic, partition, offset, errors }),
            Err(_) => Err(SyncError::Panicked { topic, partition, offset }),
        }
    }

    /// A range that was written down earlier, as it was.
    pub(super) async fn prepare_again(&self, first: u64, last: u64) -> Result<Prepared, SyncError> {
        let records = self.read_again(first, last).await?;
        let nothing = Prepared { first, last, rows: 0, body: Bytes::new(), oldest: now() };
        let prepared = self.encode(records, None).await?.unwrap_or(nothing);
        Ok(Prepared { first, last, ..prepared })
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
