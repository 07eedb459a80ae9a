//! The readers of a stream, by table: listing them, taking over their cursors, and forgetting them.
//!
//! The embedded log knows its readers. Brokers can't be asked which group reads for which table, so there the registry
//! beside the tables is used.

use super::{SyncError, known::Notes};
use crate::{
    clickhouse::Client,
    stream::{Backend, Cursor, Reader},
};

/// Every reader of the topic, with an entry for each partition. On Kafka, a reader other than `own` whose offset is
/// gone is reported at 0.
pub async fn readers(
    backend: &dyn Backend,
    client: Option<&Client>,
    topic: &str,
    own: &str,
) -> Result<Vec<Reader>, SyncError> {
    if backend.capabilities().lists_readers {
        return Ok(backend.readers(topic).await?);
    }
    let Some(client) = client else { return Ok(Vec::new()) };
    let epoch = backend.topic(topic).await?.epoch;
    let mut found = Vec::new();
    for (group, partition) in (Notes { client, topic, epoch }).all().await? {
        // Its own cursor is the worker's business, and is not queried here.
        let cursor = if group == own { None } else { backend.cursor(&group, topic, partition).await? };
        let gone = (group != own).then(|| Cursor::new(epoch, 0));
        let cursor = cursor.or(gone);
        found.push(Reader { group, partition, cursor });
    }
    Ok(found)
}

/// Makes `heir` continue at the cursors of `reader`. On Kafka that is recorded, and done by the process that gets the
/// partitions.
pub async fn adopt(
    backend: &dyn Backend,
    client: Option<&Client>,
    topic: &str,
    reader: &str,
    heir: &str,
) -> Result<bool, SyncError> {
    if backend.capabilities().lists_readers {
        return Ok(backend.forget_reader(topic, reader, Some(heir)).await?);
    }
    let Some(client) = client else { return Ok(false) };
    let epoch = backend.topic(topic).await?.epoch;
    Notes { client, topic, epoch }.adopt(reader, heir).await
}

/// Deletes a reader.
pub async fn forget(
    backend: &dyn Backend,
    client: Option<&Client>,
    topic: &str,
    reader: &str,
) -> Result<bool, SyncError> {
    if backend.capabilities().lists_readers {
        return Ok(backend.forget_reader(topic, reader, None).await?);
    }
    let Some(client) = client else { return Ok(false) };
    let epoch = backend.topic(topic).await?.epoch;
    Notes { client, topic, epoch }.forget(reader).await
}
