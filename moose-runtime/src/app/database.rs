//! The ClickHouse to write to: a server, or the embedded engine with what looks after it.

use std::sync::Arc;

#[cfg(feature = "embedded")]
use super::caretaker::Caretaker;
use super::{AppBuilder, AppError};
#[cfg(feature = "embedded")]
use crate::engine::{Engine, SupervisorOptions};
use crate::{clickhouse::Client, config::Config, schema::Storage, shutdown::Shutdown, sync::Reopen, telemetry::Health};

/// The ClickHouse to write to.
pub(super) struct Database {
    pub(super) client: Client,
    pub(super) storage: Storage,
    /// For `addresses.json`.
    pub(super) address: String,
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
        let options = SupervisorOptions {
            program: builder.engine_program.clone(),
            path: config.data_dir.join("engine"),
            listen: config.engine.listen,
        };
        let engine = Arc::new(Engine::start(options).await?);
        let client =
            Client::new(&engine.url(), &crate::config::ClickHouseConfig { url: None, ..Config::default().clickhouse })?;
        let caretaker = Caretaker::new(Arc::clone(&engine), client.clone());
        Ok(Self {
            client,
            storage: Storage::Embedded,
            address: engine.address().to_string(),
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
