//! Waits for mutations: an `ALTER` may go on in the background, and a migration is done only when that is. Also finds
//! the mutation of an `ALTER` that was interrupted.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::{Instant, sleep};

use super::MigrateError;
use crate::{clickhouse::Client, schema::quote_string};

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The server retries a failed mutation; failures that end within this time are ignored.
const GRACE: Duration = Duration::from_secs(5);

/// A mutation that keeps failing.
#[derive(Debug)]
pub(super) struct Stuck {
    pub(super) mutation: String,
    pub(super) reason: String,
}

/// The mutation of an interrupted `ALTER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The table has no new mutation.
    None,
    /// The table has this one.
    Ours,
    /// The table has other new ones, and this one may have come and gone.
    Others,
}

/// The table's mutations that the server remembers, by identifier, with their commands.
pub(super) async fn known(client: &Client, table: &str) -> Result<BTreeMap<String, Vec<String>>, MigrateError> {
    let rows: Vec<(String, String)> = client
        .query_rows(&format!(
            "SELECT mutation_id, command FROM system.mutations WHERE database = {} AND table = {}",
            quote_string(client.database()),
            quote_string(table)
        ))
        .await?;
    let mut known: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (mutation, command) in rows {
        known.entry(mutation).or_default().push(command);
    }
    Ok(known)
}

/// Looks for the `ALTER` among the mutations that the table got after those in `before`.
pub(super) async fn find(client: &Client, table: &str, before: &[String], sql: &str) -> Result<Found, MigrateError> {
    let since = known(client, table).await?.into_iter().filter(|(mutation, _)| !before.contains(mutation));
    let since: Vec<Vec<String>> = since.map(|(_, commands)| commands).collect();
    if since.is_empty() {
        return Ok(Found::None);
    }
    let formatted: Vec<(String,)> =
        client.query_rows(&format!("SELECT formatQuerySingleLine({})", quote_string(sql))).await?;
    let formatted = formatted.into_iter().next().map(|(text,)| text).unwrap_or_default();
    Ok(if since.iter().any(|commands| is_of(commands, &formatted)) { Found::Ours } else { Found::Others })
}

/// Whether the commands of a mutation are those of the statement, both as printed by the server.
fn is_of(commands: &[String], statement: &str) -> bool {
    let bare = |text: &str| text.chars().filter(|character| !character.is_whitespace()).collect::<String>();
    let statement = bare(statement);
    let commands: Vec<String> = commands.iter().map(|command| bare(command)).collect();
    let length: usize = commands.iter().map(String::len).sum();
    // The whole statement but its beginning and the commas.
    let all = statement.len() <= length + statement.find('(').unwrap_or(statement.len()) + commands.len();
    !commands.is_empty() && all && commands.iter().all(|command| statement.contains(command.as_str()))
}

/// Waits until the table has no unfinished mutation, or one that fails again and again.
pub(super) async fn wait(client: &Client, table: &str) -> Result<Option<Stuck>, MigrateError> {
    let sql = format!(
        "SELECT mutation_id, latest_fail_reason FROM system.mutations \
         WHERE database = {} AND table = {} AND NOT is_done ORDER BY create_time",
        quote_string(client.database()),
        quote_string(table)
    );
    let mut failing: Option<Instant> = None;
    loop {
        let rows: Vec<(String, String)> = client.query_rows(&sql).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        match rows.into_iter().find(|(_, reason)| !reason.is_empty()) {
            Some((mutation, reason)) if failing.get_or_insert_with(Instant::now).elapsed() >= GRACE => {
                return Ok(Some(Stuck { mutation, reason }));
            }
            Some(_) => {}
            None => failing = None,
        }
        sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutation_is_known_by_its_commands() {
        let statement = "ALTER TABLE t (UPDATE  n = n + 1 WHERE 1), (DELETE WHERE a = 77)";
        let commands = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        assert!(is_of(&commands(&["(UPDATE n = n + 1 WHERE 1)", "(DELETE WHERE a = 77)"]), statement));
        assert!(
            !is_of(&commands(&["(UPDATE n = n + 1 WHERE 1)"]), statement),
            "another one's, with one of the commands"
        );
        assert!(!is_of(&commands(&["(UPDATE n = n + 2 WHERE 1)"]), "ALTER TABLE t (UPDATE n = n + 1 WHERE 1)"));
        assert!(!is_of(&[], statement));
    }
}
