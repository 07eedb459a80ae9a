//! The ClickHouse to write to: a server, or the embedded engine with what looks after it.

use std::sync::Arc;

#[cfg(feature = "embedded")]
use super::caretaker::Caretaker;
use super::{AppBuilder, AppError};
use crate::{clickhouse::Client, config::Config, schema::Storage, shutdown::Shutdown, sync::Reopen, telemetry::Health};
#[cfg(feature = "embedded")]
use crate::{
    engine::{Access, Engine, EngineError, SupervisorOptions},
    fault,
};

/// The ClickHouse to write to.
pub(super) struct Database {
    pub(super) client: Client,
    pub(super) storage: Storage,
    /// For `addresses.json`.
    pub(super) address: String,
    /// How anybody gets in, where it is our own.
    #[cfg(feature = "embedded")]
    pub(super) access: Option<Access>,
    #[cfg(feature = "embedded")]
    pub(super) engine: Option<Arc<Engine>>,
    #[cfg(feature = "embedded")]
    caretaker: Option<Arc<Caretaker>>,
}

impl Database {
    pub(super) async fn start(builder: &AppBuilder, config: &Config) -> Result<Self, AppError> {
        if let Some(url) = &config.clickhouse.url {
            return Ok(Self {
                client: Client::new(url, &config.clickhouse)?,
                storage: Storage::Server,
                address: url.clone(),
                #[cfg(feature = "embedded")]
                access: None,
                #[cfg(feature = "embedded")]
                engine: None,
                #[cfg(feature = "embedded")]
                caretaker: None,
            });
        }
        Self::embedded(builder, config).await
    }
}

#[cfg(feature = "embedded")]
impl Database {
    async fn embedded(builder: &AppBuilder, config: &Config) -> Result<Self, AppError> {
        let path = config.data_dir.join("engine");
        let access = Access::open(&path, &config.engine.password).map_err(EngineError::from)?;
        let options = SupervisorOptions {
            program: builder.engine_program.clone(),
            ..SupervisorOptions::new(path, &config.engine, &access)
        };
        let engine = Arc::new(Engine::start(options).await?);
        let client = Client::new(&fault::way_to_engine(engine.url()), &access.client())?;
        let caretaker = Caretaker::new(Arc::clone(&engine), client.clone());
        Ok(Self {
            client,
            storage: Storage::Embedded,
            address: engine.address().to_string(),
            access: Some(access),
            caretaker: Some(Arc::new(caretaker)),
            engine: Some(engine),
        })
    }

    /// What looks after the embedded engine, where there is one.
    pub(super) fn watch(&self, health: Arc<Health>, stop: Shutdown) -> impl Future<Output = ()> + Send + 'static {
        let caretaker = self.caretaker.clone();
        async move {
            if let Some(caretaker) = caretaker {
                caretaker.watch(health, stop).await;
            }
        }
    }

    /// Opens the embedded engine anew for whoever asks, where there is one.
    pub(super) fn reopen(&self) -> Option<Arc<dyn Reopen>> {
        Some(Arc::clone(self.caretaker.as_ref()?) as Arc<dyn Reopen>)
    }
}

#[cfg(not(feature = "embedded"))]
#[expect(clippy::unused_self, reason = "as with the embedded engine, which this build does not have")]
impl Database {
    fn embedded(_builder: &AppBuilder, _config: &Config) -> std::future::Ready<Result<Self, AppError>> {
        std::future::ready(Err(AppError::NoClickHouse))
    }

    /// What looks after the embedded engine: nothing.
    pub(super) fn watch(&self, _health: Arc<Health>, _stop: Shutdown) -> impl Future<Output = ()> + Send + 'static {
        std::future::ready(())
    }

    /// A server can't be told to open its database anew.
    pub(super) fn reopen(&self) -> Option<Arc<dyn Reopen>> {
        None
    }
}
