//! The identity of records and tables: a worker finds out whose records a table has, and which of them, before it
//! starts.
//!
//! A record is identified by epoch, partition and offset, and a table by its uuid. Names don't count: packages, tables
//! and applications are renamed, and directories are restored from copies.

use std::collections::BTreeMap;

use super::{Assignment, Shared, SyncError, group, readers::readers, settings::Settings};
use crate::{
    clickhouse::ClickHouseError,
    schema::quote_identifier,
    stream::{
        EpochSpan, Epochs, Reader,
        accounting::{Way, is_other},
    },
};

/// The highest offset that a table has of each epoch of a partition. Later offsets have never reached it. Earlier ones
/// may have, whatever the cursor says: the cursor may be older than the table, or the table another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Horizon(BTreeMap<u64, u64>);

impl Horizon {
    /// Queries the table for the epochs that have offsets from `next` on.
    pub(super) async fn ask(
        shared: &Shared,
        assignment: &Assignment,
        settings: &Settings,
        next: u64,
    ) -> Result<Self, SyncError> {
        let spans = assignment.epochs.spans(next, u64::MAX);
        let epochs: Vec<String> = spans.iter().map(|EpochSpan { epoch, .. }| epoch.to_string()).collect();
        let client = &shared.client;
        let sql = format!(
            // As text, because settings decide whether ClickHouse writes large numbers in quotes.
            "SELECT toString(_stream_epoch), toString(max(_stream_offset)) FROM {} WHERE _stream_epoch IN ({}) \
             AND _stream_partition = {} AND _stream_offset >= {next} GROUP BY _stream_epoch{}",
            quote_identifier(&assignment.table.name),
            epochs.join(", "),
            assignment.partition,
            settings.probe,
        );
        // With the index over the offsets little is read; without it, the whole table.
        let answer: Vec<(String, String)> = client.unhurried().query_rows(&sql).await?;
        let number = |text: &str| {
            text.parse::<u64>().map_err(|_| ClickHouseError::Unexpected {
                url: client.url().to_owned(),
                reason: "the answer about the highest offsets is not a list of numbers".to_owned(),
            })
        };
        let mut highest = BTreeMap::new();
        for (epoch, offset) in answer {
            highest.insert(number(&epoch)?, number(&offset)?);
        }
        Ok(Self(highest))
    }

    /// Whether the table may have rows of a range that begins at `first`.
    pub(super) fn reaches(&self, epochs: &Epochs, first: u64) -> bool {
        self.0.get(&epochs.at(first)).is_some_and(|highest| *highest >= first)
    }
}

/// Fails if another group has read the partition into the same table: another application, or this one under an earlier
/// name of the table. Which of the two it is can't be known, and they must not be treated alike.
pub(super) async fn alone(shared: &Shared, assignment: &Assignment, table: uuid::Uuid) -> Result<(), SyncError> {
    let (topic, partition) = (&assignment.topic, assignment.partition);
    let way = Way {
        topic: topic.clone(),
        epoch: assignment.storage.epoch,
        table: assignment.table.name.clone(),
        group: group(&shared.app_name, &assignment.table.name),
    };
    let readers = readers(shared.backend.as_ref(), Some(&shared.client), topic, &way.group).await?;
    let other = readers.into_iter().find(|reader| reader.partition == partition && is_other(&way, Some(table), reader));
    match other {
        None => Ok(()),
        Some(Reader { group: reader, cursor, .. }) => Err(SyncError::OtherReader {
            table: way.table,
            topic: topic.clone(),
            partition,
            reader,
            next: cursor.map_or(0, |cursor| cursor.next),
            forgotten: if shared.backend.capabilities().lists_readers {
                "what the table has is not stored again where it can be asked"
            } else {
                "the topic is read from its start then, and what the table has is stored again"
            },
        }),
    }
}

/// 64 random bits, for ids that must never collide.
pub(super) fn fresh_id() -> String {
    format!("{:016x}", rand::random::<u64>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::EpochStart;

    #[test]
    fn a_range_is_in_doubt_up_to_the_highest_offset_of_its_epoch() {
        let epochs = Epochs::new([(0, 1), (10, 2)].map(|(first, epoch)| EpochStart { first, epoch }).to_vec());
        let horizon = Horizon([(1, 19)].into());
        assert!(horizon.reaches(&epochs, 9), "the table has 0..=19 of the first epoch");
        assert!(!horizon.reaches(&epochs, 10), "offset 10 is another record by now");
        let horizon = Horizon([(2, 12)].into());
        assert_eq!([9, 12, 13].map(|first| horizon.reaches(&epochs, first)), [false, true, false]);
    }
}
