//! Finds the ClickHouse for a command: the configured one, else the engine of the running instance, else one that is
//! started for the command and stopped after it.

#[cfg(feature = "embedded")]
use std::{net::SocketAddr, time::Duration};

#[cfg(feature = "embedded")]
use super::addresses;
use super::error::CliError;
#[cfg(not(feature = "embedded"))]
use crate::app::AppError;
#[cfg(feature = "embedded")]
use crate::{
    app::engine_path,
    config::EngineConfig,
    engine::{Access, Engine, EngineError, SupervisorOptions},
    machine::private,
};
use crate::{clickhouse::Client, config::Config};

/// The ClickHouse for a command.
pub(super) struct Server {
    /// The client.
    pub(super) client: Client,
    /// The engine, if it was started for this command, and how long it may take to end.
    #[cfg(feature = "embedded")]
    engine: Option<(Engine, Duration)>,
}

impl Server {
    /// A ClickHouse that already runs.
    pub(super) fn running(config: &Config) -> Result<Option<Self>, CliError> {
        let client = match &config.clickhouse.url {
            Some(url) => Some(Client::new(url, &config.clickhouse)?),
            None => Self::of_instance(config)?,
        };
        Ok(client.map(|client| Self {
            client,
            #[cfg(feature = "embedded")]
            engine: None,
        }))
    }

    /// The engine of the running instance.
    #[cfg(feature = "embedded")]
    fn of_instance(config: &Config) -> Result<Option<Client>, CliError> {
        let Some((engine, access)) = addresses::running_engine(&config.data_dir) else { return Ok(None) };
        // The engine of an older build has no passwords.
        let access = access.map_or_else(|| Config::default().clickhouse, |access| access.client());
        Ok(Some(Client::new(&format!("http://{engine}"), &access)?))
    }

    /// This build has no engine, so none of its instances has one.
    #[cfg(not(feature = "embedded"))]
    #[expect(clippy::unnecessary_wraps, reason = "as with the embedded engine, which this build does not have")]
    fn of_instance(_: &Config) -> Result<Option<Client>, CliError> {
        Ok(None)
    }

    /// A ClickHouse that already runs, or else the embedded engine, started for the command.
    pub(super) async fn find(config: &Config) -> Result<Self, CliError> {
        match Self::running(config)? {
            Some(server) => Ok(server),
            None => Self::start(config).await,
        }
    }

    #[cfg(feature = "embedded")]
    async fn start(config: &Config) -> Result<Self, CliError> {
        private::data_directory(&config.data_dir).map_err(CliError::system("use the data directory"))?;
        let path = engine_path(config);
        let access = Access::open(&path, &config.engine.password).map_err(EngineError::from)?;
        // Nobody else needs its address, so any port will do.
        let own = EngineConfig { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..config.engine.clone() };
        let engine = Engine::start(SupervisorOptions::new(path, &own, &access)).await?;
        let client = Client::new(&engine.url(), &access.client())?;
        Ok(Self { client, engine: Some((engine, config.shutdown.deadline)) })
    }

    #[cfg(not(feature = "embedded"))]
    #[expect(clippy::unused_async, reason = "the embedded engine's counterpart waits")]
    async fn start(_: &Config) -> Result<Self, CliError> {
        Err(AppError::NoClickHouse.into())
    }

    /// Whether it was started for the command, so that nobody else writes to it.
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

    /// Stops the engine if it was started for the command.
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
