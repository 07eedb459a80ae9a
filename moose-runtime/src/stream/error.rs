//! Errors of a stream.

/// Result of the stream's calls.
pub type Result<T, E = StreamError> = std::result::Result<T, E>;

/// Why a stream could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// No topic of that name was opened.
    #[error("topic `{topic}` is not open")]
    UnknownTopic {
        /// The name asked for.
        topic: String,
    },
    /// The topic has fewer partitions.
    #[error("topic `{topic}` has no partition {partition}")]
    UnknownPartition {
        /// The topic.
        topic: String,
        /// The partition asked for.
        partition: u16,
    },
    /// Fewer partitions are declared than are stored: their records would be lost.
    #[error(
        "topic `{topic}` has {stored} partitions and {declared} are declared: partitions can't be taken away, declare {stored} or more"
    )]
    Shrunk {
        /// The topic.
        topic: String,
        /// Partitions that it has.
        stored: u16,
        /// Partitions that were asked for.
        declared: u16,
    },
    /// Another process has the directory open.
    #[error("{}", .message)]
    Locked {
        /// What is locked, by whom, and what to do.
        message: String,
    },
    /// An offset that the partition does not hold.
    #[error("topic `{topic}` partition {partition} holds offsets {start}..{end}; {wanted} was asked for")]
    OutOfRange {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u16,
        /// The offset asked for.
        wanted: u64,
        /// First offset stored.
        start: u64,
        /// Next offset to be given.
        end: u64,
    },
    /// Stored bytes are not what was written.
    #[error("topic `{topic}` partition {partition} is damaged at offset {offset}: {detail}")]
    Damaged {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u16,
        /// Where.
        offset: u64,
        /// What is wrong.
        detail: String,
    },
    /// The stream takes no more at present; nothing of the request was stored.
    #[error("topic `{topic}` can't take more: {reason}")]
    Full {
        /// The topic.
        topic: String,
        /// Why, and what frees it.
        reason: String,
    },
    /// The storage has failed, and takes nothing until it has mended itself.
    #[error("the stream takes nothing at present: {cause}; once that is over it opens itself anew")]
    Paused {
        /// What failed.
        cause: String,
        /// Whether what was asked for may be stored all the same: some of it was written before it failed, and it could not
        /// be noted that it is to go.
        maybe_stored: bool,
    },
    /// Not all records of an append were taken.
    #[error(
        "topic `{topic}` partition {partition} took {accepted} records, not {rejected}, and of {unknown} it is not known: {reason}"
    )]
    Partly {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u16,
        /// Records that are durable.
        accepted: usize,
        /// Records that are not there and will not be.
        rejected: usize,
        /// Records that may be there, or come to be.
        unknown: usize,
        /// The first error.
        reason: String,
    },
    /// A dead letter has no room in its topic.
    #[error(
        "a dead letter of {bytes} bytes is more than topic `{topic}` takes; {remedy}: its table is held until then"
    )]
    LetterTooLarge {
        /// The topic.
        topic: String,
        /// The largest of those that were to be written.
        bytes: usize,
        /// What to do.
        remedy: String,
    },
    /// No broker answers.
    #[error("no broker of {brokers} answers: {reason}; set `kafka.brokers` to ones that do")]
    Unreachable {
        /// Who was asked.
        brokers: String,
        /// The error.
        reason: String,
    },
    /// The brokers are there and don't let this process in, or are not those that it trusts.
    #[error("{brokers} can't be talked to: {reason}; set `kafka.properties` to what the brokers ask for")]
    Denied {
        /// Who was asked.
        brokers: String,
        /// The error.
        reason: String,
    },
    /// The settings of the stream's storage are wrong.
    #[error("the settings of the stream can't be used: {reason}")]
    Settings {
        /// Which, and what is wrong.
        reason: String,
    },
    /// The storage failed.
    #[error("failed to {action}: {source}")]
    Storage {
        /// What was being done, with the place.
        action: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The stream was closed.
    #[error("the stream is closed")]
    Closed,
}
