//! Errors of the commands, each with its exit code.

use std::{io, net::SocketAddr};

use crate::app::{AppError, exit_code};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum CliError {
    /// An error of the application, which would fail in the same way without the command.
    #[error(transparent)]
    App(AppError),
    /// `run` would accept events from anyone.
    #[error(
        "no authentication is configured, so anyone who reaches http.listen = {listen} could send events: start with --allow-anonymous if that is meant, for example behind a proxy that authenticates (this version has no authentication of its own yet)"
    )]
    Anonymous {
        /// The front door's address.
        listen: SocketAddr,
    },
    /// A request about dead letters or readers failed.
    #[error("{reason}")]
    Desk {
        /// Why.
        reason: String,
    },
    /// The declarations have changes that need a decision of the author.
    #[error("the declarations have changes that no migration makes unasked:\n{list}")]
    Refused {
        /// One line each, with what to write.
        list: String,
    },
    /// The system refused something that every command needs.
    #[error("failed to {action}")]
    System {
        /// The failed action.
        action: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl<E> From<E> for CliError
where
    AppError: From<E>,
{
    fn from(error: E) -> Self {
        Self::App(error.into())
    }
}

impl CliError {
    /// The exit code of the process.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::App(error) => error.exit_code(),
            Self::Anonymous { .. } => exit_code::CONFIGURATION,
            Self::Desk { .. } | Self::Refused { .. } | Self::System { .. } => exit_code::FAILURE,
        }
    }

    /// For `map_err`: the system refused to `action`.
    pub(super) fn system(action: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::System { action, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clickhouse::ClickHouseError, declare::DeclarationErrors, stream::StreamError};

    #[test]
    fn a_failure_has_one_exit_code_whichever_command_meets_it() {
        let configuration: [CliError; 3] = [
            DeclarationErrors { errors: Vec::new() }.into(),
            StreamError::Settings { reason: "no such property".to_owned() }.into(),
            ClickHouseError::Address { url: "nowhere".to_owned(), reason: "no scheme".to_owned() }.into(),
        ];
        assert_eq!(configuration.map(|error| error.exit_code()), [exit_code::CONFIGURATION; 3]);
        let unreachable = || StreamError::Unreachable { brokers: "a:1".to_owned(), reason: "no answer".to_owned() };
        let codes =
            [CliError::from(unreachable()), AppError::from(unreachable()).into()].map(|error| error.exit_code());
        assert_eq!(codes, [exit_code::UNREACHABLE; 2], "of `dead-letters` and of `run`");
    }
}
