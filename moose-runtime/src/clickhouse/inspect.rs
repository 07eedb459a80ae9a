//! Reads a table's identity, engine and columns from the server.

use serde::Deserialize;
use uuid::Uuid;

use super::{ClickHouseError, Client};
use crate::schema::{ActualColumn, DefaultKind, quote_string};

/// A table as the server describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableState {
    /// The table's uuid: a new one after it was dropped and created again.
    pub uuid: Uuid,
    /// Name of the engine.
    pub engine: String,
    /// Columns in order, provenance columns included.
    pub columns: Vec<ActualColumn>,
    /// Whether materialized views read what is inserted.
    pub has_views: bool,
}

impl TableState {
    /// Whether rows stay as inserted, so that the table can be asked which rows of a range it has.
    pub fn keeps_every_row(&self) -> bool {
        matches!(self.engine.as_str(), "MergeTree" | "ReplicatedMergeTree" | "SharedMergeTree")
    }

    /// Whether parts and tokens are committed in one Keeper transaction.
    pub fn is_replicated(&self) -> bool {
        self.engine.starts_with("Replicated") || self.engine.starts_with("Shared")
    }
}

#[derive(Deserialize)]
struct TableRow(Uuid, String, bool);

impl Client {
    /// The table of that name in the client's database, if there is one.
    pub(crate) async fn table(&self, name: &str) -> Result<Option<TableState>, ClickHouseError> {
        let place = format!("database = {} AND", quote_string(self.database()));
        let name = quote_string(name);
        let tables: Vec<TableRow> = self
            .query_rows(&format!(
                "SELECT uuid, engine, notEmpty(dependencies_table)::Bool FROM system.tables WHERE {place} name = {name}"
            ))
            .await?;
        let Some(TableRow(uuid, engine, has_views)) = tables.into_iter().next() else { return Ok(None) };
        let rows: Vec<(String, String, String)> = self
            .query_rows(&format!(
                "SELECT name, type, default_kind FROM system.columns WHERE {place} table = {name} ORDER BY position"
            ))
            .await?;
        let mut columns = Vec::with_capacity(rows.len());
        for (name, data_type, kind) in rows {
            let default_kind = DefaultKind::read(&kind).map_err(|error| ClickHouseError::Unexpected {
                url: self.url().to_owned(),
                reason: error.to_string(),
            })?;
            columns.push(ActualColumn { name, data_type, default_kind });
        }
        Ok(Some(TableState { uuid, engine, columns, has_views }))
    }
}
