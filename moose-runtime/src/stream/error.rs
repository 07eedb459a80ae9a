//! Errors of a stream.

/// The result type of the stream's calls.
pub type Result<T, E = StreamError> = std::result::Result<T, E>;

/// An error of a stream.
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
        /// Partitions that are declared.
        declared: u16,
    },
    /// Another process has the directory open.
    #[error("{}", .message)]
    Locked {
        /// What is locked, by which process, and what to do.
        message: String,
    },
    /// The partition does not have that offset.
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
        /// Next offset to be assigned.
        end: u64,
    },
    /// Stored bytes are not what was written.
    #[error("topic `{topic}` partition {partition} is damaged at offset {offset}: {detail}")]
    Damaged {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u16,
        /// The offset.
        offset: u64,
        /// What is wrong.
        detail: String,
    },
    /// The stream accepts no more at present; nothing of the request was stored.
    #[error("topic `{topic}` can't take more: {reason}")]
    Full {
        /// Why, and what frees space.
        topic: String,
        /// Why, and what frees it.
        reason: String,
    },
    /// The storage has failed, and accepts nothing until it has recovered.
    #[error("the stream takes nothing at present: {cause}; once that is over it opens itself anew")]
    Paused {
        /// What failed.
        cause: String,
        /// Whether the request may be stored all the same: some of it was written before the failure, and it could not
        /// be recorded that it must be removed.
        maybe_stored: bool,
    },
    /// Not all records of an append were accepted.
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
        /// Records that are not stored and will not be.
        rejected: usize,
        /// Records that may be stored, or may still be.
        unknown: usize,
        /// The first error.
        reason: String,
    },
    /// A dead letter is too large for its topic.
    #[error(
        "a dead letter of {bytes} bytes is more than topic `{topic}` takes; {remedy}: its table is held until then"
    )]
    LetterTooLarge {
        /// The topic.
        topic: String,
        /// The largest of the letters.
        bytes: usize,
        /// What to do.
        remedy: String,
    },
    /// No broker responds.
    #[error("no broker of {brokers} answers: {reason}; set `kafka.brokers` to ones that do")]
    Unreachable {
        /// The brokers that were tried.
        brokers: String,
        /// The error.
        reason: String,
    },
    /// The brokers are reachable but refuse this process, or it does not trust their certificates.
    #[error("{brokers} can't be talked to: {reason}; set `kafka.properties` to what the brokers ask for")]
    Denied {
        /// The brokers that were tried.
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
        /// The failed operation, with its place.
        action: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The stream was closed.
    #[error("the stream is closed")]
    Closed,
}
