//! The trial: finds the rows of a range that ClickHouse refuses, without touching the table.
//!
//! A refused INSERT may have stored rows in other table partitions, so the table itself is never tried again with half
//! of a range. The rows that it lacks are bisected into a table of their own, created like it, without views and
//! without tokens. A row that is refused there alone, twice, becomes a dead letter, durable before anything else
//! happens; the range without these rows is then settled under its token as usual. Between the two refusals, and after
//! the second, a control row that was accepted before must be accepted again: a temporary cause that refuses everything
//! refuses it too. If the answers for a row change, the row is not at fault, and the trial is aborted.
//!
//! A trial that accepts every row has found nothing about rows, and one that refuses every row shows a fault of the
//! table: the range is held. Only a range of few rows may be refused completely, as single wrong records are at low
//! traffic, if the same table accepts rows of earlier ranges.
//!
//! With `k` refused rows among `n` a trial takes at most `k * (2 * ceil(log2(n / k)) + 3) + 1` INSERTs (36 for one row
//! of 100,000, 17,001 for a thousand), at most [`SAMPLES`] before them and as many and one of control rows, and six
//! statements more. It is aborted at [`MOST_INSERTS`].

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{
    Prepared, SyncError,
    bisection::Bisection,
    cause::TrialFinding,
    courier::Courier,
    failure::{Verdict, verdict},
    settings::Settings,
};
use crate::{
    clickhouse::{ClickHouseError, TableState},
    fault::{self, Point},
    schema::{quote_identifier, quote_string},
    stream::Record,
};

/// A trial that needs more INSERTs than this is about the table rather than about rows.
const MOST_INSERTS: usize = 32_768;
/// Number of single rows from all over the range that are tried first: if all of them are refused, the rest need not be
/// tried. Also the number of rows tried for a control row.
const SAMPLES: usize = 16;
/// Settings of the trial's table: its data need not last, and it may get many small parts.
const TABLE_SETTINGS: &str = "fsync_after_insert = 0, fsync_part_directory = 0, parts_to_delay_insert = 1000000, \
                              parts_to_throw_insert = 1000000, max_parts_in_total = 1000000";

#[derive(serde::Deserialize)]
struct Keys(String, String, String);

impl Courier {
    /// Finds the rows that ClickHouse refuses, makes dead letters of them, and returns the range without them.
    pub(super) async fn trial(&self, range: &Prepared) -> Result<Prepared, SyncError> {
        let state = self.target.checked(&self.cursor).await?;
        let settings = self.target.settings().await?;
        let asked = self.can_probe(&state);
        let all: BTreeSet<u64> = range.offsets.iter().copied().collect();
        let tried = if asked { self.missing(&settings, range, &all).await? } else { all.clone() };
        let (records, stored): (Vec<_>, Vec<_>) = self
            .read_again(range.first, range.last)
            .await?
            .into_iter()
            .filter(|record| all.contains(&record.offset))
            .partition(|record| tried.contains(&record.offset));

        let table = format!("{}{}", self.trial_prefix(), range.first);
        fault::point(Point::TrialBefore);
        self.make_trial_table(&table, &state).await?;
        fault::point(Point::TrialMade);
        let found = Trial { courier: self, range, table: &table, settings: settings.without_tokens() };
        let refused = found.refused(&records, &stored).await;
        fault::point(Point::TrialDrop);
        // A table left behind is dropped at the next start.
        let dropped = self.drop_table(&table).await;
        let mut refused = refused?;
        dropped?;
        if asked {
            // An INSERT that was given up long ago may have finished meanwhile.
            let offsets = refused.iter().map(|(record, _)| record.offset).collect();
            let missing = self.missing(&settings, range, &offsets).await?;
            refused.retain(|(record, _)| missing.contains(&record.offset));
        }
        tracing::warn!(table, tried = records.len(), refused = refused.len(), "rows of a refused range were tried");
        let letters: Vec<_> =
            refused.iter().map(|(record, answer)| self.assignment.refused_row(record, answer, !asked)).collect();
        self.shared.bury(&letters).await?;
        self.prepare_again(range.first, range.last).await
    }

    /// Drops the tables of trials that an earlier process has left behind.
    pub(super) async fn drop_trial_tables(&self) -> Result<(), SyncError> {
        let client = &self.shared.client;
        let names: Vec<(String,)> = client
            .query_rows(&format!(
                "SELECT name FROM system.tables WHERE database = {} AND startsWith(name, {})",
                quote_string(client.database()),
                quote_string(&self.trial_prefix())
            ))
            .await?;
        for (name,) in names {
            self.drop_table(&name).await?;
        }
        Ok(())
    }

    fn trial_prefix(&self) -> String {
        let assignment = &self.assignment;
        format!("{}__trial_{:016x}_{}_", assignment.table.name, assignment.storage.epoch, assignment.partition)
    }

    async fn drop_table(&self, table: &str) -> Result<(), SyncError> {
        Ok(self.shared.client.execute(&format!("DROP TABLE IF EXISTS {} SYNC", quote_identifier(table))).await?)
    }

    /// Creates a plain `MergeTree` with the columns, the constraints and the keys of the table.
    async fn make_trial_table(&self, name: &str, state: &TableState) -> Result<(), SyncError> {
        self.drop_table(name).await?;
        let client = &self.shared.client;
        let table = &self.assignment.table.name;
        let engine = if state.engine == "MergeTree" { String::new() } else { self.plain_engine(table).await? };
        let (trial, table) = (quote_identifier(name), quote_identifier(table));
        client.execute(&format!("CREATE TABLE {trial} AS {table}{engine}")).await?;
        client.execute(&format!("ALTER TABLE {trial} MODIFY SETTING {TABLE_SETTINGS}")).await?;
        Ok(())
    }

    async fn plain_engine(&self, table: &str) -> Result<String, SyncError> {
        let client = &self.shared.client;
        let keys: Vec<Keys> = client
            .query_rows(&format!(
                "SELECT partition_key, primary_key, sorting_key FROM system.tables WHERE database = {} AND name = {}",
                quote_string(client.database()),
                quote_string(table)
            ))
            .await?;
        let Some(Keys(partition, primary, sorting)) = keys.into_iter().next() else {
            let (table, database) = (table.to_owned(), client.database().to_owned());
            return Err(SyncError::NoTable { table, database });
        };
        let clause = |words: &str, key: &str| if key.is_empty() { String::new() } else { format!(" {words} ({key})") };
        let sorting = if sorting.is_empty() { " ORDER BY tuple()".to_owned() } else { clause("ORDER BY", &sorting) };
        let (partition, primary) = (clause("PARTITION BY", &partition), clause("PRIMARY KEY", &primary));
        Ok(format!(" ENGINE = MergeTree{partition}{primary}{sorting}"))
    }
}

/// A running trial.
struct Trial<'a> {
    courier: &'a Courier,
    range: &'a Prepared,
    table: &'a str,
    settings: Settings,
}

impl Trial<'_> {
    /// The refused rows with ClickHouse's errors, at least one and not all of the range. `stored`: rows of the range
    /// that the table has.
    async fn refused<'a>(
        &self,
        records: &'a [Record],
        stored: &[Record],
    ) -> Result<Vec<(&'a Record, ClickHouseError)>, SyncError> {
        if stored.is_empty() && records.len() > 4 * SAMPLES {
            self.sample(records).await?;
        }
        let mut bisection = Bisection::new(records.len());
        let (mut refused, mut taken) = (Vec::new(), None);
        let mut inserts = 0;
        let mut answer = None;
        while let Some(places) = bisection.question() {
            inserts += 1;
            let rows = records.get(places).unwrap_or_default();
            let refusal = self.refusal(rows).await?;
            fault::point(Point::TrialTried);
            if refusal.is_none() {
                taken = rows.first();
            }
            if bisection.answer(refusal.is_none())
                && let (Some(record), Some(answer)) = (rows.first(), &refusal)
            {
                refused.push((record, answer.clone()));
            }
            answer = refusal.or(answer);
            if inserts >= MOST_INSERTS {
                return Err(self.held(TrialFinding::TooMany, answer));
            }
        }
        if refused.is_empty() {
            return Err(self.held(TrialFinding::TookAll, None));
        }
        let unsteady = |answer| self.held(TrialFinding::Unsteady, answer);
        let control = if let Some(record) = taken {
            self.first_taken(std::slice::from_ref(record)).await?.ok_or_else(|| unsteady(answer.clone()))?
        } else {
            let of_range = self.first_taken(stored).await?;
            let few = records.len() + stored.len() <= SAMPLES;
            let control =
                if of_range.is_none() && few { self.first_taken(&self.earlier().await?).await? } else { of_range };
            control.ok_or_else(|| self.held(TrialFinding::RefusedAll, answer.clone()))?
        };
        for (record, answer) in &refused {
            if self.refusal(std::slice::from_ref(*record)).await?.is_none() {
                return Err(unsteady(Some(answer.clone())));
            }
        }
        match self.refusal_of(control).await? {
            Some(answer) => Err(unsteady(Some(answer))),
            None => Ok(refused),
        }
    }

    /// Records just before the range that are rows of the table.
    async fn earlier(&self) -> Result<Vec<Record>, SyncError> {
        let (courier, first) = (self.courier, self.range.first);
        let (topic, partition) = (&courier.assignment.topic, courier.assignment.partition);
        let start = courier.shared.backend.bounds(topic, partition).await?.start;
        let from = first.saturating_sub(SAMPLES as u64).max(start);
        if from >= first {
            return Ok(Vec::new());
        }
        let key = courier.assignment.letter_key(from);
        let letters = courier.shared.backend.dead_letter_offsets(&key, first - 1).await?;
        let mut records = courier.read_again(from, first - 1).await?;
        records.retain(|record| !letters.contains_key(&record.offset));
        Ok(records)
    }

    /// The block of the last of these rows that is accepted: it shows that the table does not refuse everything.
    async fn first_taken(&self, records: &[Record]) -> Result<Option<Bytes>, SyncError> {
        for record in records.iter().rev().take(SAMPLES) {
            // A record that an earlier build has stored may not fit this one's type.
            let closed = self.courier.encode(vec![record.clone()], BTreeSet::new()).await?;
            let Some(row) = closed.map(|closed| closed.range).filter(|range| range.rows() == 1) else { continue };
            if self.refusal_of(row.body.clone()).await?.is_none() {
                return Ok(Some(row.body));
            }
        }
        Ok(None)
    }

    /// Fails if every one of a few rows is refused.
    async fn sample(&self, records: &[Record]) -> Result<(), SyncError> {
        let mut answer = None;
        for record in records.iter().step_by(records.len().div_ceil(SAMPLES)) {
            match self.refusal(std::slice::from_ref(record)).await? {
                Some(refusal) => answer = Some(refusal),
                None => return Ok(()),
            }
        }
        Err(self.held(TrialFinding::RefusedAll, answer))
    }

    /// The error with which ClickHouse refuses these rows, if it does. Anything but a definite answer aborts the trial.
    async fn refusal(&self, records: &[Record]) -> Result<Option<ClickHouseError>, SyncError> {
        if self.courier.shared.stop.is_signalled() {
            return Err(SyncError::Stopping);
        }
        let Some(closed) = self.courier.encode(records.to_vec(), BTreeSet::new()).await? else { return Ok(None) };
        self.refusal_of(closed.range.body).await
    }

    async fn refusal_of(&self, body: Bytes) -> Result<Option<ClickHouseError>, SyncError> {
        match self.courier.send(self.table, None, body, &self.settings).await {
            Ok(_took) => Ok(None),
            Err(SyncError::Insert(answer)) => {
                let error = SyncError::Insert(answer.clone());
                if verdict(&error) == Verdict::Trial { Ok(Some(answer)) } else { Err(error) }
            }
            Err(error) => Err(error),
        }
    }

    fn held(&self, finding: TrialFinding, answer: Option<ClickHouseError>) -> SyncError {
        SyncError::Trial {
            table: self.courier.assignment.table.name.clone(),
            first: self.range.first,
            last: self.range.last,
            finding,
            code: answer.as_ref().and_then(ClickHouseError::code),
            answer: answer.map(|answer| format!(": {answer}")).unwrap_or_default(),
        }
    }
}
