//! Whether a table surely remembers the token of a range that it has, so that the range may be sent again as a whole for
//! the views behind it. Where that can't be shown the table is left alone: it would store the rows twice.

use super::{Assignment, Prepared, SyncError, settings::Settings};
use crate::{
    clickhouse::{Client, TableFacts},
    fault,
    schema::{quote_identifier, quote_string},
};

/// The boot of this machine; `None` where that can't be found out.
pub(super) fn boot() -> Option<u64> {
    if let Some(boot) = fault::boot() {
        return Some(boot);
    }
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let (high, low) = uuid::Uuid::parse_str(id.trim()).ok()?.as_u64_pair();
    Some(high ^ low)
}

/// When this machine was booted, in milliseconds since the Unix epoch; `None` where that can't be found out.
pub(super) fn booted_at() -> Option<i64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let seconds = stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse::<i64>().ok()?;
    seconds.checked_mul(1000)
}

/// Whether the table has got so few blocks since it got those of the range, which it has, that it must remember their
/// tokens, and so must every table that its views fill. Half of each window is left for what comes before the INSERT does.
pub(super) async fn is_within_windows(
    client: &Client,
    facts: &TableFacts,
    settings: &Settings,
    assignment: &Assignment,
    range: &Prepared,
) -> Result<bool, SyncError> {
    let window = facts.windows().into_iter().min().unwrap_or(0);
    let since = blocks_since(client, settings, assignment, range).await?;
    Ok(since.is_some_and(|since| since < window / 2))
}

/// How many blocks the table has got since it got those of the range, at most: block numbers only grow, and a merged part
/// keeps the lowest of those that are in it. `None` where that can't be told.
async fn blocks_since(
    client: &Client,
    settings: &Settings,
    assignment: &Assignment,
    range: &Prepared,
) -> Result<Option<u64>, SyncError> {
    let table = &assignment.table.name;
    // Parts that were merged meanwhile are listed for minutes, so none is missed between the two questions.
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
