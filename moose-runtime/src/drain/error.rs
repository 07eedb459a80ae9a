//! Errors of draining a table.

use crate::clickhouse::ClickHouseError;

/// Why a table can't be drained, or is not any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DrainError {
    /// ClickHouse refused, or could not be asked.
    #[error(transparent)]
    ClickHouse(#[from] ClickHouseError),
    /// There is nothing to drain.
    #[error("table `{table}` is to be drained, and is not there")]
    NoTable {
        /// Its name.
        table: String,
    },
    /// Nothing is to be written into it at present.
    #[error("table `{table}` is drained: its records wait in the stream until that is done")]
    Drained {
        /// Its name.
        table: String,
    },
    /// Somebody has lifted the drain.
    #[error("the drain of table `{table}` was lifted meanwhile, because it was not renewed for {lease} s")]
    Lifted {
        /// Its name.
        table: String,
        /// How long it is valid without being renewed, in seconds.
        lease: u64,
    },
}
