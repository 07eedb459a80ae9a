//! Why a command failed, and the exit code that says so to a program.

use std::{io, net::SocketAddr};

use crate::{
    app::AppError, clickhouse::ClickHouseError, config::ConfigError, declare::DeclarationErrors, migrate::MigrateError,
    stream::StreamError,
};

/// Exit codes, the same for every command; 2 (usage) is the argument parser's.
pub(super) mod exit_code {
    /// It failed.
    pub(in crate::cli) const FAILURE: u8 = 1;
    /// The configuration is wrong.
    pub(in crate::cli) const CONFIGURATION: u8 = 3;
    /// Migrations are pending, or the tables are not as declared.
    pub(in crate::cli) const PENDING: u8 = 4;
    /// ClickHouse can't be reached or started.
    pub(in crate::cli) const UNREACHABLE: u8 = 5;
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum CliError {
    /// No valid configuration.
    #[error(transparent)]
    Configuration(#[from] ConfigError),
    /// The declarations contradict each other.
    #[error(transparent)]
    Declarations(#[from] DeclarationErrors),
    /// The pipeline did not start, or did not go on.
    #[error(transparent)]
    App(#[from] AppError),
    /// ClickHouse refused, or could not be asked.
    #[error(transparent)]
    ClickHouse(#[from] ClickHouseError),
    /// The embedded engine did not start.
    #[cfg(feature = "embedded")]
    #[error(transparent)]
    Engine(#[from] crate::engine::EngineError),
    /// `run` would take events from anyone.
    #[error(
        "no authentication is configured, so anyone who reaches http.listen = {listen} could send events: start with --allow-anonymous if that is meant, for example behind a proxy that authenticates (this version has no authentication of its own yet)"
    )]
    Anonymous {
        /// Where the front door would listen.
        listen: SocketAddr,
    },
    /// The command needs a ClickHouse and none is configured.
    #[cfg(not(feature = "embedded"))]
    #[error("no ClickHouse is configured and none is embedded: set clickhouse.url")]
    NoClickHouse,
    /// The stream can't be opened.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// What was asked of the streams could not be had, or not be done.
    #[error("{reason}")]
    Desk {
        /// Why.
        reason: String,
    },
    /// The declarations have changes that need a word of the author.
    #[error("the declarations have changes that no migration makes unasked:\n{list}")]
    Refused {
        /// A line each, with what to write.
        list: String,
    },
    /// Migrations could not be applied.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// The system refused something that every command needs.
    #[error("failed to {action}")]
    System {
        /// What was being done.
        action: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl CliError {
    /// What the process ends with.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Configuration(_) | Self::Anonymous { .. } => exit_code::CONFIGURATION,
            Self::App(error) => error.exit_code(),
            Self::ClickHouse(error) if error.is_unreachable() => exit_code::UNREACHABLE,
            Self::Migrate(MigrateError::ClickHouse(error)) if error.is_unreachable() => exit_code::UNREACHABLE,
            Self::Migrate(MigrateError::Differ { .. }) => exit_code::PENDING,
            #[cfg(feature = "embedded")]
            Self::Engine(_) => exit_code::UNREACHABLE,
            #[cfg(not(feature = "embedded"))]
            Self::NoClickHouse => exit_code::CONFIGURATION,
            Self::Declarations(_)
            | Self::ClickHouse(_)
            | Self::Stream(_)
            | Self::Desk { .. }
            | Self::Migrate(_)
            | Self::Refused { .. }
            | Self::System { .. } => exit_code::FAILURE,
        }
    }

    /// For `map_err`: the system refused to `action`.
    pub(super) fn system(action: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::System { action, source }
    }
}
