//! The handle of a running application: its addresses, its state, and how it stops.

use std::{net::SocketAddr, sync::Arc};

use super::{Addresses, AppError, Producer, Topology, parts::Parts};
#[cfg(feature = "embedded")]
use crate::engine::Access;
use crate::{
    clickhouse::{Client, Query},
    config::Config,
    declare::Stream,
    record::OlapRecord,
    sync::check::Report,
    telemetry::{Health, Metrics},
};

/// A running application.
pub struct RunningApp {
    pub(super) parts: Parts,
    pub(super) topology: Topology,
    pub(super) config: Config,
    pub(super) client: Client,
    pub(super) metrics: Arc<Metrics>,
    pub(super) health: Arc<Health>,
    pub(super) addresses: Addresses,
    pub(super) report: Report,
}

impl std::fmt::Debug for RunningApp {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RunningApp").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl RunningApp {
    /// Where the front door listens.
    pub fn http_address(&self) -> SocketAddr {
        self.addresses.http
    }

    /// Where the management port listens.
    pub fn management_address(&self) -> SocketAddr {
        self.addresses.management
    }

    /// Address of ClickHouse's HTTP interface: the embedded engine's or the configured server's.
    pub fn engine_url(&self) -> String {
        self.client.url().to_owned()
    }

    /// Credentials of the embedded engine; a configured server has users of its own.
    #[cfg(feature = "embedded")]
    pub fn engine_access(&self) -> Option<&Access> {
        self.addresses.access.as_ref()
    }

    /// The configuration it runs on.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Which API feeds which stream, and which stream which table.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Which components are failing.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// The result of the check at the start: the guarantee for each table that a stream fills, with the reasons.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The ClickHouse client, for statements other than the application's own queries.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// A query through the official ClickHouse client; `?` are filled with `.bind(…)`.
    pub fn query(&self, sql: &str) -> Query {
        self.client.official().query(sql)
    }

    /// A producer for a declared stream, with the same promise as the front door.
    pub fn stream<R: OlapRecord + serde::Serialize>(&self, stream: &Stream<R>) -> Producer<R> {
        Producer::new(Arc::clone(&self.parts.backend), stream)
    }

    /// Resolves when a component has died that does not come back by itself.
    pub async fn failed(&self) -> AppError {
        self.parts.failed().await
    }

    /// Stops in order: the front door closes and finishes its requests, the records already in the streams are synced,
    /// cursors are written, the log is closed, the engine goes last. All of it within `shutdown.deadline`; what is not
    /// synced by then stays in the stream for the next start.
    pub async fn stop(self) -> Result<(), AppError> {
        let Self { parts, config, .. } = self;
        Box::pin(parts.stop(config.shutdown.deadline, &config.data_dir)).await
    }
}
