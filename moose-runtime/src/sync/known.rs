//! The registry of groups (`_moose_groups`): which partitions a table was filled from and by which group, stored in the
//! database beside it.
//!
//! Brokers delete the cursors of groups that are inactive for long, and operators delete them too. Without this
//! registry such a group would look like a new one, and the table would be filled a second time. The same would happen
//! after the application was renamed, because that makes another group.

use super::SyncError;
use crate::{
    clickhouse::{ClickHouseError, Client},
    schema::{quote_identifier, quote_string},
};

/// The table of the registry.
const TABLE: &str = "_moose_groups";
/// `UNKNOWN_IDENTIFIER`: the table was created by a version that did not record adoptions.
const UNKNOWN_IDENTIFIER: u32 = 47;
/// `UNKNOWN_TABLE`: nothing is registered yet.
const UNKNOWN_TABLE: u32 = 60;

/// The entries of a topic.
pub(super) struct Notes<'a> {
    pub(super) client: &'a Client,
    pub(super) topic: &'a str,
    /// The epoch that identifies the topic.
    pub(super) epoch: u64,
}

impl Notes<'_> {
    fn table() -> String {
        quote_identifier(TABLE)
    }

    /// The condition that selects this topic's entries.
    fn of_topic(&self) -> String {
        format!("topic = {} AND topic_epoch = {}", quote_string(self.topic), self.epoch)
    }

    async fn make_table(&self) -> Result<(), SyncError> {
        let table = Self::table();
        self.client
            .execute(&format!(
                "CREATE TABLE IF NOT EXISTS {table} (group String, topic String, partition UInt16, topic_epoch UInt64, \
                 since DateTime64(3, 'UTC') DEFAULT now64(3), adopts String) \
                 ENGINE = MergeTree ORDER BY (group, topic, partition)"
            ))
            .await?;
        Ok(())
    }

    /// Every group that has begun to read, with its partitions.
    pub(super) async fn all(&self) -> Result<Vec<(String, u16)>, SyncError> {
        let (table, of_topic) = (Self::table(), self.of_topic());
        let sql = format!("SELECT DISTINCT group, partition FROM {table} WHERE {of_topic} ORDER BY group, partition");
        match self.client.query_rows(&sql).await {
            Err(ClickHouseError::Exception { code: UNKNOWN_TABLE, .. }) => Ok(Vec::new()),
            answer => Ok(answer?),
        }
    }

    /// Records that `heir` continues for a group, which is then no longer registered. Returns whether it was.
    pub(super) async fn adopt(&self, group: &str, heir: &str) -> Result<bool, SyncError> {
        let (table, of_topic) = (Self::table(), self.of_topic());
        if !self.all().await?.iter().any(|(known, _)| known == group) {
            return Ok(false);
        }
        let (quoted, heir) = (quote_string(group), quote_string(heir));
        self.client.execute(&format!("ALTER TABLE {table} ADD COLUMN IF NOT EXISTS adopts String")).await?;
        self.client
            .note(&format!(
                "INSERT INTO {table} (group, topic, partition, topic_epoch, adopts) SELECT DISTINCT {heir}, topic, \
                 partition, topic_epoch, {quoted} FROM {table} WHERE group = {quoted} AND {of_topic}"
            ))
            .await?;
        self.forget(group).await
    }

    /// Deletes a group's entries. Returns whether it was registered.
    pub(super) async fn forget(&self, group: &str) -> Result<bool, SyncError> {
        let known = self.all().await?.iter().any(|(known, _)| known == group);
        if known {
            let (table, group, of_topic) = (Self::table(), quote_string(group), self.of_topic());
            let delete = format!("ALTER TABLE {table} DELETE WHERE group = {group} AND {of_topic}");
            self.client.execute(&format!("{delete} SETTINGS mutations_sync = 2")).await?;
        }
        Ok(known)
    }
}

/// One partition as read by a group.
pub(super) struct Known<'a> {
    pub(super) notes: Notes<'a>,
    pub(super) group: &'a str,
    pub(super) partition: u16,
}

impl Known<'_> {
    fn of_partition(&self) -> String {
        let Self { notes, group, partition } = self;
        format!("group = {} AND partition = {partition} AND {}", quote_string(group), notes.of_topic())
    }

    /// Whether the group is registered as having read the partition.
    pub(super) async fn is_noted(&self) -> Result<bool, SyncError> {
        self.notes.make_table().await?;
        let (table, of_partition) = (Notes::table(), self.of_partition());
        let sql = format!("SELECT topic FROM {table} WHERE {of_partition} LIMIT 1");
        let found: Vec<(String,)> = self.notes.client.query_rows(&sql).await?;
        Ok(!found.is_empty())
    }

    /// The group that this one is to continue for, if any.
    pub(super) async fn adopts(&self) -> Result<Option<String>, SyncError> {
        let (table, of_partition) = (Notes::table(), self.of_partition());
        let sql =
            format!("SELECT adopts FROM {table} WHERE {of_partition} AND adopts != '' ORDER BY since DESC LIMIT 1");
        match self.notes.client.query_rows::<(String,)>(&sql).await {
            Err(ClickHouseError::Exception { code: UNKNOWN_IDENTIFIER | UNKNOWN_TABLE, .. }) => Ok(None),
            answer => Ok(answer?.into_iter().next().map(|(adopts,)| adopts)),
        }
    }

    /// Records that the group continues for another one, in all partitions registered for that.
    pub(super) async fn take_place_of(&self, former: &str) -> Result<(), SyncError> {
        self.notes.adopt(former, self.group).await.map(drop)
    }

    /// Registers that the group reads the partition.
    pub(super) async fn note(&self) -> Result<(), SyncError> {
        let Self { notes, group, partition } = self;
        let (group, topic, epoch) = (quote_string(group), quote_string(notes.topic), notes.epoch);
        let table = Notes::table();
        let sql = format!(
            "INSERT INTO {table} (group, topic, partition, topic_epoch) VALUES ({group}, {topic}, {partition}, {epoch})"
        );
        Ok(notes.client.note(&sql).await?)
    }
}
