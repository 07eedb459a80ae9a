//! The destination table as it is on the server, looked at again whenever it may have changed.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::Instant};

use super::{SyncError, cursor::CursorKeeper, settings::Settings};
use crate::{
    clickhouse::{Client, TableState},
    schema::{self, differences, provenance},
};

/// How long a look at the table is good for.
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

/// Watches one table.
pub(super) struct Target {
    client: Client,
    table: Arc<schema::Table>,
    seen: Mutex<Option<(Instant, Arc<TableState>)>>,
    settings: Mutex<Option<Arc<Settings>>>,
}

impl Target {
    pub(super) fn new(client: Client, table: Arc<schema::Table>) -> Self {
        Self { client, table, seen: Mutex::new(None), settings: Mutex::new(None) }
    }

    /// The table, if it can take what is declared: the right one, with the right columns.
    pub(super) async fn checked(&self, cursor: &CursorKeeper) -> Result<Arc<TableState>, SyncError> {
        let mut seen = self.seen.lock().await;
        if let Some((at, state)) = &*seen
            && at.elapsed() < GOOD_FOR
        {
            return Ok(Arc::clone(state));
        }
        *seen = None;
        let state = Arc::new(self.look().await?);
        match cursor.get().await.table_uuid {
            Some(known) if known == state.uuid => {}
            Some(known) => {
                return Err(SyncError::TableReplaced { table: self.table.name.clone(), found: state.uuid, known });
            }
            None => cursor.update(|cursor| cursor.table_uuid = Some(state.uuid)).await,
        }
        *seen = Some((Instant::now(), Arc::clone(&state)));
        Ok(state)
    }

    /// The table as it is now, whatever the cursor says.
    pub(super) async fn look(&self) -> Result<TableState, SyncError> {
        let Some(state) = self.client.table(&self.table.name).await? else {
            return Err(SyncError::NoTable {
                table: self.table.name.clone(),
                database: self.client.database().to_owned(),
            });
        };
        let wrong: Vec<String> = differences(&self.table, &state.columns)
            .into_iter()
            .filter(schema::Difference::prevents_insert)
            .map(|difference| difference.to_string())
            .collect();
        if wrong.is_empty() {
            Ok(state)
        } else {
            Err(SyncError::Columns { table: self.table.name.clone(), differences: wrong.join("; ") })
        }
    }

    /// The settings that the server knows, asked for again after any doubt: it may be another server now.
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

    /// Something went wrong: look again before the next INSERT.
    pub(super) async fn doubt(&self) {
        *self.seen.lock().await = None;
        *self.settings.lock().await = None;
    }
}
