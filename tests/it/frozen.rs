//! Runners of migrations that are frozen between their last look and their statement, and wake up when another has gone on
//! in their place: what they send late meets nothing.

use std::{fs, path::PathBuf};

use moose_runtime::internal::{
    clickhouse::Client,
    drain::{Gate, Order, new_id},
};
use moose_tests::{
    http,
    migrations::{create, declared_table, rebuild},
    process::{Process, signal},
    wait::eventually,
};

use crate::{
    migrations::Scene,
    stage::{LATE, Stage, numbers},
};

/// A runner that halts at a point.
struct Halted {
    process: Process,
    fault: PathBuf,
}

impl Halted {
    /// Starts `migrate apply`, and waits until it is where it halts.
    async fn at(scene: &Scene, point: &str) -> Self {
        let fault = scene.stage.directory.path().join(format!("fault-{:016x}", rand()));
        fs::create_dir(&fault).expect("a directory in the test's directory");
        let process = scene
            .launch(&["migrate", "apply"])
            .environment("FAULT_POINT", point)
            .environment("FAULT_POINT_DIR", &fault.to_string_lossy())
            .start();
        eventually(LATE, || async {
            let reached = fs::read_to_string(fault.join("reached")).is_ok_and(|number| !number.is_empty());
            if reached { Ok(()) } else { Err(format!("`{point}` was not reached\n{}", process.output())) }
        })
        .await;
        Self { process, fault }
    }

    /// The same, and nothing of the process goes on.
    async fn frozen_at(scene: &Scene, point: &str) -> Self {
        let halted = Self::at(scene, point).await;
        signal("-STOP", halted.process.id());
        halted
    }

    /// Lets it go on, and answers whether it succeeded, and what it printed.
    fn ends(mut self) -> (bool, String) {
        fs::write(self.fault.join("go"), "").expect("a file in the test's directory");
        signal("-CONT", self.process.id());
        (self.process.wait(LATE).success(), self.process.output())
    }
}

fn rand() -> u128 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_nanos()
}

/// Begin of all names that a runner gives.
const OURS: &str = "SELECT arrayStringConcat(arraySort(groupArray(name)), ' ') FROM system.tables \
                    WHERE database = currentDatabase() AND (match(name, '^_moose_(drain|copy|void|fence|dropped)_') \
                    OR position(create_table_query, 'CONSTRAINT _moose_drain') > 0 OR match(name, '__(void|new)_'))";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_whose_frozen_runner_wakes_up_late_keeps_every_record_once() {
    let scene = Scene::new().await;
    let mut pipeline = scene.launch(&["dev"]).environment("MOOSE_SYNC__MAX_DELAY", "50ms").start();
    let addresses = pipeline.addresses(LATE).await;
    let url = format!("http://{}/ingest/numbers", addresses.http);
    let mut posted = 0;
    let rounds = [
        // About to exchange: the other has made its copy, and has not filled it.
        ("migrate.begun:3", Some("migrate.begun:2")),
        ("migrate.send:3", Some("migrate.begun:2")),
        // About to fill the copy: the other has filled its own.
        ("migrate.send:2", Some("migrate.ran:2")),
        // About to make the copy: the other is about to do so too.
        ("migrate.send:1", Some("migrate.begun:1")),
        // About to rename the table as it was: the other has finished.
        ("migrate.send:4", None),
    ];
    for (number, (frozen_at, other_at)) in (1_u32..).zip(rounds) {
        let more = async |posted: &mut u64| {
            let answer = http::post(&url, "application/x-ndjson", numbers(*posted..*posted + 500)).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            *posted += 500;
            let all = format!("{posted}\t{posted}");
            scene.stage.shows("SELECT count(), uniqExact(id) FROM numbers", &all, LATE).await;
        };
        more(&mut posted).await;
        let key: &[&str] = if number.is_multiple_of(2) { &["id", "small"] } else { &["small", "id"] };
        scene.package.save(&format!("{number:04}_rebuild.sql"), &rebuild("numbers", number, key), &[]);
        let frozen = Halted::frozen_at(&scene, frozen_at).await;
        // Which passes only when the drain of the frozen one was lifted.
        let before_the_other = posted;
        more(&mut posted).await;
        let other = if let Some(point) = other_at {
            Some(Halted::at(&scene, point).await)
        } else {
            scene.ends_with(0, &["migrate", "apply"], &[]);
            None
        };
        let (succeeded, output) = frozen.ends();
        assert!(!succeeded, "{frozen_at}: {output}");
        if let Some(other) = other {
            let (succeeded, output) = other.ends();
            assert!(succeeded, "{frozen_at}: {output}");
        }
        more(&mut posted).await;
        let sorted = "SELECT sorting_key FROM system.tables WHERE database = currentDatabase() AND name = 'numbers'";
        assert_eq!(scene.stage.sql(sorted).await, key.join(", "), "{frozen_at}");
        let old = format!("SELECT count() FROM numbers__old_{number}");
        // The fourth statement comes after the exchange.
        let kept = if frozen_at == "migrate.send:4" { before_the_other } else { posted - 500 };
        assert_eq!(scene.stage.sql(&old).await, kept.to_string(), "{frozen_at}: {output}");
        assert_eq!(scene.stage.sql(OURS).await, "", "{frozen_at}");
    }
    pipeline.interrupt();
    assert!(pipeline.wait(LATE).success(), "{}", pipeline.output());
    let counted = scene.launch(&["check", "--counts"]).command().output().expect("the command runs");
    assert!(counted.status.success(), "{}", String::from_utf8_lossy(&counted.stdout));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_runner_that_finds_its_drain_lifted_begins_anew() {
    let scene = Scene::new().await;
    let mut pipeline = scene.launch(&["dev"]).environment("MOOSE_SYNC__MAX_DELAY", "50ms").start();
    let addresses = pipeline.addresses(LATE).await;
    let url = format!("http://{}/ingest/numbers", addresses.http);
    let recode = "-- moose: drain numbers\nALTER TABLE numbers MODIFY COLUMN small UInt8 CODEC(ZSTD(3));\n-- moose: resume numbers\n";
    let files = [
        ("0001_recode.sql", recode.to_owned(), "migrate.send:1"),
        ("0002_rebuild.sql", rebuild("numbers", 2, &["small", "id"]), "migrate.send:3"),
    ];
    for (posted, (file, sql, point)) in (1_u64..).zip(files) {
        scene.package.save(file, &sql, &[]);
        let frozen = Halted::frozen_at(&scene, point).await;
        let answer = http::post(&url, "application/x-ndjson", numbers(posted..posted + 1)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        scene.stage.shows("SELECT count() FROM numbers", &posted.to_string(), LATE).await;
        let (succeeded, output) = frozen.ends();
        assert!(succeeded && output.contains("beginning the change of the table anew"), "{output}");
        assert_eq!(scene.stage.sql("SELECT count() FROM numbers").await, posted.to_string());
        assert_eq!(scene.stage.sql(OURS).await, "");
    }
    pipeline.interrupt();
    assert!(pipeline.wait(LATE).success(), "{}", pipeline.output());
}

#[tokio::test]
async fn a_late_exchange_with_a_table_of_another_file_does_not_take_it_back() {
    let scene = Scene::new().await;
    for table in ["shown", "beside"] {
        scene.stage.sql(&format!("CREATE TABLE {table} (n UInt8) ENGINE = MergeTree ORDER BY n")).await;
        scene.stage.sql(&format!("INSERT INTO {table} SELECT {}", u8::from(table == "beside"))).await;
    }
    scene.package.save("0001_swap.sql", "EXCHANGE TABLES shown AND beside;\nRENAME TABLE beside TO gone;\n", &[]);
    let frozen = Halted::frozen_at(&scene, "migrate.begun:1").await;
    scene.ends_with(0, &["migrate", "apply"], &["is gone; going on in its place", "applied  0001_swap.sql"]);
    scene.stage.sql("RENAME TABLE gone TO beside").await;
    let (succeeded, output) = frozen.ends();
    assert!(!succeeded && output.contains("was taken over"), "{output}");
    assert_eq!(scene.stage.sql("SELECT n FROM shown").await, "1");

    scene.package.save("0002_swap.sql", "EXCHANGE TABLES shown AND beside;\n", &[]);
    let frozen = Halted::frozen_at(&scene, "migrate.send:1").await;
    scene.ends_with(0, &["migrate", "apply"], &["applied  0002_swap.sql"]);
    let (succeeded, output) = frozen.ends();
    assert!(!succeeded && output.contains("was taken over"), "{output}");
    assert_eq!(scene.stage.sql("SELECT n FROM shown").await, "0");
}

#[tokio::test]
async fn a_late_drop_does_not_take_the_table_that_was_made_since() {
    let scene = Scene::new().await;
    let make = "CREATE TABLE events_of_old (n UInt8) ENGINE = MergeTree ORDER BY n";
    for (number, point) in [(1, "migrate.begun:1"), (2, "migrate.send:1"), (3, "migrate.send:2")] {
        scene.stage.sql(make).await;
        scene.stage.sql("INSERT INTO events_of_old SELECT 1").await;
        let file = format!("{number:04}_drop.sql");
        scene.package.save(&file, "DROP TABLE IF EXISTS events_of_old SYNC;\n", &[]);
        let frozen = Halted::frozen_at(&scene, point).await;
        scene.ends_with(0, &["migrate", "apply"], &[&format!("applied  {file}")]);
        let there = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'events_of_old'";
        assert_eq!(scene.stage.sql(there).await, "0", "{point}");
        scene.stage.sql(make).await;
        scene.stage.sql("INSERT INTO events_of_old SELECT 2").await;
        let (succeeded, output) = frozen.ends();
        assert!(!succeeded, "{point}: {output}");
        assert_eq!(scene.stage.sql("SELECT n FROM events_of_old").await, "2", "{point}");
        assert_eq!(scene.stage.sql(OURS).await, "", "{point}");
        scene.stage.sql("DROP TABLE events_of_old SYNC").await;
    }
}

#[tokio::test]
async fn a_table_that_can_not_be_dropped_stays_under_its_name() {
    let scene = Scene::new().await;
    scene.stage.sql("CREATE TABLE full (n UInt8) ENGINE = MergeTree ORDER BY n").await;
    scene.stage.sql("INSERT INTO full SELECT 1").await;
    scene.package.save("0001_drop.sql", "DROP TABLE IF EMPTY full;\n", &[]);
    scene.ends_with(1, &["migrate", "apply"], &["`0001_drop.sql`, line 1"]);
    assert_eq!(scene.stage.sql("SELECT n FROM full").await, "1");
    scene.stage.sql("TRUNCATE TABLE full").await;
    scene.ends_with(0, &["migrate", "apply"], &["applied  0001_drop.sql"]);
    assert_eq!(scene.stage.sql("EXISTS TABLE full").await, "0");
}

/// A client of the test's engine, as a runner has one.
fn client(stage: &Stage) -> Client {
    let config = stage.config().clickhouse;
    Client::new(&stage.engine.url(), &config).expect("a client")
}

fn order(owner: &str) -> Order {
    Order {
        id: new_id(),
        runner: owner.to_owned(),
        table: "numbers".to_owned(),
        copy: None,
        owner: owner.to_owned(),
        reason: "a test".to_owned(),
        patience: std::time::Duration::ZERO,
        alone: true,
    }
}

#[tokio::test]
async fn a_drain_that_was_taken_over_is_opened_by_its_new_owner_alone() {
    let stage = Stage::new().await;
    stage.sql(create(&declared_table("numbers")).trim_end().trim_end_matches(';')).await;
    let client = client(&stage);
    let mut first = Gate::close(&client, &order("first")).await.expect("a drained table");
    let mut second = Gate::close(&client, &order("second")).await.expect("a drained table");
    let text = "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = 'numbers'";
    let barred = stage.sql(text).await;
    // The first was frozen, and does now what it was about to do.
    first.still_held().await.expect_err("it is the second's");
    first.renew().await.expect_err("it is the second's");
    first.still_closed().await.expect_err("it is the second's");
    first.open().await.expect("nothing to open");
    assert_eq!(stage.sql(text).await, barred, "nothing of the second's bar is gone");
    let insert = "INSERT INTO numbers (id, small) VALUES (1, 1)";
    let refused = http::try_sql(&stage.url(), insert).await.text();
    assert!(refused.contains("Constraint `_moose_drain"), "{refused}");
    second.still_closed().await.expect("the second's drain stands");
    second.renew().await.expect("the second's drain stands");
    second.open().await.expect("it is opened");
    stage.sql(insert).await;
    assert_eq!(stage.sql(OURS).await, "");
}

#[tokio::test]
async fn a_bar_that_nobody_knows_of_is_taken_away() {
    let scene = Scene::new().await;
    let mut pipeline = scene.launch(&["dev"]).environment("FAULT_LEASE", "1500").start();
    let addresses = pipeline.addresses(LATE).await;
    scene.stage.sql("ALTER TABLE numbers ADD CONSTRAINT _moose_drain CHECK 0, ADD CONSTRAINT _moose_drain_00112233445566ff CHECK 0").await;
    let answer =
        http::post(&format!("http://{}/ingest/numbers", addresses.http), "application/x-ndjson", numbers(0..5)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    scene.stage.shows("SELECT count() FROM numbers", "5", LATE).await;
    assert_eq!(scene.stage.sql(OURS).await, "");
    pipeline.interrupt();
    assert!(pipeline.wait(LATE).success(), "{}", pipeline.output());
}

#[tokio::test]
async fn copies_of_lifted_drains_are_listed_and_dropped_by_their_identity() {
    let scene = Scene::new().await;
    scene.package.save("0001_first.sql", "SELECT 1;\n", &[]);
    let uuid = "SELECT uuid FROM system.tables WHERE database = currentDatabase() AND name = 'copy'";
    let mut voids = Vec::new();
    for is_its_own in [true, false] {
        scene.stage.sql("CREATE TABLE copy (n UInt8) ENGINE = MergeTree ORDER BY n").await;
        scene.stage.sql("INSERT INTO copy SELECT 1").await;
        let uuid =
            if is_its_own { scene.stage.sql(uuid).await } else { "00000000-0000-0000-0000-000000000001".to_owned() };
        scene.stage.sql(&format!("RENAME TABLE copy TO `_moose_void_{uuid}`")).await;
        voids.push(format!("_moose_void_{uuid}"));
    }
    scene.stage.sql("CREATE TABLE numbers__new_1__void_1795781077547 (n UInt8) ENGINE = MergeTree ORDER BY n").await;
    let lines: Vec<String> = voids.iter().map(|void| format!("LEFT     table `{void}`")).collect();
    scene.ends_with(4, &["migrate", "status"], &[&lines[0], &lines[1], "numbers__new_1__void_1795781077547"]);
    scene.ends_with(0, &["migrate", "apply"], &["applied  0001_first.sql"]);
    let left = "SELECT arrayStringConcat(arraySort(groupArray(name)), ' ') FROM system.tables \
                WHERE database = currentDatabase() AND position(name, 'void') > 0";
    let expected = format!("{} numbers__new_1__void_1795781077547", voids[1]);
    assert_eq!(scene.stage.sql(left).await, expected, "what is not the table of its name is left");
}
