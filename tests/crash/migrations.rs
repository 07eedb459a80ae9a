//! A rebuild under load, its runner killed at each of its steps: the next one brings it to its end, and every record is
//! in the new table once.

use std::{fs, time::Duration};

use moose_tests::{
    http, is_full,
    load::{Batches, Load, each_is_a_row_once},
    migrations::{Package, rebuild},
    process::{Launch, Process},
    wait::eventually,
};
use tempfile::TempDir;

use crate::{PIPELINE, scene::LATE};

/// How long the lock of a dead runner stands: as long as an operator would wait is too long for a test.
const LEASE: (&str, &str) = ("FAULT_LEASE", "2000");

/// The points of a rebuild of four statements, each with its passes.
const POINTS: [(&str, u32); 7] = [
    ("migrate.drain", 1),
    ("migrate.before", 4),
    ("migrate.begun", 4),
    ("migrate.send", 4),
    ("migrate.ran", 4),
    ("migrate.done", 4),
    ("migrate.resumed", 1),
];

/// Those that are tried in short: before anything, in and after the copy, around the exchange, at the end.
const SHORT: [(&str, u32); 6] = [
    ("migrate.drain", 1),
    ("migrate.ran", 2),
    ("migrate.begun", 3),
    ("migrate.ran", 3),
    ("migrate.done", 4),
    ("migrate.resumed", 1),
];

struct Rebuilds {
    directory: TempDir,
    package: Package,
    launch: Launch,
    engine: String,
}

impl Rebuilds {
    fn apply(&self) -> Launch {
        self.launch.clone().argument("migrate").argument("apply")
    }

    /// Starts `migrate apply`, and kills it where it halts.
    async fn killed_at(&self, number: u32, point: &str, pass: u32) {
        let fault = self.directory.path().join(format!("fault-{number}"));
        fs::create_dir(&fault).expect("a directory in the test's directory");
        let process: Process = self
            .apply()
            .environment("FAULT_POINT", &format!("{point}:{pass}"))
            .environment("FAULT_POINT_DIR", &fault.to_string_lossy())
            .start();
        eventually(LATE, || async {
            let reached = fs::read_to_string(fault.join("reached")).is_ok_and(|number| !number.is_empty());
            if reached { Ok(()) } else { Err(format!("`{point}` was not reached\n{}", process.output())) }
        })
        .await;
        process.kill();
    }

    async fn sql(&self, statement: &str) -> String {
        http::sql(&self.engine, statement).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_under_load_whose_runner_is_killed_at_each_step_comes_to_its_end() {
    let kills: Vec<(&str, u32)> = if is_full() {
        POINTS.iter().flat_map(|(point, passes)| (1..=*passes).map(|pass| (*point, pass))).collect()
    } else {
        SHORT.to_vec()
    };
    let directory = TempDir::new().expect("a temporary directory");
    let package = Package::new(directory.path().join("package"));
    let launch = package.on(Launch::new(PIPELINE, directory.path().join("data")));
    let launch = launch.environment(LEASE.0, LEASE.1).environment("MOOSE_SYNC__MAX_DELAY", "50ms");
    let mut pipeline = launch.start();
    let addresses = pipeline.addresses(LATE).await;
    let engine = addresses.engine_url();
    let rebuilds = Rebuilds { directory, package, launch, engine };

    let record = |id: u64| format!(r#"{{"id":{id},"small":{}}}"#, id % 200);
    let batches = Batches { records: 10, pause: Duration::from_millis(10), record };
    let load = Load::start(format!("http://{}/ingest/numbers", addresses.http), 0, batches);
    for (number, (point, pass)) in (1_u32..).zip(&kills) {
        let key: &[&str] = if number.is_multiple_of(2) { &["id", "small"] } else { &["small", "id"] };
        let file = format!("{number:04}_rebuild.sql");
        rebuilds.package.save(&file, &rebuild("numbers", number, key), &[]);
        rebuilds.killed_at(number, point, *pass).await;
        let (status, output) = rebuilds.apply().run();
        assert!(status.success(), "after {point}:{pass}: {output}");
        let found =
            rebuilds.sql("SELECT sorting_key FROM system.tables WHERE database = 'moose' AND name = 'numbers'").await;
        assert_eq!(found, key.join(", "), "after {point}:{pass}: {output}");
        let twice = rebuilds.sql("SELECT count() - uniqExact(id) FROM numbers").await;
        assert_eq!(twice, "0", "after {point}:{pass}: {output}");
    }
    let sent = load.stop().await;
    assert_eq!(sent.refused, 0, "records are accepted all the time");
    each_is_a_row_once(&rebuilds.engine, "numbers", &sent.kept, LATE).await;
    eprintln!("{} kills, {} records", kills.len(), sent.kept.len());
    let left = rebuilds
        .sql(
            "SELECT arrayStringConcat(groupArray(name), ' ') FROM system.tables WHERE database = 'moose' \
             AND (match(name, '^_moose_(drain|copy|void|fence|dropped)_') \
             OR position(create_table_query, 'CONSTRAINT _moose_drain') > 0)",
        )
        .await;
    assert_eq!(left, "");
    pipeline.interrupt();
    assert!(pipeline.wait(LATE).success(), "{}", pipeline.output());
    let counted = rebuilds.launch.clone().argument("check").argument("--counts").run();
    assert!(counted.0.success(), "{}", counted.1);
}
