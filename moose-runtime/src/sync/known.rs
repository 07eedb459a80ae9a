//! Which partitions a table was filled from, noted in the database beside it.
//!
//! Brokers forget the cursors of groups that are away for long, and operators delete them. Without a note such a group
//! would look like a new one, and the table would be filled once more.

use super::SyncError;
use crate::{
    clickhouse::Client,
    schema::{quote_identifier, quote_string},
};

/// Where the notes lie.
const TABLE: &str = "_moose_groups";

/// One partition, as a group reads it.
pub(super) struct Known<'a> {
    pub(super) client: &'a Client,
    pub(super) group: &'a str,
    pub(super) topic: &'a str,
    pub(super) partition: u16,
    /// Which topic of that name.
    pub(super) epoch: u64,
}

impl Known<'_> {
    /// Whether the group has begun to read the partition before.
    pub(super) async fn is_noted(&self) -> Result<bool, SyncError> {
        let Self { client, group, topic, partition, epoch } = self;
        let table = quote_identifier(TABLE);
        client
            .execute(&format!(
                "CREATE TABLE IF NOT EXISTS {table} (group String, topic String, partition UInt16, topic_epoch UInt64, \
                 since DateTime64(3, 'UTC') DEFAULT now64(3)) ENGINE = MergeTree ORDER BY (group, topic, partition)"
            ))
            .await?;
        let (group, topic) = (quote_string(group), quote_string(topic));
        let sql = format!(
            "SELECT topic FROM {table} WHERE group = {group} AND topic = {topic} AND partition = {partition} \
             AND topic_epoch = {epoch} LIMIT 1"
        );
        let found: Vec<(String,)> = client.query_rows(&sql).await?;
        Ok(!found.is_empty())
    }

    /// Notes that it has.
    pub(super) async fn note(&self) -> Result<(), SyncError> {
        let Self { client, group, topic, partition, epoch } = self;
        let (group, topic) = (quote_string(group), quote_string(topic));
        let table = quote_identifier(TABLE);
        let sql = format!(
            "INSERT INTO {table} (group, topic, partition, topic_epoch) VALUES ({group}, {topic}, {partition}, {epoch})"
        );
        Ok(client.execute(&sql).await?)
    }
}
