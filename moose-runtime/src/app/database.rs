//! The ClickHouse that the application writes to: a server, or the embedded engine with the task that restarts it.

use std::{path::PathBuf, sync::Arc};

use super::AppError;
#[cfg(feature = "embedded")]
use super::caretaker::Caretaker;
use crate::{clickhouse::Client, config::Config, shutdown::Shutdown, sync::Reopen, telemetry::Health};
#[cfg(feature = "embedded")]
use crate::{
    engine::{Access, Engine, EngineError, SupervisorOptions},
    fault,
};

/// Where the embedded engine keeps its data.
pub(crate) fn engine_path(config: &Config) -> PathBuf {
    config.data_dir.join("engine")
}

/// The ClickHouse to write to.
pub(super) struct Database {
    pub(super) client: Client,
    /// For `addresses.json`.
    pub(super) address: String,
    /// Credentials of the embedded engine; `None` for a server.
    #[cfg(feature = "embedded")]
    pub(super) access: Option<Access>,
    #[cfg(feature = "embedded")]
    pub(super) engine: Option<Arc<Engine>>,
    #[cfg(feature = "embedded")]
    caretaker: Option<Arc<Caretaker>>,
}

impl Database {
    /// Connects to the configured server, or starts the embedded engine, from `program` where that is not this one.
    pub(super) async fn start(config: &Config, program: Option<PathBuf>) -> Result<Self, AppError> {
        if let Some(url) = &config.clickhouse.url {
            return Ok(Self {
                client: Client::new(url, &config.clickhouse)?,
                address: url.clone(),
                #[cfg(feature = "embedded")]
                access: None,
                #[cfg(feature = "embedded")]
                engine: None,
                #[cfg(feature = "embedded")]
                caretaker: None,
            });
        }
        Self::embedded(config, program).await
    }
}

#[cfg(feature = "embedded")]
impl Database {
    async fn embedded(config: &Config, program: Option<PathBuf>) -> Result<Self, AppError> {
        let path = engine_path(config);
        let access = Access::open(&path, &config.engine.password).map_err(EngineError::from)?;
        let options = SupervisorOptions { program, ..SupervisorOptions::new(path, &config.engine, &access) };
        let engine = Arc::new(Engine::start(options).await?);
        let client = Client::new(&fault::way_to_engine(engine.url()), &access.client())?;
        let caretaker = Caretaker::new(Arc::clone(&engine), client.clone());
        Ok(Self {
            client,
            address: engine.address().to_string(),
            access: Some(access),
            caretaker: Some(Arc::new(caretaker)),
            engine: Some(engine),
        })
    }

    /// The task that restarts the embedded engine when needed, if there is one.
    pub(super) fn watch(&self, health: Arc<Health>, stop: Shutdown) -> impl Future<Output = ()> + Send + 'static {
        let caretaker = self.caretaker.clone();
        async move {
            if let Some(caretaker) = caretaker {
                caretaker.watch(health, stop).await;
            }
        }
    }

    /// Restarts the embedded engine on request, if there is one.
    pub(super) fn reopen(&self) -> Option<Arc<dyn Reopen>> {
        Some(Arc::clone(self.caretaker.as_ref()?) as Arc<dyn Reopen>)
    }
}

#[cfg(not(feature = "embedded"))]
#[expect(clippy::unused_self, reason = "as with the embedded engine, which this build does not have")]
impl Database {
    fn embedded(_config: &Config, _program: Option<PathBuf>) -> std::future::Ready<Result<Self, AppError>> {
        std::future::ready(Err(AppError::NoClickHouse))
    }

    /// There is no embedded engine to restart.
    pub(super) fn watch(&self, _health: Arc<Health>, _stop: Shutdown) -> impl Future<Output = ()> + Send + 'static {
        std::future::ready(())
    }

    /// A server can't be restarted by us.
    pub(super) fn reopen(&self) -> Option<Arc<dyn Reopen>> {
        None
    }
}
