//! Errors of draining a table.

use crate::clickhouse::ClickHouseError;

/// Why a table can't be drained, or is no longer drained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DrainError {
    /// ClickHouse refused, or could not be reached.
    #[error(transparent)]
    ClickHouse(#[from] ClickHouseError),
    /// The table to drain does not exist.
    #[error("table `{table}` is to be drained, and is not there")]
    NoTable {
        /// Its name.
        table: String,
    },
    /// The table is drained: nothing may be written to it at present.
    #[error("table `{table}` is drained: its records wait in the stream until that is done")]
    Drained {
        /// Its name.
        table: String,
    },
    /// Another process has lifted the drain.
    #[error("the drain of table `{table}` was lifted meanwhile, because it was not renewed for {lease} s")]
    Lifted {
        /// Its name.
        table: String,
        /// The lease: how long a drain is valid without being renewed, in seconds.
        lease: u64,
    },
}
