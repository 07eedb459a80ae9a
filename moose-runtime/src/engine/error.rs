//! Errors of the embedded engine, as seen by the program that starts it.

use std::{io, net::SocketAddr, path::PathBuf, time::Duration};

use super::{access::AccessError, library::LibraryError};

/// Why the embedded engine could not be started or restarted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The library is missing and could not be downloaded.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The passwords of its users are not available.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The child process could not be started.
    #[error("could not start {program} as the engine's process", program = program.display())]
    Spawn {
        /// The program that was started.
        program: PathBuf,
        /// The system error.
        #[source]
        source: io::Error,
    },
    /// The child process ended or failed before it was ready.
    #[error("the embedded engine on {path} did not start: {reason}", path = path.display())]
    Refused {
        /// The data path.
        path: PathBuf,
        /// The child's last message.
        reason: String,
    },
    /// The child process was not ready in time.
    #[error(
        "the embedded engine on {path} was not ready after {seconds} s; its last word: {last}",
        path = path.display(),
        seconds = waited.as_secs()
    )]
    NotReady {
        /// The data path.
        path: PathBuf,
        /// The timeout.
        waited: Duration,
        /// The child's last message.
        last: String,
    },
    /// The engine was stopped.
    #[error("the embedded engine is stopped")]
    Stopped,
}

/// Why the engine's process could not open or serve its data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The library could not be loaded.
    #[error("could not load the engine library {path}: {source}", path = path.display())]
    Load {
        /// The library.
        path: PathBuf,
        /// The loader's error.
        #[source]
        source: libloading::Error,
    },
    /// The library is not the one that this was made for.
    #[error(
        "the engine library {path} can't be a server by itself: {reason}; unset MOOSE_ENGINE_LIBRARY to have the right \
         one fetched, or set clickhouse.url to a ClickHouse server",
        path = path.display()
    )]
    Incapable {
        /// The library.
        path: PathBuf,
        /// What it lacks.
        reason: String,
    },
    /// ClickHouse did not open its data, or ended by itself.
    #[error("ClickHouse on {path} ended: {reason}", path = path.display())]
    Ended {
        /// The data path.
        path: PathBuf,
        /// ClickHouse's message.
        reason: String,
    },
    /// The data path is not UTF-8, which the library requires.
    #[error("the engine's data directory {path} has a name that is not UTF-8: choose another", path = path.display())]
    Name {
        /// The data path.
        path: PathBuf,
    },
    /// The data directory can't be created or written.
    #[error("could not prepare the engine's data directory {path}: {source}", path = path.display())]
    Directory {
        /// The data path.
        path: PathBuf,
        /// The system error.
        #[source]
        source: io::Error,
    },
    /// Another engine uses the same data.
    #[error(
        "the engine's data directory {path} is in use by {holder}: stop that first, or choose another data directory",
        path = path.display()
    )]
    InUse {
        /// The data path.
        path: PathBuf,
        /// The process that has it, according to its lock file.
        holder: String,
    },
    /// The port can't be opened.
    #[error("could not listen on {address} for the engine: {source}; choose another with engine.listen")]
    Listen {
        /// The requested address.
        address: SocketAddr,
        /// The system error.
        #[source]
        source: io::Error,
    },
    /// The process could not set up its runtime or signals.
    #[error("could not set up the engine's process: {source}")]
    Process {
        /// The system error.
        #[source]
        source: io::Error,
    },
}
