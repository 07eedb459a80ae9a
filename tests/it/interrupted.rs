//! Statements of a migration that were interrupted: each took effect once, or the operator is asked.

use moose_tests::{http, migrations::rebuild, process::Process, proxy::Recorded, wait::eventually};

use crate::{
    migrations::Scene,
    stage::{LATE, numbers},
};

/// Starts `migrate apply`, and kills it at a point.
async fn killed_at(scene: &Scene, point: &str) {
    let fault = tempfile::TempDir::new().expect("a temporary directory");
    let process: Process = scene
        .launch(&["migrate", "apply"])
        .environment("FAULT_POINT", point)
        .environment("FAULT_POINT_DIR", &fault.path().to_string_lossy())
        .start();
    eventually(LATE, || async {
        let reached = std::fs::read_to_string(fault.path().join("reached")).is_ok_and(|number| !number.is_empty());
        if reached { Ok(()) } else { Err(format!("`{point}` was not reached\n{}", process.output())) }
    })
    .await;
    process.kill();
}

#[tokio::test]
async fn an_update_that_was_interrupted_is_done_once() {
    let scene = Scene::new().await;
    scene.stage.sql("CREATE TABLE theirs (n UInt64, a UInt8) ENGINE = MergeTree ORDER BY a").await;
    scene.stage.sql("INSERT INTO theirs SELECT 0, number FROM numbers(3)").await;
    for (number, point) in [(1, "migrate.begun:1"), (2, "migrate.ran:1")] {
        let file = format!("{number:04}_add.sql");
        scene.package.save(&file, "ALTER TABLE theirs UPDATE n = n+1 WHERE 1, DELETE WHERE a = 77;\n", &[]);
        killed_at(&scene, point).await;
        scene.ends_with(0, &["migrate", "apply"], &[&format!("applied  {file}")]);
        assert_eq!(scene.stage.sql("SELECT DISTINCT n FROM theirs").await, number.to_string(), "{point}");
    }
    // Another one's mutation since then: the own one may have come and gone.
    scene.package.save("0003_add.sql", "ALTER TABLE theirs UPDATE n = n + 1 WHERE 1;\n", &[]);
    killed_at(&scene, "migrate.begun:1").await;
    scene.stage.sql("ALTER TABLE theirs DELETE WHERE a = 2").await;
    scene.ends_with(1, &["migrate", "apply"], &["--in-doubt done", "ALTER TABLE theirs UPDATE"]);
    scene.ends_with(0, &["migrate", "apply", "--in-doubt", "again"], &["applied  0003_add.sql"]);
    assert_eq!(scene.stage.sql("SELECT DISTINCT n FROM theirs").await, "3");
}

#[tokio::test]
async fn what_can_not_be_found_out_is_not_run_twice_unasked() {
    let scene = Scene::new().await;
    for table in ["theirs", "more"] {
        scene.stage.sql(&format!("CREATE TABLE {table} (n UInt64) ENGINE = MergeTree ORDER BY n")).await;
        scene.stage.sql(&format!("INSERT INTO {table} SELECT 1")).await;
    }
    let statements = [
        "ALTER TABLE theirs ATTACH PARTITION tuple() FROM more",
        "DROP TABLE never_there, more",
        "CREATE TABLE filled ENGINE = MergeTree ORDER BY n AS SELECT n FROM theirs",
    ];
    for (number, statement) in (1..).zip(statements) {
        let file = format!("{number:04}_file.sql");
        // A statement that fails may be begun again, so the table is made right before.
        scene.stage.sql("CREATE TABLE IF NOT EXISTS never_there (n UInt64) ENGINE = MergeTree ORDER BY n").await;
        scene.package.save(&file, &format!("{statement};\n"), &[]);
        killed_at(&scene, "migrate.ran:1").await;
        scene.ends_with(1, &["migrate", "apply"], &["--in-doubt done", "--in-doubt again", statement]);
        // Not by another text either.
        scene.package.save(&file, &format!("{}\n;\n", statement.replace("TABLE ", "TABLE  ")), &[]);
        scene.ends_with(1, &["migrate", "apply"], &["this is another one", "--in-doubt done"]);
        scene.ends_with(0, &["migrate", "apply", "--in-doubt", "done"], &[&format!("applied  {file}")]);
    }
    assert_eq!(scene.stage.sql("SELECT count() FROM theirs").await, "2", "attached once");
    assert_eq!(scene.stage.sql("SELECT count() FROM filled").await, "2", "filled once");
}

#[tokio::test]
async fn a_statement_that_failed_is_not_taken_as_done() {
    let scene = Scene::new().await;
    scene.stage.sql("CREATE TABLE there (n UInt8) ENGINE = MergeTree ORDER BY n").await;
    scene.package.save("0001_first.sql", "CREATE TABLE there (n UInt8, m UInt8) ENGINE = MergeTree ORDER BY n;\n", &[]);
    for _ in 0..2 {
        scene.ends_with(1, &["migrate", "apply"], &["line 1", "already exists"]);
    }
    scene.stage.sql("RENAME TABLE there TO elsewhere").await;
    scene.ends_with(0, &["migrate", "apply"], &["applied  0001_first.sql"]);
    assert_eq!(
        scene
            .stage
            .sql("SELECT count() FROM system.columns WHERE database = currentDatabase() AND table = 'there'")
            .await,
        "2"
    );
}

#[tokio::test]
async fn a_drop_that_was_interrupted_and_is_refused_leaves_the_table_its_name() {
    let scene = Scene::new().await;
    scene.stage.sql("CREATE TABLE theirs (n UInt64) ENGINE = MergeTree ORDER BY n").await;
    scene.stage.sql("INSERT INTO theirs SELECT number FROM numbers(1000)").await;
    scene.package.save("0001_drop.sql", "DROP TABLE theirs SETTINGS max_table_size_to_drop = 1;\n", &[]);
    killed_at(&scene, "migrate.send:2").await;
    let tables = "SELECT name FROM system.tables WHERE database = currentDatabase() AND name NOT LIKE '\\_moose%' \
                  OR name LIKE '\\_moose\\_dropped%' ORDER BY name";
    assert!(scene.stage.sql(tables).await.contains("_moose_dropped_"), "the drop was under way");
    for _ in 0..2 {
        scene.ends_with(1, &["migrate", "apply"], &["line 1", "max_table_size_to_drop"]);
        assert_eq!(scene.stage.sql(tables).await, "theirs");
    }
    assert_eq!(scene.stage.sql("SELECT count() FROM theirs").await, "1000");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_come_into_a_drained_table_over_views_are_waited_for() {
    let scene = Scene::new().await;
    let mut pipeline = scene.launch(&["dev"]).environment("MOOSE_SYNC__MAX_DELAY", "50ms").start();
    let addresses = pipeline.addresses(LATE).await;
    let url = format!("http://{}/ingest/numbers", addresses.http);
    assert_eq!(http::post(&url, "application/x-ndjson", numbers(0..100)).await.status, 200);
    scene.stage.shows("SELECT count() FROM numbers", "100", LATE).await;
    // Two views, one behind the other.
    scene.stage.sql("CREATE TABLE feed (id UInt64) ENGINE = MergeTree ORDER BY id").await;
    scene.stage.sql("CREATE TABLE middle (id UInt64) ENGINE = MergeTree ORDER BY id").await;
    scene.stage.sql("CREATE MATERIALIZED VIEW first TO middle AS SELECT id FROM feed").await;
    scene.stage.sql("CREATE MATERIALIZED VIEW second TO numbers AS SELECT id, toUInt8(1) AS small FROM middle").await;
    let slow = "INSERT INTO feed SELECT id FROM (SELECT 1000000 + generate_series AS id FROM generateSeries(0, 79)) \
                WHERE sleepEachRow(0.1) = 0 SETTINGS max_block_size = 1, min_insert_block_size_rows = 1, \
                min_insert_block_size_bytes = 1, max_insert_threads = 1, max_threads = 1, \
                function_sleep_max_microseconds_per_block = 100000000";
    let engine = scene.stage.url();
    let insert = tokio::spawn(async move { http::try_sql(&engine, slow).await });
    scene.stage.shows("SELECT count() > 5 FROM numbers WHERE id >= 1000000", "1", LATE).await;
    scene.package.save("0001_rebuild.sql", &rebuild("numbers", 1, &["small", "id"]), &[]);
    scene.ends_with(0, &["migrate", "apply"], &["applied  0001_rebuild.sql"]);
    let answer = insert.await.expect("the INSERT ends");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let rows = "SELECT count(), uniqExact(id), countIf(id >= 1000000) FROM numbers";
    assert_eq!(scene.stage.sql(rows).await, "180\t180\t80");
    pipeline.interrupt();
    assert!(pipeline.wait(LATE).success(), "{}", pipeline.output());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notes_are_stored_whatever_the_profile_says_of_inserts() {
    let scene = Scene::new().await;
    let through =
        |arguments: &[&str]| scene.launch(arguments).environment("MOOSE_CLICKHOUSE__URL", &scene.stage.proxy.url());
    let mut pipeline = through(&["dev"]).start();
    pipeline.addresses(LATE).await;
    scene.package.save("0001_rebuild.sql", &rebuild("numbers", 1, &["small", "id"]), &[]);
    let (status, output) = through(&["migrate", "apply"]).run();
    assert!(status.success(), "{output}");
    let notes = |request: &Recorded| {
        request.statement.contains("INSERT INTO `_moose_") && !request.statement.contains("`_moose_copy_")
    };
    let found = scene.stage.proxy.matching(notes);
    for table in ["_moose_migrations", "_moose_successors", "_moose_drain_numbers"] {
        assert!(found.iter().any(|note| note.statement.contains(table)), "no note in {table}");
    }
    for note in found {
        for (name, value) in [("async_insert", "0"), ("wait_for_async_insert", "1")] {
            let said = note.parameters.iter().any(|(found, said)| found == name && said == value);
            assert!(said, "`{}` does not say {name} = {value}: {:?}", note.statement, note.parameters);
        }
    }
    pipeline.interrupt();
    assert!(pipeline.wait(LATE).success(), "{}", pipeline.output());
}
