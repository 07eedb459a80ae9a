//! Errors of finding the library: why there is none to use, and what was tried.

use std::{fmt, io, path::PathBuf};

use super::pins;

/// Why no library can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LibraryError {
    /// There is no library for this platform.
    #[error(
        "the embedded engine has no checked library for {platform}: run on linux x86_64 with glibc, or set \
         clickhouse.url to a ClickHouse server"
    )]
    UnsupportedPlatform {
        /// Operating system and processor.
        platform: String,
    },
    /// The file that `MOOSE_ENGINE_LIBRARY` names is not the pinned library.
    #[error(
        "MOOSE_ENGINE_LIBRARY names {path}, which is damaged or another version: its SHA-256 is {found}, expected \
         {expected} (chDB {version}); unset the variable to have the right file fetched",
        path = path.display(),
        version = pins::VERSION
    )]
    WrongLibrary {
        /// The file.
        path: PathBuf,
        /// The hash of the pinned library.
        expected: String,
        /// The hash of the file.
        found: String,
    },
    /// A file can't be read.
    #[error(
        "could not read the engine library {path}: {source}; name another with MOOSE_ENGINE_LIBRARY, or unset it to \
         have the library fetched",
        path = path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system error.
        #[source]
        source: io::Error,
    },
    /// There is no directory to keep the library in.
    #[error(
        "could not use the cache directory {path} for the engine library: {source}; make it writable, or set \
         XDG_CACHE_HOME or MOOSE_ENGINE_LIBRARY",
        path = path.display()
    )]
    Cache {
        /// The directory.
        path: PathBuf,
        /// The system error.
        #[source]
        source: io::Error,
    },
    /// Every source failed.
    #[error("{}", describe_attempts(attempts))]
    NotFound {
        /// The sources that were tried, in order.
        attempts: Vec<Attempt>,
    },
}

/// One source, and why it failed.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The source.
    pub way: String,
    /// Why it failed.
    pub reason: String,
}

impl fmt::Display for Attempt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.way, self.reason)
    }
}

fn describe_attempts(attempts: &[Attempt]) -> String {
    let mut text = format!("could not get the library of the embedded engine (chDB {}); tried", pins::VERSION);
    for attempt in attempts {
        text.push_str("\n  - ");
        text.push_str(&attempt.to_string());
    }
    text.push_str(
        "\nwhat helps: a network that reaches one of these, npm on the PATH, a copy of the file named by \
         MOOSE_ENGINE_LIBRARY, or clickhouse.url set to a ClickHouse server",
    );
    text
}
