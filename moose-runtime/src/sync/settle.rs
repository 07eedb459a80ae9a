//! Settles a range in doubt: the table is asked which rows it has, and only the others are inserted.
//!
//! The token protects against an old INSERT that still runs; the provenance columns protect against a token that was
//! used without its rows, which happens to a plain MergeTree that is killed between writing the token and renaming the
//! part.
//!
//! The views behind a table are fed after it, so they may lack rows that it has. Sending the whole range again repairs
//! that, but only while the table drops it by its token: a table that has forgotten the token would store every row
//! twice. So it is done only where the table can be shown to remember it; elsewhere a message says what the views may
//! lack.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{
    Prepared, SyncError,
    cause::Hiding,
    courier::{Courier, Settled},
    probe, remembered,
    settings::Settings,
};
use crate::{
    clickhouse::{RowPolicy, TableState},
    fault::{self, Point},
    schema,
    stream::Pending,
    telemetry::ViewLabel,
};

/// Whether a table can be asked which rows it has.
pub(super) fn can_be_asked(table: &schema::Table, state: &TableState) -> bool {
    table.provenance && state.keeps_every_row()
}

/// How many INSERTs in a row may be confirmed and leave no rows, where nothing can hide them: each was interrupted at
/// the one moment at which a token is stored without its rows.
const MOST_AGAIN: u32 = 16;

impl Courier {
    /// One try to settle the range.
    pub(super) async fn settle(
        &self,
        range: &Prepared,
        state: &TableState,
        settings: &Settings,
    ) -> Result<Settled, SyncError> {
        if range.rows() == 0 {
            return Ok(Settled::default());
        }
        let table = self.assignment.table.name.as_str();
        let token = self.assignment.token(range.first, range.last);
        if !self.can_probe(state) {
            // The table can't be asked: the token is the only protection.
            self.insert(table, &token, range.body.clone(), settings).await?;
            return Ok(Settled::default());
        }
        let offsets: BTreeSet<u64> = range.offsets.iter().copied().collect();
        let mut missing = self.missing(settings, range, &offsets).await?;
        fault::point(Point::SettleProbed);
        let had = offsets.len() - missing.len();
        let views_in_doubt;
        let written = self.pending_of(range).await;
        if written.as_ref().is_some_and(|pending| pending.burnt) {
            // What was not sent again for the views before the token was found to be burnt is not sent now.
            views_in_doubt = state.has_views && had > 0 && written.is_some_and(|pending| pending.boot.is_none());
        } else {
            let whole = state.has_views && had > 0 && self.remembers(range, settings).await?;
            if whole {
                self.still_fresh()?;
                self.insert(table, &token, range.body.clone(), settings).await?;
            } else if !missing.is_empty() {
                let rows = self.rows(range, &missing).await?;
                self.still_fresh()?;
                self.insert(table, &token, rows, settings).await?;
            }
            views_in_doubt = state.has_views && had > 0 && !whole;
            if whole || !missing.is_empty() {
                missing = self.missing(settings, range, &offsets).await?;
            }
            if !missing.is_empty() {
                if state.is_replicated() {
                    let (first, last, missing) = (range.first, range.last, missing.len());
                    return Err(SyncError::ReplicatedShort { table: table.to_owned(), first, last, missing });
                }
                tracing::warn!(table, token, missing = missing.len(), "token taken without its rows; mending");
                self.write_down_burnt(range).await;
                fault::point(Point::SettleBurnt);
            }
        }
        if !missing.is_empty() {
            self.insert_again(range, state, settings, &offsets, missing).await?;
        }
        if views_in_doubt {
            self.say_what_views_may_lack(range).await?;
        }
        Ok(Settled { had, views_in_doubt })
    }

    /// Whether the table surely remembers the token of a range of which it has rows.
    async fn remembers(&self, range: &Prepared, settings: &Settings) -> Result<bool, SyncError> {
        // Written down after everything that the table had then: so its rows came under its token.
        let Some(Pending { boot: Some(boot), since, .. }) = self.pending_of(range).await else { return Ok(false) };
        if !self.target.may_know_tokens_from(range.first).await || !settings.tokens {
            return Ok(false);
        }
        // The embedded engine does not sync its tokens: after a power failure it may have rows without them.
        if self.shared.reopen.is_some() && remembered::boot() != Some(boot) {
            return Ok(false);
        }
        remembered::is_remembered(&self.shared.client, settings, &self.assignment, range, since).await
    }

    /// The range as it is written down.
    async fn pending_of(&self, range: &Prepared) -> Option<Pending> {
        self.cursor.get().await.pending.into_iter().find(|pending| pending.first == range.first)
    }

    /// Reports that the views behind the table may lack rows of the range: in the log and, by view, in the metrics. The
    /// cursor records the range.
    async fn say_what_views_may_lack(&self, range: &Prepared) -> Result<(), SyncError> {
        let (table, first, last) = (&self.assignment.table.name, range.first, range.last);
        let facts = self.shared.client.facts(table).await?;
        let views: Vec<String> = facts.into_iter().flat_map(|facts| facts.views).map(|view| view.view).collect();
        tracing::warn!(
            table,
            partition = self.assignment.partition,
            first,
            last,
            views = views.join(", "),
            "the table has these records, and can't be shown to remember that it was sent them: it is left as it is, and \
             its views may lack them; compare the views with the table, and fill them anew where they differ"
        );
        for view in views {
            self.shared.metrics.views_in_doubt.get_or_create(&ViewLabel { view }).inc_by(range.rows() as u64);
        }
        Ok(())
    }

    /// Inserts what a burnt token lost, under tokens of its own. The next number is used only after the INSERT before
    /// was answered and the table was asked: going on after an error could store rows twice.
    async fn insert_again(
        &self,
        range: &Prepared,
        state: &TableState,
        settings: &Settings,
        offsets: &BTreeSet<u64>,
        mut missing: BTreeSet<u64>,
    ) -> Result<(), SyncError> {
        let token = self.assignment.token(range.first, range.last);
        let (why, most) = self.hiding().await?;
        let facts = self.shared.client.facts(&self.assignment.table.name).await?;
        let by_a_table = state.has_views || facts.is_some_and(|facts| facts.has_ttl);
        let mut number = 1_u32;
        while !missing.is_empty() {
            if number > self.failed_again.of(range.first).saturating_add(most) {
                let (table, missing) = (self.assignment.table.name.clone(), missing.len());
                return Err(SyncError::NotShown { table, first: range.first, last: range.last, missing, why });
            }
            let body = self.rows(range, &missing).await?;
            self.still_fresh()?;
            let inserted = if by_a_table {
                self.mend(range, number, &token, body, settings).await
            } else {
                let again = format!("{token}/again/{number}");
                fault::point(Point::AgainBefore);
                self.insert(&self.assignment.table.name, &again, body, settings).await
            };
            if inserted.is_err() {
                self.failed_again.note(range.first, number);
            }
            inserted?;
            if !by_a_table {
                fault::point(Point::AgainAfter);
            }
            number = number.saturating_add(1);
            missing = self.missing(settings, range, offsets).await?;
        }
        Ok(())
    }

    /// What may hide rows that were confirmed, and how many times they are inserted again in that case: each time may
    /// store them once more.
    async fn hiding(&self) -> Result<(Hiding, u32), SyncError> {
        // The embedded engine has no row policies.
        if self.shared.reopen.is_some() {
            return Ok((Hiding::Nothing, MOST_AGAIN));
        }
        let Some(policies) = self.shared.client.row_policies(&self.assignment.table.name).await? else {
            return Ok((Hiding::Unseen, 1));
        };
        let (ours, others): (Vec<_>, Vec<_>) = policies.into_iter().partition(|policy| policy.is_ours);
        let names = |policies: Vec<RowPolicy>| policies.into_iter().map(|policy| policy.name).collect();
        Ok(if !ours.is_empty() {
            (Hiding::Policies { policies: names(ours) }, 0)
        } else if !others.is_empty() {
            (Hiding::PoliciesOfOthers { policies: names(others) }, 1)
        } else {
            (Hiding::Nothing, MOST_AGAIN)
        })
    }

    /// Whether the table can be asked which rows it has.
    pub(super) fn can_probe(&self, state: &TableState) -> bool {
        can_be_asked(&self.assignment.table, state)
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
