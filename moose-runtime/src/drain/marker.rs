//! The marker with its lease and the bar: what is in the database while a table is drained.
//!
//! The lease is in the marker's comment, which changes atomically, and is measured by the server's clock.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::DrainError;
use crate::{
    clickhouse::{ClickHouseError, Client},
    fault,
    schema::{quote_identifier, quote_string},
};

/// How long a drain is valid without being renewed.
pub fn lease() -> Duration {
    fault::lease(Duration::from_secs(30))
}

/// Prefix of the names of markers.
const PREFIX: &str = "_moose_drain_";

/// Name of the constraint that refuses every row, by which every version recognises a drained table. A second
/// constraint has the drain's own id, so that a late lift of another drain can't open the table.
const BAR: &str = "_moose_drain";

/// Prefix of the names of removed markers. They stay for a day: a late process with the same observation can't remove
/// the marker that somebody else has created since.
const LIFTED: &str = "_moose_lifted_";

/// `UNKNOWN_TABLE`.
pub(super) const UNKNOWN_TABLE: u32 = 60;
/// `TABLE_ALREADY_EXISTS`.
pub(super) const TABLE_EXISTS: u32 = 57;
/// `BAD_ARGUMENTS`: the constraint does not exist.
pub(super) const BAD_ARGUMENTS: u32 = 36;

/// Whether ClickHouse's message says that the bar refused an INSERT.
pub fn is_bar(text: &str) -> bool {
    ["Constraint `_moose_drain` ", "Constraint `_moose_drain_"].iter().any(|bar| text.contains(bar))
}

/// A table's definition without the bars in it.
pub fn without_bars(text: &str) -> String {
    let mut text = text.replace(&format!(", CONSTRAINT {BAR} CHECK 0"), "");
    for drain in bars(&text) {
        text = text.replace(&format!(", CONSTRAINT {} CHECK 0", own_bar(&drain)), "");
    }
    text
}

/// The drains whose own bar is in a table's definition.
fn bars(text: &str) -> Vec<String> {
    let begin = format!(" CONSTRAINT {BAR}_");
    let names = text.split(&begin).skip(1).filter_map(|rest| rest.split_once(" CHECK "));
    names.map(|(name, _)| name.to_owned()).filter(|name| is_id(name)).collect()
}

/// Commands that leave the bar of a drain as it is, and fail if it does not exist.
pub(super) fn same_bar(drain: &str) -> [String; 2] {
    let own = quote_identifier(&own_bar(drain));
    [format!("DROP CONSTRAINT {own}"), format!("ADD CONSTRAINT {own} CHECK 0")]
}

pub(super) fn own_bar(drain: &str) -> String {
    format!("{BAR}_{drain}")
}

/// Whether the text is a drain's id, as made by [`new_id`].
fn is_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A unique id for a drain.
pub fn new_id() -> String {
    format!("{:016x}", rand::random::<u64>())
}

/// The phase of a drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Ranges on their way are finished, and no new ones begin.
    Draining,
    /// The bar is in place, or about to be: nothing is sent.
    Closed,
}

/// A drain, as recorded in its marker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marker {
    /// Its id; empty in markers of versions without ids.
    #[serde(default)]
    pub(super) id: String,
    /// The runner whose fence is dropped when it is lifted.
    #[serde(default)]
    pub(super) runner: String,
    /// The drained table.
    pub(super) table: String,
    /// Its uuid before the change.
    pub(super) uuid: Uuid,
    /// The copy that is being made, if any.
    pub(super) copy: Option<String>,
    /// The owner.
    pub(super) owner: String,
    /// The reason.
    pub(super) reason: String,
    pub(super) phase: Phase,
    /// The end of the lease, in milliseconds since the Unix epoch.
    pub(super) until: i64,
}

impl Marker {
    /// The statement that creates the marker; it fails if there is one.
    pub(super) fn create(&self) -> Result<String, DrainError> {
        Ok(format!(
            "CREATE TABLE {} (instance String, ranges UInt64, at DateTime64(3, 'UTC') DEFAULT now64(3), \
             CONSTRAINT {} CHECK 1) ENGINE = MergeTree ORDER BY instance COMMENT {}",
            name_of(&self.table),
            self.owned(),
            quote_string(&self.comment()?)
        ))
    }

    /// The statement that rewrites the marker. It fails as a whole if another drain has it by now.
    pub(super) fn change(&self) -> Result<String, DrainError> {
        self.in_place_of(self)
    }

    /// The statement that makes another drain's marker this one's.
    pub(super) fn in_place_of(&self, other: &Self) -> Result<String, DrainError> {
        // Markers of versions without ids have no such constraint.
        let theirs = if other.id.is_empty() { String::new() } else { format!("DROP CONSTRAINT {}, ", other.owned()) };
        Ok(format!(
            "ALTER TABLE {} {theirs}ADD CONSTRAINT {} CHECK 1, MODIFY COMMENT {}",
            name_of(&self.table),
            self.owned(),
            quote_string(&self.comment()?)
        ))
    }

    /// The owner of a marker: a constraint that every row passes.
    fn owned(&self) -> String {
        quote_identifier(&format!("drain_{}", self.id))
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
    // A table of that name that is not ours drains nothing.
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

/// The uuid of a table; `None` if it does not exist.
pub(super) async fn uuid_of(client: &Client, table: &str) -> Result<Option<Uuid>, ClickHouseError> {
    let (database, name) = (quote_string(client.database()), quote_string(table));
    let sql = format!("SELECT uuid FROM system.tables WHERE database = {database} AND name = {name}");
    let rows: Vec<(Uuid,)> = client.query_rows(&sql).await?;
    Ok(rows.first().map(|(uuid,)| *uuid))
}

/// The name of the table with this uuid.
pub(super) async fn named(client: &Client, uuid: Uuid) -> Result<Option<String>, ClickHouseError> {
    let database = quote_string(client.database());
    let sql = format!("SELECT name FROM system.tables WHERE database = {database} AND uuid = '{uuid}'");
    let rows: Vec<(String,)> = client.query_rows(&sql).await?;
    Ok(rows.into_iter().next().map(|(name,)| name))
}

/// Removes a marker.
pub(super) async fn take_away(client: &Client, marker: &Marker) -> Result<(), ClickHouseError> {
    let table = &marker.table;
    if marker.id.is_empty() {
        return client.execute(&format!("DROP TABLE IF EXISTS {} SYNC", name_of(table))).await;
    }
    let mut aside = quote_identifier(&format!("{LIFTED}{}", marker.id));
    loop {
        let moved = client.execute(&format!("RENAME TABLE {} TO {aside}", name_of(table))).await;
        match moved {
            Err(error) if error.code() == Some(UNKNOWN_TABLE) => return Ok(()),
            Err(error) if error.code() == Some(TABLE_EXISTS) => {
                let second = quote_identifier(&format!("{LIFTED}{}_{}", marker.id, marker.until));
                let (all, _) = all(client).await?;
                // Its frozen owner rewrote it, after another process had taken the drain over.
                if aside == second || !all.contains(marker) {
                    return Ok(());
                }
                aside = second;
            }
            done => return done,
        }
    }
}

/// Makes sure that no other process removes the marker that was found: its drain is taken over.
pub(super) async fn supersede(client: &Client, marker: &Marker) -> Result<(), ClickHouseError> {
    if marker.id.is_empty() {
        return Ok(());
    }
    let aside = quote_identifier(&format!("{LIFTED}{}", marker.id));
    client
        .execute(&format!("CREATE TABLE IF NOT EXISTS {aside} (nothing UInt8) ENGINE = MergeTree ORDER BY tuple()"))
        .await
}

/// Drops markers that were removed long ago: no process is that late.
pub async fn sweep_markers(client: &Client) -> Result<(), ClickHouseError> {
    let old: Vec<(String,)> = client
        .query_rows(&format!(
            "SELECT name FROM system.tables WHERE database = {} AND startsWith(name, '{LIFTED}') \
             AND metadata_modification_time < now() - INTERVAL 1 DAY",
            quote_string(client.database())
        ))
        .await?;
    for (name,) in old {
        client.execute(&format!("DROP TABLE IF EXISTS {}", quote_identifier(&name))).await?;
    }
    Ok(())
}

/// Adds the bar of a drain, in place of all others.
pub(super) async fn bar(client: &Client, table: &str, drain: &str) -> Result<(), ClickHouseError> {
    let others = bars(&text_of(client, table).await?).into_iter().filter(|other| other != drain);
    let gone: Vec<String> =
        others.map(|other| format!("DROP CONSTRAINT IF EXISTS {}, ", quote_identifier(&own_bar(&other)))).collect();
    let gone = gone.concat();
    let (table, own) = (quote_identifier(table), quote_identifier(&own_bar(drain)));
    client
        .execute(&format!(
            "ALTER TABLE {table} {gone}ADD CONSTRAINT IF NOT EXISTS {BAR} CHECK 0, \
             ADD CONSTRAINT IF NOT EXISTS {own} CHECK 0"
        ))
        .await
}

/// Removes the bar of a drain, if it exists. Another drain's bar stays.
pub(super) async fn unbar(client: &Client, table: &str, drain: &str) -> Result<(), ClickHouseError> {
    let mut changes = format!("DROP CONSTRAINT IF EXISTS {BAR}");
    if !drain.is_empty() {
        // An ALTER is atomic: it fails if its own bar does not exist.
        changes = format!("DROP CONSTRAINT {}, {changes}", quote_identifier(&own_bar(drain)));
    }
    match client.execute(&format!("ALTER TABLE {} {changes}", quote_identifier(table))).await {
        Err(error) if error.code() == Some(UNKNOWN_TABLE) => Ok(()),
        Err(error) if error.code() == Some(BAD_ARGUMENTS) && !is_barred(client, table, drain).await? => Ok(()),
        done => done,
    }
}

/// Bars without a marker: table and drain. A drain may have begun just after this query; a bar that is found again
/// after a [`lease`] has no owner.
pub(super) async fn orphaned_bars(client: &Client) -> Result<BTreeSet<(String, String)>, ClickHouseError> {
    let barred: Vec<(String, String)> = client
        .query_rows(&format!(
            "SELECT name, create_table_query FROM system.tables WHERE database = {} \
             AND position(create_table_query, 'CONSTRAINT {BAR}') > 0",
            quote_string(client.database())
        ))
        .await?;
    if barred.is_empty() {
        return Ok(BTreeSet::new());
    }
    let (markers, _) = all(client).await?;
    let mut found = BTreeSet::new();
    for (table, text) in barred {
        let mut drains = bars(&text);
        if drains.is_empty() && text.contains(&format!(", CONSTRAINT {BAR} CHECK 0")) {
            // The bar of a version whose drains had no ids.
            drains.push(String::new());
        }
        let unknown = drains.into_iter().filter(|drain| !markers.iter().any(|marker| marker.id == *drain));
        found.extend(unknown.map(|drain| (table.clone(), drain)));
    }
    Ok(found)
}

/// Removes all bars without a marker. Only for the holder of the lock, so that nobody else drains.
pub async fn sweep_bars(client: &Client) -> Result<(), ClickHouseError> {
    for (table, drain) in orphaned_bars(client).await? {
        tracing::warn!(table, "takes the bar of a drain away that nobody knows of any more");
        unbar(client, &table, &drain).await?;
    }
    Ok(())
}

/// Whether the bar of a drain is in place.
pub(super) async fn is_barred(client: &Client, table: &str, drain: &str) -> Result<bool, ClickHouseError> {
    let text = text_of(client, table).await?;
    Ok(bars(&text).iter().any(|bar| bar == drain))
}

async fn text_of(client: &Client, table: &str) -> Result<String, ClickHouseError> {
    let (database, name) = (quote_string(client.database()), quote_string(table));
    let sql = format!("SELECT create_table_query FROM system.tables WHERE database = {database} AND name = {name}");
    let rows: Vec<(String,)> = client.query_rows(&sql).await?;
    Ok(rows.into_iter().next().map(|(text,)| text).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_known_by_its_text() {
        let text = "Code: 469. DB::Exception: Constraint `_moose_drain` for table moose.t (…) is violated at row 1.";
        assert!(is_bar(text));
        assert!(is_bar("Code: 469. DB::Exception: Constraint `_moose_drain_00ff00ff00ff00ff` for table moose.t (…)"));
        assert!(!is_bar("Code: 469. DB::Exception: Constraint `good` for table moose.`_moose_drain` is violated"));
    }

    #[test]
    fn bars_are_no_part_of_a_table() {
        let table = "CREATE TABLE moose.t (`a` UInt8, CONSTRAINT _moose_drain_of_mine CHECK a) ENGINE = Log";
        let constraints = "CONSTRAINT _moose_drain CHECK 0, CONSTRAINT _moose_drain_00ff00ff00ff00ff CHECK 0";
        let barred = table.replace(") ENGINE", &format!(", {constraints}) ENGINE"));
        assert_eq!(without_bars(&barred), table);
        assert_eq!(bars(&barred), ["00ff00ff00ff00ff"]);
    }

    #[test]
    fn a_marker_is_read_as_it_was_written() {
        let marker = Marker {
            id: new_id(),
            runner: "r".to_owned(),
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
