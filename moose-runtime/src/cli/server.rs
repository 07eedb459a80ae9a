//! The ClickHouse that a command asks: the configured one, else the engine of the running instance, else one that is
//! started for the command and stopped after it.

#[cfg(feature = "embedded")]
use std::{net::SocketAddr, time::Duration};

use super::{addresses, error::CliError};
use crate::{
    clickhouse::Client,
    config::{ClickHouseConfig, Config},
};
#[cfg(feature = "embedded")]
use crate::{
    engine::{Engine, SupervisorOptions},
    machine::private,
};

/// A ClickHouse to ask.
pub(super) struct Server {
    /// Asks it.
    pub(super) client: Client,
    /// Runs for this command only, and may take so long to end.
    #[cfg(feature = "embedded")]
    engine: Option<(Engine, Duration)>,
}

impl Server {
    /// The ClickHouse that is there without starting one.
    pub(super) fn running(config: &Config) -> Result<Option<Self>, CliError> {
        let client = match (&config.clickhouse.url, addresses::running_engine(&config.data_dir)) {
            (Some(url), _) => Client::new(url, &config.clickhouse)?,
            (None, Some(engine)) => Client::new(&format!("http://{engine}"), &embedded())?,
            (None, None) => return Ok(None),
        };
        Ok(Some(Self {
            client,
            #[cfg(feature = "embedded")]
            engine: None,
        }))
    }

    /// The ClickHouse that is there; where none is, the embedded engine, started for the command.
    pub(super) async fn find(config: &Config) -> Result<Self, CliError> {
        match Self::running(config)? {
            Some(server) => Ok(server),
            None => Self::start(config).await,
        }
    }

    #[cfg(feature = "embedded")]
    async fn start(config: &Config) -> Result<Self, CliError> {
        private::data_directory(&config.data_dir).map_err(CliError::system("use the data directory"))?;
        let options = SupervisorOptions {
            program: None,
            path: super::engine_path(config),
            // Nobody else is told where it is, so any port will do.
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let engine = Engine::start(options).await?;
        let client = Client::new(&engine.url(), &embedded())?;
        Ok(Self { client, engine: Some((engine, config.shutdown.deadline)) })
    }

    #[cfg(not(feature = "embedded"))]
    #[expect(clippy::unused_async, reason = "the embedded engine's counterpart waits")]
    async fn start(_: &Config) -> Result<Self, CliError> {
        Err(CliError::NoClickHouse)
    }

    /// Whether it was started for the command, so that nobody else writes into it.
    #[cfg(feature = "embedded")]
    pub(super) fn is_own(&self) -> bool {
        self.engine.is_some()
    }

    /// Nothing was started for the command.
    #[cfg(not(feature = "embedded"))]
    #[expect(clippy::unused_self, reason = "as with the embedded engine, which this build does not have")]
    pub(super) fn is_own(&self) -> bool {
        false
    }

    /// Ends what was started for the command.
    #[cfg(feature = "embedded")]
    pub(super) async fn close(self) {
        if let Some((engine, deadline)) = self.engine {
            engine.stop(deadline).await;
        }
    }

    /// Nothing was started for the command.
    #[cfg(not(feature = "embedded"))]
    #[expect(clippy::unused_async, reason = "the embedded engine's counterpart waits")]
    pub(super) async fn close(self) {}
}

/// How the embedded engine is talked to; user, password and database of the configuration are the server's.
fn embedded() -> ClickHouseConfig {
    Config::default().clickhouse
}
