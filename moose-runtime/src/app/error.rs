//! Why an application could not start, go on or stop.

use std::{io, net::SocketAddr, path::PathBuf};

#[cfg(feature = "embedded")]
use crate::engine;
use crate::{
    clickhouse::ClickHouseError, config::ConfigError, declare, migrate::MigrateError, migration::MigrationError,
    stream::StreamError, sync::check::Report,
};

/// Why an application could not start, go on or stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The declarations don't fit together.
    #[error(transparent)]
    Declarations(#[from] declare::DeclarationErrors),
    /// The binary and its build script saw different declarations.
    #[error(transparent)]
    Build(#[from] declare::BuildMismatch),
    /// The data directory can't be used.
    #[error("the data directory {} can't be used: {source}; choose another with `data_dir` or MOOSE_DATA_DIR", path.display())]
    DataDirectory {
        /// The directory or the file in it.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The limit on open files is too low.
    #[error(
        "this process may have {limit} files open, at least {least} are needed: raise the hard limit (`ulimit -Hn`, \
         `LimitNOFILE=` of systemd, `--ulimit nofile=` of docker)"
    )]
    OpenFiles {
        /// The limit that is in force.
        limit: u64,
        /// What is needed.
        least: u64,
    },
    /// An address can't be listened on.
    #[error(
        "{key} = {address} can't be listened on: {source}; set another address, for example with {variable}=127.0.0.1:0"
    )]
    Listen {
        /// Configuration key of the address.
        key: &'static str,
        /// Its environment variable.
        variable: &'static str,
        /// The address.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The stream failed.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The embedded engine failed.
    #[cfg(feature = "embedded")]
    #[error(transparent)]
    Engine(#[from] engine::EngineError),
    /// ClickHouse failed.
    #[error(transparent)]
    ClickHouse(#[from] ClickHouseError),
    /// There is no ClickHouse to run on.
    #[error("clickhouse.url is not set and this program was built without the feature `embedded`: set it")]
    NoClickHouse,
    /// Kafka is configured and not built in.
    #[error(
        "kafka.brokers is set and this program was built without Kafka: give moose-runtime the feature `kafka` in [dependencies], or `kafka-tls` for TLS and SASL"
    )]
    NoKafka,
    /// The delivery guarantee does not hold for every table, and the start was to fail in that case.
    #[error(
        "not every table can be written exactly once; start with --allow-unsafe-tables to go on all the same\n{report}"
    )]
    UnsafeTables {
        /// The guarantee for each table, with reasons.
        report: Report,
    },
    /// Migrations are pending, or the tables are not as these leave them.
    #[error(
        "the tables are not as this program needs them; look with `migrate status`, apply what is pending with `migrate apply` \
         or start with --migrate:{}", problems.iter().map(|problem| format!("\n  {problem}")).collect::<Vec<_>>().concat()
    )]
    Migrations {
        /// All reasons against a start.
        problems: Vec<String>,
    },
    /// Migrations could not be applied.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// A record is not valid.
    #[error("record {index} was not appended, nor were the others: {reason}")]
    Record {
        /// Its index among those given.
        index: usize,
        /// What is wrong.
        reason: String,
    },
    /// A component of the application ended.
    #[error("{part} ended: {reason}")]
    Ended {
        /// Which component.
        part: &'static str,
        /// Why.
        reason: String,
    },
}

impl From<MigrationError> for AppError {
    fn from(error: MigrationError) -> Self {
        Self::Migrate(error.into())
    }
}

/// Exit codes, the same for every command; 2 (usage) is the argument parser's.
pub(crate) mod exit_code {
    /// Failure.
    pub(crate) const FAILURE: u8 = 1;
    /// The configuration is wrong.
    pub(crate) const CONFIGURATION: u8 = 3;
    /// Migrations are pending, or the tables are not as declared.
    pub(crate) const PENDING: u8 = 4;
    /// ClickHouse or the streams can't be reached, or the embedded engine can't be started.
    pub(crate) const UNREACHABLE: u8 = 5;
}

impl AppError {
    /// Exit code of a process that ends with this error: 1 failure, 3 configuration, 4 pending migrations or drift, 5
    /// unreachable.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_)
            | Self::Declarations(_)
            | Self::Build(_)
            | Self::NoClickHouse
            | Self::NoKafka
            | Self::Stream(StreamError::Settings { .. })
            | Self::UnsafeTables { .. }
            | Self::ClickHouse(ClickHouseError::Address { .. }) => exit_code::CONFIGURATION,
            Self::Migrations { .. } | Self::Migrate(MigrateError::Differ { .. }) => exit_code::PENDING,
            Self::ClickHouse(error) | Self::Migrate(MigrateError::ClickHouse(error)) if error.is_unreachable() => {
                exit_code::UNREACHABLE
            }
            Self::Stream(StreamError::Unreachable { .. } | StreamError::Denied { .. }) => exit_code::UNREACHABLE,
            #[cfg(feature = "embedded")]
            Self::Engine(_) => exit_code::UNREACHABLE,
            _ => exit_code::FAILURE,
        }
    }
}
