//! What stands in the database while a table is drained: the marker with its lease, and the bar.
//!
//! The lease lies in the marker's comment, which changes at once and as a whole, and is counted by the server's clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::DrainError;
use crate::{
    clickhouse::{ClickHouseError, Client},
    fault,
    schema::{quote_identifier, quote_string},
};

/// How long a drain is valid that nobody renews.
pub fn lease() -> Duration {
    fault::lease(Duration::from_secs(30))
}

/// Begin of the names of markers.
const PREFIX: &str = "_moose_drain_";

/// Name of the constraint that refuses every row.
const BAR: &str = "_moose_drain";

/// `UNKNOWN_TABLE`.
pub(super) const UNKNOWN_TABLE: u32 = 60;

/// Whether ClickHouse's text says that an INSERT met the bar.
pub fn is_bar(text: &str) -> bool {
    text.contains("Constraint `_moose_drain` ")
}

/// How far a drain has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// What is on its way comes to its end, nothing new begins.
    Draining,
    /// The bar is up, or about to be: nothing is sent.
    Closed,
}

/// A drain as its marker tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marker {
    /// The drained table.
    pub(super) table: String,
    /// Its identity before the change.
    pub(super) uuid: Uuid,
    /// The copy that is being made of it, if any.
    pub(super) copy: Option<String>,
    /// Who drains.
    pub(super) owner: String,
    /// What for.
    pub(super) reason: String,
    pub(super) phase: Phase,
    /// Until when, in milliseconds since the Unix epoch.
    pub(super) until: i64,
}

impl Marker {
    /// The statement that makes the marker; it fails where there is one.
    pub(super) fn create(&self) -> Result<String, DrainError> {
        Ok(format!(
            "CREATE TABLE {} (instance String, ranges UInt64, at DateTime64(3, 'UTC') DEFAULT now64(3)) \
             ENGINE = MergeTree ORDER BY instance COMMENT {}",
            name_of(&self.table),
            quote_string(&self.comment()?)
        ))
    }

    /// The statement that writes the marker anew.
    pub(super) fn change(&self) -> Result<String, DrainError> {
        Ok(format!("ALTER TABLE {} MODIFY COMMENT {}", name_of(&self.table), quote_string(&self.comment()?)))
    }

    fn comment(&self) -> Result<String, DrainError> {
        let url = String::new();
        serde_json::to_string(self)
            .map_err(|error| ClickHouseError::Unexpected { url, reason: error.to_string() }.into())
    }
}

/// The marker of a table, quoted.
pub(super) fn name_of(table: &str) -> String {
    quote_identifier(&format!("{PREFIX}{table}"))
}

/// All drains, and the server's time.
pub(super) async fn all(client: &Client) -> Result<(Vec<Marker>, i64), ClickHouseError> {
    let rows: Vec<(String, String)> = client
        .query_rows(&format!(
            "SELECT comment, toString(toUnixTimestamp64Milli(now64(3))) FROM system.tables \
             WHERE database = {} AND startsWith(name, '{PREFIX}')",
            quote_string(client.database())
        ))
        .await?;
    let now = rows.first().and_then(|(_, now)| now.parse().ok()).unwrap_or(0);
    // A table of that name that is none of ours drains nothing.
    Ok((rows.into_iter().filter_map(|(comment, _)| serde_json::from_str(&comment).ok()).collect(), now))
}

/// The server's time, in milliseconds since the Unix epoch.
pub(super) async fn server_time(client: &Client) -> Result<i64, ClickHouseError> {
    let rows: Vec<(String,)> = client.query_rows("SELECT toString(toUnixTimestamp64Milli(now64(3)))").await?;
    rows.first().and_then(|(now,)| now.parse().ok()).ok_or_else(|| ClickHouseError::Unexpected {
        url: client.url().to_owned(),
        reason: "no time in the answer".to_owned(),
    })
}

/// Identity of a table; `None` where there is none of that name.
pub(super) async fn uuid_of(client: &Client, table: &str) -> Result<Option<Uuid>, ClickHouseError> {
    let (database, name) = (quote_string(client.database()), quote_string(table));
    let sql = format!("SELECT uuid FROM system.tables WHERE database = {database} AND name = {name}");
    let rows: Vec<(Uuid,)> = client.query_rows(&sql).await?;
    Ok(rows.first().map(|(uuid,)| *uuid))
}

/// Puts the bar up.
pub(super) async fn bar(client: &Client, table: &str) -> Result<(), ClickHouseError> {
    let table = quote_identifier(table);
    client.execute(&format!("ALTER TABLE {table} ADD CONSTRAINT IF NOT EXISTS {BAR} CHECK 0")).await
}

/// Takes the bar away, where there is one.
pub(super) async fn unbar(client: &Client, table: &str) -> Result<(), ClickHouseError> {
    let sql = format!("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {BAR}", quote_identifier(table));
    match client.execute(&sql).await {
        Err(error) if error.code() == Some(UNKNOWN_TABLE) => Ok(()),
        done => done,
    }
}

/// Whether the bar is up.
pub(super) async fn is_barred(client: &Client, table: &str) -> Result<bool, ClickHouseError> {
    let (database, name) = (quote_string(client.database()), quote_string(table));
    let rows: Vec<(String,)> = client
        .query_rows(&format!(
            "SELECT name FROM system.tables WHERE database = {database} AND name = {name} \
             AND position(create_table_query, 'CONSTRAINT {BAR} CHECK') > 0"
        ))
        .await?;
    Ok(!rows.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_known_by_its_text() {
        let text = "Code: 469. DB::Exception: Constraint `_moose_drain` for table moose.t (…) is violated at row 1.";
        assert!(is_bar(text));
        assert!(!is_bar("Code: 469. DB::Exception: Constraint `good` for table moose.`_moose_drain` is violated"));
    }

    #[test]
    fn a_marker_is_read_as_it_was_written() {
        let marker = Marker {
            table: "it's".to_owned(),
            uuid: Uuid::nil(),
            copy: Some("it's__new_3".to_owned()),
            owner: "me".to_owned(),
            reason: "migration 3".to_owned(),
            phase: Phase::Draining,
            until: 5,
        };
        assert_eq!(serde_json::from_str::<Marker>(&marker.comment().unwrap()).unwrap(), marker);
    }
}
