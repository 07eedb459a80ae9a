//! The destination table as it is on the server, checked again whenever it may have changed.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::Instant};
use uuid::Uuid;

use super::{SyncError, cursor::CursorKeeper, settings::Settings};
use crate::{
    clickhouse::{Client, TableState},
    drain::Successor,
    schema::{self, adopting, differences, provenance},
};

/// How long the result of a check is used.
const GOOD_FOR: Duration = Duration::from_secs(10);

/// Names of the columns of a block for the table, in its order.
pub(super) fn columns(table: &schema::Table) -> Vec<String> {
    let inserted = table.columns.iter().filter(|column| column.is_inserted());
    let mut columns: Vec<String> = inserted.map(|column| column.name.clone()).collect();
    if table.provenance {
        columns.extend([provenance::EPOCH, provenance::PARTITION, provenance::OFFSET].map(str::to_owned));
    }
    columns
}

/// Keeps track of one table.
pub(super) struct Target {
    client: Client,
    table: Arc<schema::Table>,
    seen: Mutex<Option<(Instant, Arc<TableState>)>>,
    settings: Mutex<Option<Arc<Settings>>>,
    /// The last offset that was on its way when this table replaced another: it has no tokens of the ranges up to
    /// there.
    strange_to: Mutex<Option<u64>>,
    /// The offset up to which rows were confirmed when the right table was last seen: later ones may be in another
    /// table that had its name meanwhile.
    confirmed: Mutex<Option<u64>>,
}

impl Target {
    pub(super) fn new(client: Client, table: Arc<schema::Table>) -> Self {
        Self {
            client,
            table,
            seen: Mutex::new(None),
            settings: Mutex::new(None),
            strange_to: Mutex::new(None),
            confirmed: Mutex::new(None),
        }
    }

    /// The state of the table, checked: the right uuid, and columns that accept what is declared.
    pub(super) async fn checked(&self, cursor: &CursorKeeper) -> Result<Arc<TableState>, SyncError> {
        let mut seen = self.seen.lock().await;
        if let Some((at, state)) = &*seen
            && at.elapsed() < GOOD_FOR
        {
            return Ok(Arc::clone(state));
        }
        *seen = None;
        let state = Arc::new(self.look().await?);
        self.meet(&state, cursor, &mut seen).await?;
        Ok(state)
    }

    /// The same with a state that was just queried.
    pub(super) async fn check(&self, state: TableState, cursor: &CursorKeeper) -> Result<(), SyncError> {
        self.meet(&Arc::new(state), cursor, &mut *self.seen.lock().await).await
    }

    async fn meet(
        &self,
        state: &Arc<TableState>,
        cursor: &CursorKeeper,
        seen: &mut Option<(Instant, Arc<TableState>)>,
    ) -> Result<(), SyncError> {
        match cursor.get().await.table_uuid {
            Some(known) if known == state.uuid => {}
            Some(known) if self.is_successor(known, state).await? => self.take_up(cursor, state).await,
            Some(known) => {
                if let Some(confirmed) = self.confirmed.lock().await.take().filter(|_| self.table.provenance) {
                    cursor.go_back(confirmed).await;
                }
                return Err(SyncError::TableReplaced { table: self.table.name.clone(), found: state.uuid, known });
            }
            None => cursor.update(|cursor| cursor.table_uuid = Some(state.uuid)).await,
        }
        *self.confirmed.lock().await = Some(cursor.get().await.next);
        // Until the ranges whose tokens the table does not have are done, it is checked for each of them, so that the
        // cursor gets the new uuid as soon as they are.
        if self.strange_to.lock().await.is_none() {
            *seen = Some((Instant::now(), Arc::clone(state)));
        }
        Ok(())
    }

    /// Whether the table replaced the one with that uuid, with its rows.
    pub(super) async fn is_successor(&self, known: Uuid, state: &TableState) -> Result<bool, SyncError> {
        Ok(Successor::leads(&self.client, &self.table.name, known, state.uuid).await?)
    }

    /// The table and the server's settings, if both are known and nobody is querying them.
    pub(super) fn at_hand(&self) -> Option<(Arc<TableState>, Arc<Settings>)> {
        let (at, state) = self.seen.try_lock().ok()?.clone()?;
        let settings = self.settings.try_lock().ok()?.clone()?;
        (at.elapsed() < GOOD_FOR).then_some((state, settings))
    }

    /// Continues with a table that replaced the known one. The cursor gets its uuid once the ranges that were on their
    /// way then are done: until that, a restart must still know that the table has no tokens of them.
    async fn take_up(&self, cursor: &CursorKeeper, state: &TableState) {
        let now = cursor.get().await;
        let mut strange_to = self.strange_to.lock().await;
        let last = now.pending.last().map(|pending| pending.last);
        let strange = *strange_to.get_or_insert(last.unwrap_or(now.next));
        if last.is_none() || now.next > strange {
            cursor.update(|cursor| cursor.table_uuid = Some(state.uuid)).await;
            *strange_to = None;
            tracing::info!(table = self.table.name, "goes on in the table that took the other's place");
        }
    }

    /// Whether the table, as last checked, may have the token of the range that begins there.
    pub(super) async fn may_know_tokens_from(&self, first: u64) -> bool {
        self.strange_to.lock().await.is_none_or(|strange_to| first > strange_to)
    }

    /// Queries the table's current state, whatever the cursor says.
    pub(super) async fn look(&self) -> Result<TableState, SyncError> {
        let Some(state) = self.client.table(&self.table.name).await? else {
            return Err(SyncError::NoTable {
                table: self.table.name.clone(),
                database: self.client.database().to_owned(),
            });
        };
        let mut wrong = differences(&self.table, &state.columns);
        wrong.retain(schema::Difference::prevents_insert);
        if wrong.is_empty() {
            return Ok(state);
        }
        let adopting = adopting(&self.table, &wrong);
        let all: Vec<String> = wrong.iter().map(ToString::to_string).chain(adopting).collect();
        Err(SyncError::Columns { table: self.table.name.clone(), differences: all.join("; ") })
    }

    /// The same together with the settings.
    pub(super) async fn look_with_settings(&self) -> Result<(TableState, Arc<Settings>), SyncError> {
        tokio::try_join!(self.look(), self.settings())
    }

    /// The settings that the server knows, queried again after any doubt: it may be another server now.
    pub(super) async fn settings(&self) -> Result<Arc<Settings>, SyncError> {
        let mut settings = self.settings.lock().await;
        if let Some(known) = &*settings {
            return Ok(Arc::clone(known));
        }
        let known = Arc::new(Settings::known_to(&self.client.setting_names().await?));
        if !known.tokens {
            tracing::warn!(
                table = self.table.name,
                "the server has no deduplication tokens: rows are stored at least once"
            );
        }
        *settings = Some(Arc::clone(&known));
        Ok(known)
    }

    /// Something went wrong: check again before the next INSERT.
    pub(super) async fn doubt(&self) {
        *self.seen.lock().await = None;
        *self.settings.lock().await = None;
    }
}
