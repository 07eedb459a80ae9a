//! What a pipeline on Kafka stands on: a broker of its own, a database on the shared engine, and its own directories.

use std::{path::Path, time::Duration};

use moose_tests::{
    engine::{self, SharedEngine},
    http,
    kafka::{Broker, is_there},
    process::Launch,
    proxy::Proxy,
    wait::eventually,
};
use tempfile::TempDir;

/// The program that tests start and kill.
pub(crate) const PIPELINE: &str = env!("CARGO_BIN_EXE_pipeline");
/// How long anything at all may take.
pub(crate) const LATE: Duration = Duration::from_mins(2);

pub(crate) struct Stage {
    pub(crate) directory: TempDir,
    /// The nodes of the cluster.
    pub(crate) brokers: Vec<Broker>,
    engine: SharedEngine,
    /// What stands between the copies and ClickHouse.
    pub(crate) proxy: Proxy,
    database: String,
}

impl Stage {
    /// A broker, and a database that is named after the test; nothing where Apache Kafka can't be had.
    pub(crate) async fn new() -> Option<Self> {
        Self::on(Broker::start).await
    }

    /// The same, with a broker that is started in its own way.
    pub(crate) async fn on(start: impl FnOnce(&Path) -> Broker) -> Option<Self> {
        Self::on_all(|directory| vec![start(directory)]).await
    }

    /// The same, with several.
    pub(crate) async fn on_all(start: impl FnOnce(&Path) -> Vec<Broker>) -> Option<Self> {
        if !is_there() {
            return None;
        }
        let engine = engine::shared(PIPELINE, env!("CARGO_TARGET_TMPDIR"));
        let thread = std::thread::current();
        let database: String = thread.name().unwrap_or("main").replace("::", "_");
        http::sql(&engine.url(), &format!("CREATE DATABASE {database} ENGINE = Atomic")).await;
        let directory = TempDir::new().expect("a temporary directory");
        let brokers = start(&directory.path().join("broker"));
        let proxy = Proxy::start(engine.address).await;
        Some(Self { directory, brokers, engine, proxy, database })
    }

    /// The first node.
    pub(crate) fn broker(&self) -> &Broker {
        self.brokers.first().expect("a cluster has a node")
    }

    /// What clients connect to.
    pub(crate) fn address(&self) -> String {
        self.brokers.iter().map(Broker::address).collect::<Vec<_>>().join(",")
    }

    /// A copy of the pipeline, with a directory of its own.
    pub(crate) fn copy(&self, name: &str) -> Launch {
        Launch::new(PIPELINE, self.directory.path().join(name))
            .environment("MOOSE_KAFKA__BROKERS", &self.address())
            .environment("MOOSE_KAFKA__PROPERTIES__SESSION__TIMEOUT__MS", "6000")
            .environment("MOOSE_KAFKA__PROPERTIES__HEARTBEAT__INTERVAL__MS", "500")
            .environment("MOOSE_KAFKA__PROPERTIES__MESSAGE__TIMEOUT__MS", "10000")
            .environment("MOOSE_CLICKHOUSE__URL", &self.proxy.url())
            .environment("MOOSE_CLICKHOUSE__DATABASE", &self.database)
            .environment("RUST_LOG", "info")
    }

    /// The engine's address with the test's database.
    pub(crate) fn url(&self) -> String {
        format!("{}/?database={}", self.engine.url(), self.database)
    }

    /// Waits until a query gives `wanted`.
    pub(crate) async fn shows(&self, statement: &str, wanted: &str) {
        eventually(LATE, || async {
            let found = http::sql(&self.url(), statement).await;
            if found == wanted { Ok(()) } else { Err(format!("`{statement}` gives {found}, wanted {wanted}")) }
        })
        .await;
    }
}
