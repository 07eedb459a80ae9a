//! What an integration test stands on: a directory, a database on the shared engine, and the fault proxy between.

use std::{path::PathBuf, time::Duration};

use moose_runtime::{
    app::{App, RunningApp},
    config::Config,
    declare::{Program, Resource},
};
use moose_tests::{
    engine::{self, SharedEngine},
    http,
    process::{Launch, Process},
    proxy::Proxy,
    wait::eventually,
};
use tempfile::TempDir;

/// The program that tests start, kill, and start engines out of.
pub(crate) const PIPELINE: &str = env!("CARGO_BIN_EXE_pipeline");

/// The columns of the table `numbers`, for tests that make it by hand.
pub(crate) const COLUMNS: &str = "id UInt64, small UInt8, _stream_epoch UInt64 MATERIALIZED 18446744073709551615, \
     _stream_partition UInt16 MATERIALIZED 65535, _stream_offset UInt64 MATERIALIZED 18446744073709551615";

/// How long a row may take that should be there within two seconds: machines that build beside are slow.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// How long anything at all may take.
pub(crate) const LATE: Duration = Duration::from_mins(2);

/// A test's own surroundings.
pub(crate) struct Stage {
    pub(crate) directory: TempDir,
    pub(crate) engine: SharedEngine,
    pub(crate) database: String,
    pub(crate) proxy: Proxy,
}

impl Stage {
    /// Makes a database that is named after the test.
    pub(crate) async fn new() -> Self {
        let thread = std::thread::current();
        Self::named(&thread.name().unwrap_or("main").replace("::", "_")).await
    }

    /// Makes a database of that name: for a test with several.
    pub(crate) async fn named(name: &str) -> Self {
        let engine = engine::shared(PIPELINE, env!("CARGO_TARGET_TMPDIR"));
        let database: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        http::sql(&engine.url(), &format!("CREATE DATABASE {database} ENGINE = Atomic")).await;
        let directory = TempDir::new().expect("a temporary directory");
        let proxy = Proxy::start(engine.address).await;
        Self { directory, engine, database, proxy }
    }

    /// Where the application keeps its data.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The configuration of an application on the proxy.
    pub(crate) fn config(&self) -> Config {
        let mut config = Config { data_dir: self.data_dir(), ..Config::default() };
        config.http.listen.set_port(0);
        config.management.listen.set_port(0);
        config.clickhouse.url = Some(self.proxy.url());
        config.clickhouse.database.clone_from(&self.database);
        config
    }

    /// Starts the declarations on the proxy.
    pub(crate) async fn start(&self, resources: &[&'static dyn Resource]) -> RunningApp {
        self.start_with(resources, self.config()).await
    }

    /// Starts the declarations on a configuration.
    pub(crate) async fn start_with(&self, resources: &[&'static dyn Resource], config: Config) -> RunningApp {
        let program = Program { name: "test", version: "0", schema: None };
        match App::new(program).resources(resources).config(config).engine_program(PIPELINE).start().await {
            Ok(app) => app,
            Err(error) => panic!("the application did not start: {error}"),
        }
    }

    /// Waits until the first table has `rows` inserted and nothing fails any more.
    pub(crate) async fn has_passed(&self, app: &RunningApp, rows: u64) {
        let accounting = format!("http://{}/accounting", app.management_address());
        eventually(LATE, || async {
            let failures = app.health().failures();
            let accounts = http::get(&accounting).await.json();
            let passed = accounts["accounts"][0]["inserted"] == rows;
            if passed && failures.is_empty() { Ok(()) } else { Err(format!("{failures:?} {accounts}")) }
        })
        .await;
    }

    /// A pipeline as a process of its own on the proxy, that was sent ten numbers under a constraint.
    pub(crate) async fn process_with_numbers(&self, constraint: &str) -> (Launch, Process) {
        let launch = Launch::new(PIPELINE, self.data_dir())
            .environment("MOOSE_CLICKHOUSE__URL", &self.proxy.url())
            .environment("MOOSE_CLICKHOUSE__DATABASE", &self.database);
        let mut process = launch.start();
        let addresses = process.addresses(LATE).await;
        self.sql(&format!("ALTER TABLE numbers ADD CONSTRAINT good CHECK {constraint}")).await;
        let url = format!("http://{}/ingest/numbers", addresses.http);
        let answer = http::post(&url, "application/x-ndjson", numbers(0..10)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        (launch, process)
    }

    /// Runs a statement in the test's database, past the proxy.
    pub(crate) async fn sql(&self, statement: &str) -> String {
        http::sql(&self.url(), statement).await
    }

    /// The engine's address with the test's database.
    pub(crate) fn url(&self) -> String {
        format!("{}/?database={}", self.engine.url(), self.database)
    }

    /// Waits until a query gives `wanted`.
    pub(crate) async fn shows(&self, statement: &str, wanted: &str, deadline: Duration) {
        eventually(deadline, || async {
            let found = self.sql(statement).await;
            if found == wanted { Ok(()) } else { Err(format!("`{statement}` gives {found}, wanted {wanted}")) }
        })
        .await;
    }
}

/// Address of an ingest API.
pub(crate) fn ingest(app: &RunningApp, name: &str) -> String {
    format!("http://{}/ingest/{name}", app.http_address())
}

/// Numbers as one NDJSON body.
pub(crate) fn numbers(ids: std::ops::Range<u64>) -> String {
    use std::fmt::Write as _;
    let mut body = String::new();
    for id in ids {
        // Writing to a String does not fail.
        let _ = writeln!(body, "{{\"id\":{id},\"small\":{}}}", id % 256);
    }
    body
}

/// Posts numbers and expects that all of them are accepted.
pub(crate) async fn post_numbers(app: &RunningApp, ids: std::ops::Range<u64>) {
    let count = ids.end - ids.start;
    let answer = http::post(&ingest(app, "numbers"), "application/x-ndjson", numbers(ids)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["accepted"], count, "{}", answer.text());
}
