//! The running application: declarations and configuration in, a pipeline out.
//!
//! [`App::new`] (or the macro `app!()`) begins, [`AppBuilder::start`] boots everything in order, [`RunningApp::stop`]
//! ends it in the opposite one. The commands of the generated binary, the examples and the tests all use this call.

mod accounts;
mod addresses;
#[cfg(feature = "embedded")]
mod caretaker;
mod database;
mod error;
mod letters;
mod migrations;
mod parts;
mod producer;
mod readers;
mod start;
mod tables;

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

pub use accounts::Books;
pub use addresses::{ADDRESSES_FILE, Addresses};
pub use error::AppError;
pub use letters::{LetterCommand, LetterDesk, Selection};
pub use migrations::Migrating;
pub use producer::Producer;
pub use readers::{ReaderCommand, ReaderDesk};
pub(crate) use start::open_streams;

use parts::Parts;

#[cfg(feature = "embedded")]
use crate::engine::Access;
use crate::{
    clickhouse::{Client, Query},
    config::Config,
    declare::{Model, Program, Resource, Stream},
    record::OlapRecord,
    sync::{ResumeFrom, check::Report},
    telemetry::{Health, Metrics},
};

/// Where an application begins.
#[derive(Clone, Copy, Debug)]
pub struct App;

impl App {
    /// An application of the program's declarations. The macro `app!()` fills `program` in.
    ///
    /// To be called first thing in `main`: the embedded engine is a child process of the same program, and in that
    /// process this call does not return.
    #[expect(clippy::new_ret_no_self, reason = "an application exists only once it has started")]
    pub fn new(program: Program) -> AppBuilder {
        #[cfg(feature = "embedded")]
        crate::engine::run_if_asked();
        AppBuilder {
            program,
            config: None,
            resources: None,
            engine_program: None,
            resume: None,
            refuse_unsafe: false,
            migrating: Migrating::default(),
        }
    }
}

/// What an application is to be.
#[derive(Clone, Debug)]
pub struct AppBuilder {
    program: Program,
    config: Option<Config>,
    resources: Option<Vec<&'static dyn Resource>>,
    engine_program: Option<PathBuf>,
    resume: Option<ResumeFrom>,
    refuse_unsafe: bool,
    migrating: Migrating,
}

impl AppBuilder {
    /// Runs on this configuration instead of the one from file and environment.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = Some(config);
        self
    }

    /// Runs these resources instead of all that are linked.
    #[must_use]
    pub fn resources(mut self, resources: &[&'static dyn Resource]) -> Self {
        self.resources = Some(resources.to_vec());
        self
    }

    /// Starts the embedded engine out of this program instead of the running one: for programs that do not begin with
    /// `run!()` or `app!()`, such as test binaries.
    #[must_use]
    pub fn engine_program(mut self, program: impl Into<PathBuf>) -> Self {
        self.engine_program = Some(program.into());
        self
    }

    /// What to do about tables that were dropped or replaced since they were synced last; without it their workers hold.
    #[must_use]
    pub fn resume_from(mut self, resume: ResumeFrom) -> Self {
        self.resume = Some(resume);
        self
    }

    /// Whether a table that can't be written exactly once ends the start; without it, that is only said.
    #[must_use]
    pub fn refuse_unsafe_tables(mut self, refuse: bool) -> Self {
        self.refuse_unsafe = refuse;
        self
    }

    /// What to do about migrations; without it, tables that are missing are made.
    #[must_use]
    pub fn migrating(mut self, migrating: Migrating) -> Self {
        self.migrating = migrating;
        self
    }

    /// Boots everything, in order: data directory, ports, engine, tables, streams, workers, front door. When it returns,
    /// events are accepted. A failure leaves nothing running.
    pub async fn start(self) -> Result<RunningApp, AppError> {
        Box::pin(start::start(self)).await
    }
}

/// An application that runs.
pub struct RunningApp {
    parts: Parts,
    model: Arc<Model>,
    config: Config,
    client: Client,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    addresses: Addresses,
    report: Report,
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

    /// How anybody gets into the embedded engine; a configured server has users of its own.
    #[cfg(feature = "embedded")]
    pub fn engine_access(&self) -> Option<&Access> {
        self.addresses.access.as_ref()
    }

    /// The configuration it runs on.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What is declared.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// What is stuck.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// What was found out at the start about each table that a stream fills, and what is promised for it.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The database, for what is not a query of the application's own.
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

    /// Resolves when a part has died that does not come back by itself.
    pub async fn failed(&self) -> AppError {
        self.parts.failed().await
    }

    /// Stops in order: the door closes and its requests end, the streams are synced as far as they are filled, cursors
    /// are written, the log is closed, the engine goes last. All of it within `shutdown.deadline`; what is not synced
    /// by then stays in the stream for the next start.
    pub async fn stop(self) -> Result<(), AppError> {
        let Self { parts, config, .. } = self;
        Box::pin(parts.stop(config.shutdown.deadline, &config.data_dir)).await
    }
}
