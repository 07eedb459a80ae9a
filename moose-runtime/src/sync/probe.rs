//! The probe: a query for the rows of a range that the table has.

use std::collections::BTreeSet;

use super::{Assignment, Prepared, SyncError, settings::Settings};
use crate::{
    clickhouse::{ClickHouseError, Client},
    schema::quote_identifier,
};

/// Offsets of the range that the table lacks. Fails if it has one of them twice.
pub(super) async fn missing(
    client: &Client,
    settings: &Settings,
    assignment: &Assignment,
    range: &Prepared,
    offsets: &BTreeSet<u64>,
) -> Result<BTreeSet<u64>, SyncError> {
    let sql = format!(
        // As text, because settings decide whether ClickHouse writes large numbers in quotes.
        "SELECT toString(_stream_offset) FROM {} WHERE _stream_epoch = {} AND _stream_partition = {} \
         AND _stream_offset BETWEEN {} AND {}{}",
        quote_identifier(&assignment.table.name),
        assignment.epochs.at(range.first),
        assignment.partition,
        range.first,
        range.last,
        settings.probe,
    );
    let answer: Vec<(String,)> = client.query_rows(&sql).await?;
    let mut found = BTreeSet::new();
    for (text,) in answer {
        let offset = text.parse::<u64>().map_err(|_| ClickHouseError::Unexpected {
            url: client.url().to_owned(),
            reason: "the answer to a probe is not a list of offsets".to_owned(),
        })?;
        if !found.insert(offset) {
            let (table, partition) = (assignment.table.name.clone(), assignment.partition);
            return Err(SyncError::Doubled { table, partition, offset });
        }
    }
    Ok(offsets.difference(&found).copied().collect())
}
