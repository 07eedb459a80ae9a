//! Errors of the sync: why a range is not in its table yet. After each of them the range is kept and retried.

use super::cause::{Hiding, Misfit, TrialFinding};
use crate::{clickhouse::ClickHouseError, drain::DrainError, stream::StreamError};

/// Why a range could not be delivered at this try.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// A query of ClickHouse failed.
    #[error(transparent)]
    ClickHouse(#[from] ClickHouseError),
    /// An INSERT failed or was refused.
    #[error(transparent)]
    Insert(ClickHouseError),
    /// The stream failed.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The table is drained, or it is unknown whether it is.
    #[error(transparent)]
    Drain(#[from] DrainError),
    /// There is no such table.
    #[error(
        "table `{table}` does not exist in database `{database}`: if it was renamed, give it its name back; once that is settled, a restart makes a table \
         that is missing, empty"
    )]
    NoTable {
        /// Its name.
        table: String,
        /// The database.
        database: String,
    },
    /// The table is not the one that the cursor knows.
    #[error(
        "table `{table}` is not the one this stream was synced into (it has uuid {found}, the cursor knows {known}): \
         start once with `--from earliest` to fill it with all that the stream still has and it lacks (views behind it get that again), or with `--from next` to go on \
         with new records only"
    )]
    TableReplaced {
        /// Its name.
        table: String,
        /// Its uuid.
        found: uuid::Uuid,
        /// The uuid in the cursor.
        known: uuid::Uuid,
    },
    /// Another group has read the partition into the same table.
    #[error(
        "topic `{topic}` partition {partition} was read into table `{table}` by `{reader}` too, up to offset {next}: if that was this application \
         under another name, `readers adopt {reader}` goes on where it was; if not, `readers forget {reader}` gives up its place \
         ({forgotten})"
    )]
    OtherReader {
        /// The table.
        table: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: u16,
        /// The other's group.
        reader: String,
        /// Every offset below is done by it.
        next: u64,
        /// What happens if it is forgotten.
        forgotten: &'static str,
    },
    /// An answer where to resume is given, but one was already used at an earlier start.
    #[error(
        "{hold} (`--from` is given and does not count: it counts once, and did at an earlier start; start once without it, and it \
         counts again)"
    )]
    UsedUp {
        /// What holds the table.
        hold: Box<SyncError>,
    },
    /// The table's columns can't accept the block.
    #[error("table `{table}` differs from its declaration: {differences}")]
    Columns {
        /// Its name.
        table: String,
        /// All that differs.
        differences: String,
    },
    /// The table has a record of the range more than once.
    #[error(
        "table `{table}` holds offset {offset} of partition {partition} more than once; it was not written by this application alone"
    )]
    Doubled {
        /// Its name.
        table: String,
        /// The partition.
        partition: u16,
        /// The first offset with duplicates.
        offset: u64,
    },
    /// The group has read the partition before, and the brokers have no offset of it.
    #[error(
        "the brokers have lost the offset of `{group}` on topic `{topic}` partition {partition}, which holds {start}..{end}: \
         start with `--from earliest` to fill the table from the oldest record still stored, with `--from next` to go on with \
         new records only, or set the group's offset with Kafka's own tools"
    )]
    LostCursor {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: u16,
        /// First offset stored.
        start: u64,
        /// Next offset to be assigned.
        end: u64,
    },
    /// The topic has another id than the one that the cursor was written for, and offsets that fit the cursor.
    #[error(
        "topic `{topic}` is not the one that `{group}` has read, by its id, and its partition {partition} holds {start}..{end}, \
         with the offset {next} where that was left: if it was moved here with its records, start with `--from next` to go on \
         at {next}; if it was deleted and made anew, start with `--from earliest` to read it from its start"
    )]
    AnotherTopic {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: u16,
        /// Every offset below was done.
        next: u64,
        /// First offset stored.
        start: u64,
        /// Next offset to be assigned.
        end: u64,
    },
    /// The cursor names offsets that the partition does not have.
    #[error(
        "the offset of `{group}` does not fit topic `{topic}` partition {partition}, which holds {start}..{end}: {misfit}; \
         start with `--from earliest` to go on with the oldest record still stored, or with `--from next` to go on with \
         new records only"
    )]
    Truncated {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: u16,
        /// First offset stored.
        start: u64,
        /// Next offset to be assigned.
        end: u64,
        /// What does not fit.
        misfit: Misfit,
    },
    /// The partition was revoked.
    #[error("topic `{topic}` partition {partition} was given to another process")]
    Revoked {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u16,
    },
    /// The partition is no longer the one that the work began with.
    #[error(
        "topic `{topic}` partition {partition} was deleted and made anew, or its group was moved: it is begun anew"
    )]
    MadeAnew {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u16,
    },
    /// The table was asked too long ago which rows it has.
    #[error("what table `{table}` has was asked too long ago to act on it; it is asked anew")]
    Stale {
        /// Its name.
        table: String,
    },
    /// A Replicated table confirmed rows that it does not have.
    #[error(
        "table `{table}` confirmed offsets {first}..={last} but lacks {missing} of them; a replicated table should never do that"
    )]
    ReplicatedShort {
        /// Its name.
        table: String,
        /// First offset of the range.
        first: u64,
        /// Last offset of the range.
        last: u64,
        /// How many rows are missing.
        missing: usize,
    },
    /// The table confirms rows again and again, but they can't be read.
    #[error(
        "table `{table}` has confirmed offsets {first}..={last} and does not show {missing} of them: {why}; they are not sent \
         again before, so that they are not stored again and again"
    )]
    NotShown {
        /// Its name.
        table: String,
        /// First offset of the range.
        first: u64,
        /// Last offset of the range.
        last: u64,
        /// How many rows can't be seen.
        missing: usize,
        /// What may hide them, and what to do.
        why: Hiding,
    },
    /// The cursor belongs to another stream.
    #[error(
        "the cursor of `{group}` on topic `{topic}` partition {partition} has epoch {known:016x}, the topic has {found:016x}: \
         they do not belong together; was a part of the data directory replaced?"
    )]
    ForeignCursor {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: u16,
        /// Epoch in the cursor.
        known: u64,
        /// Epoch of the topic.
        found: u64,
    },
    /// Records that the cursor needs are gone.
    #[error(
        "the cursor of `{group}` on topic `{topic}` partition {partition} is at {wanted}, the partition holds {start}..{end}"
    )]
    OutOfRange {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: u16,
        /// The offset needed.
        wanted: u64,
        /// First offset stored.
        start: u64,
        /// Next offset to be assigned.
        end: u64,
    },
    /// A trial was made of rows that ClickHouse refuses, and no single rows are at fault.
    #[error(
        "table `{table}` refuses offsets {first}..={last}, and a table made like it {finding}{answer}; \
         {}: nothing is lost meanwhile", .finding.advice()
    )]
    Trial {
        /// The table.
        table: String,
        /// First offset of the range.
        first: u64,
        /// Last offset of the range.
        last: u64,
        /// The result of the trial.
        finding: TrialFinding,
        /// ClickHouse's error code.
        code: Option<u32>,
        /// ClickHouse's message, after a colon.
        answer: String,
    },
    /// The process has ended several times with this range on its way.
    #[error(
        "the process ended {attempts} times while offsets {first}..={last} of topic `{topic}` partition {partition} were on \
         their way into table `{table}`, and was not told to: see why in its log or the system's (was it out of memory?). \
         The range is tried again every minute"
    )]
    Crashes {
        /// The table.
        table: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: u16,
        /// First offset of the range.
        first: u64,
        /// Last offset of the range.
        last: u64,
        /// How often.
        attempts: u32,
    },
    /// The process is stopping, and this can wait for the next start.
    #[error("the process stops; the next start goes on")]
    Stopping,
    /// The code that decodes records panicked.
    #[error("topic `{topic}` partition {partition}: decoding the records from offset {offset} on panicked")]
    Panicked {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u16,
        /// First record of the chunk.
        offset: u64,
    },
}

impl SyncError {
    /// The error of ClickHouse, or of reaching it, whatever the request was.
    fn clickhouse(&self) -> Option<&ClickHouseError> {
        match self {
            Self::ClickHouse(error) | Self::Insert(error) | Self::Drain(DrainError::ClickHouse(error)) => Some(error),
            _ => None,
        }
    }

    /// ClickHouse's error code, if it was ClickHouse that responded.
    pub fn code(&self) -> Option<u32> {
        match self {
            Self::Trial { code, .. } => *code,
            other => other.clickhouse().and_then(ClickHouseError::code),
        }
    }

    /// Whether the server was away and is back.
    pub(super) fn is_return(&self) -> bool {
        self.clickhouse().is_some_and(ClickHouseError::is_return)
    }

    /// How long a response was waited for in vain.
    pub(super) fn waited(&self) -> std::time::Duration {
        self.clickhouse().map(ClickHouseError::waited).unwrap_or_default()
    }

    /// Whether the server did not respond at all.
    pub(super) fn is_unreachable(&self) -> bool {
        self.clickhouse().is_some_and(ClickHouseError::is_unreachable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_clickhouse_is_recognised_whatever_it_was_asked_for() {
        let of: [fn(ClickHouseError) -> SyncError; 3] =
            [SyncError::ClickHouse, SyncError::Insert, |error| SyncError::Drain(DrainError::ClickHouse(error))];
        let url = || "http://c".to_owned();
        for wrap in of {
            let away = wrap(ClickHouseError::Unreachable { url: url(), reason: "refused".to_owned() });
            assert!(away.is_unreachable() && !away.is_return() && away.code().is_none(), "{away:?}");
            let waited = std::time::Duration::from_secs(12);
            let back = wrap(ClickHouseError::Returned { url: url(), waited });
            assert!(back.is_unreachable() && back.is_return() && back.waited() == waited, "{back:?}");
            let full = wrap(ClickHouseError::Exception { code: 243, text: "Code: 243".to_owned() });
            assert!(!full.is_unreachable() && full.code() == Some(243), "{full:?}");
        }
    }
}
