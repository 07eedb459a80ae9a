//! Settling a range in doubt: the table is asked what it has, and only the rest is inserted.
//!
//! The token protects against an old INSERT that still runs; the hidden columns protect against a token that was taken
//! without its rows, which a plain MergeTree does when it is killed between writing the token and renaming the part.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;

use super::{Prepared, SyncError, courier::Courier, now, probe, settings::Settings};
use crate::{
    clickhouse::TableState,
    fault::{self, Point},
};

/// Replicated tables forget a token by its age: after a week, as we make them and as the check at the start wants it. A
/// day is kept for clocks that differ.
const REMEMBERED: Duration = Duration::from_hours(24 * 6);

fn is_forgotten(state: &TableState, age: Duration) -> bool {
    state.is_replicated() && age > REMEMBERED
}

impl Courier {
    /// One try to bring the range to its end. The answer is how many rows the table had at first.
    pub(super) async fn settle(
        &self,
        range: &Prepared,
        state: &TableState,
        settings: &Settings,
    ) -> Result<usize, SyncError> {
        if range.rows() == 0 {
            return Ok(0);
        }
        let table = self.assignment.table.name.as_str();
        let token = self.assignment.token(range.first, range.last);
        if !self.can_probe(state) {
            // Nobody can be asked: the token stands alone.
            self.insert(table, &token, range.body.clone(), settings).await?;
            return Ok(0);
        }
        let offsets: BTreeSet<u64> = range.offsets.iter().copied().collect();
        let mut missing = self.missing(settings, range, &offsets).await?;
        fault::point(Point::SettleProbed);
        let had = offsets.len() - missing.len();
        if !self.is_burnt(range).await {
            let whole = state.has_views && self.knows_the_token(range, state).await;
            if whole {
                // The views are fed after the table: rows that the table has may be missing there.
                self.still_fresh()?;
                self.insert(table, &token, range.body.clone(), settings).await?;
            } else if !missing.is_empty() {
                let rows = self.rows(range, &missing).await?;
                self.still_fresh()?;
                self.insert(table, &token, rows, settings).await?;
            }
            if whole || !missing.is_empty() {
                missing = self.missing(settings, range, &offsets).await?;
            }
            if missing.is_empty() {
                return Ok(had);
            }
            if state.is_replicated() {
                let (first, last, missing) = (range.first, range.last, missing.len());
                return Err(SyncError::ReplicatedShort { table: table.to_owned(), first, last, missing });
            }
            tracing::warn!(table, token, missing = missing.len(), "token taken without its rows; mending");
            self.write_down_burnt(range).await;
            fault::point(Point::SettleBurnt);
        }
        self.insert_again(range, state, settings, &offsets, missing).await?;
        Ok(had)
    }

    /// Whether the table still remembers the range's token, if it was ever given it. If not, what the table has must not
    /// be sent again, whatever its views lack.
    async fn knows_the_token(&self, range: &Prepared, state: &TableState) -> bool {
        if !self.target.may_know_tokens_from(range.first).await {
            let (table, first, last) = (&self.assignment.table.name, range.first, range.last);
            tracing::warn!(
                table,
                first,
                last,
                "the table took another's place while this range was on its way: it gets what it lacks, and its views may lack the rest"
            );
            return false;
        }
        let pending = self.cursor.get().await.pending;
        let since = pending.iter().find(|pending| pending.first == range.first).map_or_else(now, |found| found.since);
        let age = Duration::from_millis(u64::try_from(now().saturating_sub(since)).unwrap_or(0));
        let known = !is_forgotten(state, age);
        if !known {
            let (table, first, last) = (&self.assignment.table.name, range.first, range.last);
            tracing::warn!(
                table,
                first,
                last,
                ?age,
                "the table may have forgotten the token of this range: it gets what it lacks, and its views may lack the rest"
            );
        }
        known
    }

    /// Inserts what a burnt token lost, under tokens of its own. The next number is used only after the one before was
    /// answered and the table was asked: going on after an error could store rows twice.
    async fn insert_again(
        &self,
        range: &Prepared,
        state: &TableState,
        settings: &Settings,
        offsets: &BTreeSet<u64>,
        mut missing: BTreeSet<u64>,
    ) -> Result<(), SyncError> {
        let token = self.assignment.token(range.first, range.last);
        let mut number = 1_u32;
        while !missing.is_empty() {
            let body = self.rows(range, &missing).await?;
            self.still_fresh()?;
            if state.has_views {
                self.mend(range, number, &token, body, settings).await?;
            } else {
                let again = format!("{token}/again/{number}");
                fault::point(Point::AgainBefore);
                self.insert(&self.assignment.table.name, &again, body, settings).await?;
                fault::point(Point::AgainAfter);
            }
            number = number.saturating_add(1);
            missing = self.missing(settings, range, offsets).await?;
        }
        Ok(())
    }

    /// Whether the table can be asked which rows it has.
    pub(super) fn can_probe(&self, state: &TableState) -> bool {
        self.assignment.table.provenance && state.keeps_every_row()
    }

    /// The rows of these offsets that the table lacks.
    pub(super) async fn missing(
        &self,
        settings: &Settings,
        range: &Prepared,
        offsets: &BTreeSet<u64>,
    ) -> Result<BTreeSet<u64>, SyncError> {
        self.ask();
        probe::missing(&self.shared.client, settings, &self.assignment, range, offsets).await
    }

    async fn rows(&self, range: &Prepared, offsets: &BTreeSet<u64>) -> Result<Bytes, SyncError> {
        if range.rows() == offsets.len() {
            return Ok(range.body.clone());
        }
        let mut records = self.read_again(range.first, range.last).await?;
        records.retain(|record| offsets.contains(&record.offset));
        let closed = self.encode(records, BTreeSet::new()).await?;
        Ok(closed.map_or_else(Bytes::new, |closed| closed.range.body))
    }

    async fn is_burnt(&self, range: &Prepared) -> bool {
        self.cursor.get().await.pending.iter().any(|pending| pending.first == range.first && pending.burnt)
    }

    async fn write_down_burnt(&self, range: &Prepared) {
        self.cursor
            .update(|cursor| {
                for pending in cursor.pending.iter_mut().filter(|pending| pending.first == range.first) {
                    pending.burnt = true;
                }
            })
            .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_replicated_tables_forget_a_token_by_its_age() {
        let table = |engine: &str| TableState {
            uuid: uuid::Uuid::nil(),
            engine: engine.to_owned(),
            columns: Vec::new(),
            has_views: true,
        };
        let days = |days: u64| Duration::from_hours(24 * days);
        assert!(!is_forgotten(&table("ReplicatedMergeTree"), days(5)));
        assert!(is_forgotten(&table("ReplicatedMergeTree"), days(7)));
        assert!(!is_forgotten(&table("MergeTree"), days(100)), "these count parts");
    }
}
