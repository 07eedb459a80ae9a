//! Drops a table by its identity: first it is renamed to a name made of its uuid, so that no late statement can mean
//! another table, and only then checked and dropped.

use uuid::Uuid;

use super::marker::{TABLE_EXISTS, UNKNOWN_TABLE, uuid_of};
use crate::{
    clickhouse::{ClickHouseError, Client},
    schema::{quote_identifier, quote_string},
};

/// Prefix of the names of copies that will never replace a table.
const VOID: &str = "_moose_void_";

/// Prefix of the names of copies that are being made.
const COPY: &str = "_moose_copy_";

/// Drops the copy with this name and uuid. False if another table has the name by now: that one is left alone.
pub async fn drop_copy(client: &Client, name: &str, uuid: Uuid) -> Result<bool, ClickHouseError> {
    let void = format!("{VOID}{uuid}");
    rename(client, name, &void).await?;
    match uuid_of(client, &void).await? {
        Some(found) if found != uuid => {
            // The exchange happened in between: this is the original table.
            rename(client, &void, name).await?;
            Ok(false)
        }
        Some(_) => {
            let void = quote_identifier(&void);
            client.execute(&format!("DROP TABLE IF EXISTS {void} SETTINGS max_table_size_to_drop = 0")).await?;
            Ok(true)
        }
        None => Ok(uuid_of(client, name).await?.is_none_or(|found| found == uuid)),
    }
}

/// Copies of lifted drains that still exist.
async fn voids(client: &Client) -> Result<Vec<(String, Uuid)>, ClickHouseError> {
    client
        .query_rows(&format!(
            "SELECT name, uuid FROM system.tables WHERE database = {} AND startsWith(name, '{VOID}') ORDER BY name",
            quote_string(client.database())
        ))
        .await
}

/// Drops copies left by lifted drains, each only if its uuid is the one in its name.
pub async fn sweep_copies(client: &Client) -> Result<(), ClickHouseError> {
    for (name, uuid) in voids(client).await? {
        if name == format!("{VOID}{uuid}") {
            drop_copy(client, &name, uuid).await?;
            tracing::info!(table = name, "dropped the copy of a drain that was lifted");
        }
    }
    Ok(())
}

/// Drops copies that were never filled: their runner created them after another had taken over. Only at the end of all
/// migrations, when no copy is in use.
pub async fn sweep_empty_copies(client: &Client) -> Result<(), ClickHouseError> {
    let empty: Vec<(String, Uuid)> = client
        .query_rows(&format!(
            "SELECT name, uuid FROM system.tables WHERE database = {} AND startsWith(name, '{COPY}') AND total_rows = 0",
            quote_string(client.database())
        ))
        .await?;
    for (name, uuid) in empty {
        drop_copy(client, &name, uuid).await?;
    }
    Ok(())
}

/// The name of the copy of a drain.
pub fn copy_name(drain: &str) -> String {
    format!("{COPY}{drain}")
}

/// Whether a name is one of [`copy_name`]'s.
pub fn is_copy(name: &str) -> bool {
    name.starts_with(COPY)
}

/// Copies that no drain needs any more, of this version and earlier ones, to be shown to an operator.
pub async fn left_copies(client: &Client) -> Result<Vec<String>, ClickHouseError> {
    let rows: Vec<(String,)> = client
        .query_rows(&format!(
            "SELECT name FROM system.tables WHERE database = {} \
             AND (startsWith(name, '{VOID}') OR match(name, '__void_[0-9]+$')) ORDER BY name",
            quote_string(client.database())
        ))
        .await?;
    Ok(rows.into_iter().map(|(name,)| name).collect())
}

/// Renames a table, unless another process did it first.
pub(super) async fn rename(client: &Client, from: &str, to: &str) -> Result<(), ClickHouseError> {
    if from == to {
        return Ok(());
    }
    let sql = format!("RENAME TABLE {} TO {}", quote_identifier(from), quote_identifier(to));
    match client.execute(&sql).await {
        Err(error) if matches!(error.code(), Some(UNKNOWN_TABLE | TABLE_EXISTS)) => Ok(()),
        done => done,
    }
}
