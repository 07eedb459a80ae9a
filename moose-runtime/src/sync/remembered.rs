//! Whether a table surely still remembers the token of a range that it has, so that the whole range may be sent again
//! for the views behind it. Where that can't be shown the table is left alone: it would store the rows twice.

use std::time::Duration;

use super::{Assignment, Prepared, SyncError, now, settings::Settings};
use crate::{
    clickhouse::{Client, window_of},
    fault,
    schema::{quote_identifier, quote_string},
};

/// The boot id of this machine; `None` if that can't be found out.
pub(super) fn boot() -> Option<u64> {
    if let Some(boot) = fault::boot() {
        return Some(boot);
    }
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let (high, low) = uuid::Uuid::parse_str(id.trim()).ok()?.as_u64_pair();
    Some(high ^ low)
}

/// When this machine was booted, in milliseconds since the Unix epoch; `None` if that can't be found out.
pub(super) fn booted_at() -> Option<i64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let seconds = stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse::<i64>().ok()?;
    seconds.checked_mul(1000)
}

/// Replicated tables forget a token by its age: after a week, as our tables are created and as the check at the start
/// requires. A day is reserved for clocks that differ.
const REMEMBERED: Duration = Duration::from_hours(24 * 6);
/// How far the server's clock may differ where parts are selected by their time, in seconds.
const CLOCKS: i64 = 3600;

fn is_forgotten(age: Duration) -> bool {
    age > REMEMBERED
}

/// Whether the table, which has the range, surely remembers the tokens of its blocks, inserted not before `since`
/// (milliseconds since the Unix epoch); and so every table that its views fill. Half of each window is reserved for
/// other blocks that arrive before the INSERT does.
pub(super) async fn is_remembered(
    client: &Client,
    settings: &Settings,
    assignment: &Assignment,
    range: &Prepared,
    since: i64,
) -> Result<bool, SyncError> {
    let Some(facts) = client.facts(&assignment.table.name).await? else { return Ok(false) };
    let name = format!("{}.{}", client.database(), assignment.table.name);
    let blocks = if facts.state.is_replicated() {
        let age = Duration::from_millis(u64::try_from(now().saturating_sub(since)).unwrap_or(0));
        if is_forgotten(age) {
            return Ok(false);
        }
        blocks_after(client, settings, &name, since).await?
    } else {
        blocks_since(client, settings, assignment, range).await?
    };
    let (_, window) = window_of(&facts.state.engine, &facts.settings);
    if blocks.is_none_or(|blocks| blocks >= window / 2) {
        return Ok(false);
    }
    for target in facts.views.iter().filter_map(|view| view.target.as_ref()) {
        if !target.engine.ends_with("MergeTree") {
            continue;
        }
        let (_, window) = window_of(&target.engine, &target.settings);
        let blocks = blocks_after(client, settings, &target.table, since).await?;
        if blocks.is_none_or(|blocks| blocks >= window / 2) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// An upper bound of the blocks that a table, named with its database, got since then: those of all parts that were
/// created or merged since, with all that was merged into them.
async fn blocks_after(client: &Client, settings: &Settings, table: &str, since: i64) -> Result<Option<u64>, SyncError> {
    let sql = format!(
        "SELECT toString(sum(max_block_number - min_block_number + 1)) FROM system.parts WHERE active \
         AND concat(database, '.', table) = {} AND toUnixTimestamp(modification_time) >= {}{}",
        quote_string(table),
        (since / 1000).saturating_sub(CLOCKS).max(0),
        settings.probe,
    );
    let answer: Vec<(String,)> = client.query_rows(&sql).await?;
    Ok(answer.into_iter().next().and_then(|(blocks,)| blocks.parse().ok()))
}

/// An upper bound of the blocks that the table got after those of the range: block numbers only grow, and a merged part
/// keeps the lowest of its sources. `None` if that is unknown.
async fn blocks_since(
    client: &Client,
    settings: &Settings,
    assignment: &Assignment,
    range: &Prepared,
) -> Result<Option<u64>, SyncError> {
    let table = &assignment.table.name;
    // Parts that were merged meanwhile are listed for minutes, so none is missed between the two queries.
    let sql = format!(
        "WITH (SELECT groupUniqArray(_part) FROM {} WHERE _stream_epoch = {} AND _stream_partition = {} \
         AND _stream_offset BETWEEN {} AND {}) AS with_range \
         SELECT toString(max(max_block_number) - minIf(min_block_number, has(with_range, name))), \
         toString(countIf(has(with_range, name))) FROM system.parts WHERE database = {} AND table = {}{}",
        quote_identifier(table),
        assignment.epochs.at(range.first),
        assignment.partition,
        range.first,
        range.last,
        quote_string(client.database()),
        quote_string(table),
        settings.probe,
    );
    let answer: Vec<(String, String)> = client.query_rows(&sql).await?;
    let Some((blocks, parts)) = answer.into_iter().next() else { return Ok(None) };
    let found = parts.parse::<u64>().is_ok_and(|parts| parts > 0);
    Ok(blocks.parse::<u64>().ok().filter(|_| found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicated_tables_forget_a_token_by_its_age() {
        let days = |days: u64| Duration::from_hours(24 * days);
        assert!(!is_forgotten(days(5)) && is_forgotten(days(7)));
    }
}
