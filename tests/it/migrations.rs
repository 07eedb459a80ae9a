//! Migrations are applied once, by one of many, and go on wherever they broke off; files that are not what was applied
//! are refused, and so is a start on tables that are not as declared.

use std::{fs, process::Output};

use moose_runtime::internal::{
    clickhouse::Client,
    migrate::drift,
    schema::{Column, ColumnDefault, Constraint, ConstraintKind, DefaultKind, Index, Storage, Table},
};
use moose_tests::{
    http,
    load::{Batches, Load, each_is_a_row_once},
    migrations::{Package, create, declared, declared_table, rebuild},
    process::Launch,
    wait::eventually,
};
use serde_json::Value;

use crate::stage::{LATE, PIPELINE, Stage};

/// A package with migrations, and a database of its own to apply them to.
pub(crate) struct Scene {
    pub(crate) stage: Stage,
    pub(crate) package: Package,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let stage = Stage::new().await;
        let package = Package::new(stage.directory.path().join("package"));
        Self { stage, package }
    }

    pub(crate) fn launch(&self, arguments: &[&str]) -> Launch {
        let launch = Launch::new(PIPELINE, self.stage.data_dir())
            .environment("MOOSE_CLICKHOUSE__URL", &self.stage.engine.url())
            .environment("MOOSE_CLICKHOUSE__DATABASE", &self.stage.database)
            .environment("FAULT_LEASE", "3000");
        let launch = arguments.iter().fold(launch, |launch, argument| launch.argument(argument));
        self.package.on(launch)
    }

    /// Runs a command to its end: exit code, and everything that it printed.
    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, String) {
        let Output { status, stdout, stderr } = self.launch(arguments).command().output().expect("the command runs");
        let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        (status.code().expect("an exit code"), text)
    }

    #[track_caller]
    pub(crate) fn ends_with(&self, code: i32, arguments: &[&str], pieces: &[&str]) {
        let (found, output) = self.run(arguments);
        assert_eq!(found, code, "{arguments:?}: {output}");
        for piece in pieces {
            assert!(output.contains(piece), "{arguments:?}: no `{piece}` in:\n{output}");
        }
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let Output { stdout, stderr, .. } = self.launch(arguments).command().output().expect("the command runs");
        serde_json::from_slice(&stdout).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&stderr)))
    }
}

#[tokio::test]
async fn migrations_are_applied_once_and_the_start_waits_for_them() {
    let scene = Scene::new().await;
    scene.package.save_first();
    scene.ends_with(4, &["migrate", "status"], &["pending  0001_first.sql"]);
    scene.ends_with(4, &["migrate", "plan"], &["CREATE TABLE `numbers`"]);
    scene.ends_with(4, &["run", "--allow-anonymous"], &["migration `0001_first.sql` is pending", "--migrate"]);
    let tables = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND NOT startsWith(name, '_')";
    assert_eq!(scene.stage.sql(tables).await, "0", "looking changes nothing");
    scene.ends_with(0, &["migrate", "apply"], &["applied  0001_first.sql"]);
    scene.ends_with(0, &["migrate", "apply"], &["nothing is pending"]);
    scene.ends_with(0, &["migrate", "status"], &["applied  0001_first", "the database is as declared"]);
    assert_eq!(scene.json(&["migrate", "status", "--json"])["clean"], true);
    assert_eq!(scene.stage.sql(tables).await, declared().len().to_string());
    let mut process = scene.launch(&["run", "--allow-anonymous"]).start();
    process.addresses(LATE).await;
    process.interrupt();
    assert!(process.wait(LATE).success(), "{}", process.output());
}

#[tokio::test]
async fn run_applies_what_is_pending_when_told() {
    let scene = Scene::new().await;
    scene.package.save_first();
    let mut process = scene.launch(&["run", "--allow-anonymous", "--migrate"]).start();
    process.addresses(LATE).await;
    scene.ends_with(0, &["migrate", "status"], &["applied  0001_first"]);
    process.interrupt();
    assert!(process.wait(LATE).success(), "{}", process.output());
}

#[tokio::test]
async fn of_eight_processes_at_once_each_statement_is_run_by_one() {
    let scene = Scene::new().await;
    scene.package.save_first();
    let counted: Vec<String> = (0..6).map(|number| format!("INSERT INTO counted SELECT {number};\n")).collect();
    let sql = format!("CREATE TABLE counted (n UInt8) ENGINE = MergeTree ORDER BY n;\n{}", counted.concat());
    scene.package.save("0002_counted.sql", &sql, &declared());
    let mut processes: Vec<_> = (0..8).map(|_| scene.launch(&["migrate", "apply"]).start()).collect();
    for process in &mut processes {
        assert!(process.wait(LATE).success(), "{}", process.output());
    }
    let workers = processes.iter().filter(|process| process.output().contains("applied  0002_counted.sql")).count();
    assert_eq!(workers, 1, "one does the work");
    assert_eq!(scene.stage.sql("SELECT groupArray(n) FROM (SELECT n FROM counted ORDER BY n)").await, "[0,1,2,3,4,5]");
    let history = "SELECT state, count(), uniqExact(number, step) FROM _moose_migrations GROUP BY state ORDER BY state";
    let statements = declared().len() + 7;
    let expected = format!("applied\t2\t2\nbegun\t{statements}\t{statements}\ndone\t{statements}\t{statements}");
    assert_eq!(scene.stage.sql(history).await, expected);
    let locks = "SELECT count() FROM system.tables WHERE database = currentDatabase() \
                 AND (name = '_moose_migration_lock' OR startsWith(name, '_moose_fence'))";
    assert_eq!(scene.stage.sql(locks).await, "0");
}

#[tokio::test]
async fn a_file_that_is_not_what_was_applied_is_refused_with_what_differs() {
    let scene = Scene::new().await;
    scene.package.save_first();
    let (second, third) = ("SELECT 2;\n", "SELECT 3;\n");
    scene.package.save("0002_second.sql", second, &declared());
    scene.package.save("0003_third.sql", third, &declared());
    scene.ends_with(0, &["migrate", "apply"], &[]);

    let refused = |pieces: &[&str]| {
        for command in [&["migrate", "status"][..], &["migrate", "apply"], &["run", "--allow-anonymous"]] {
            scene.ends_with(4, command, pieces);
        }
    };
    fs::write(scene.package.file("0002_second.sql"), "SELECT 20;\n").expect("written");
    refused(&["migration 2 (`0002_second.sql`) was changed after it was applied"]);
    fs::write(scene.package.file("0002_second.sql"), third).expect("written");
    fs::write(scene.package.file("0003_third.sql"), second).expect("written");
    refused(&["migration 2 (`second`) was applied, and stands in `0003_third.sql` now"]);
    fs::write(scene.package.file("0002_second.sql"), second).expect("written");
    fs::write(scene.package.file("0003_third.sql"), third).expect("written");
    scene.ends_with(0, &["migrate", "status"], &[]);

    // An older program: its start is not refused, since migrations go first.
    fs::remove_file(scene.package.file("0003_third.sql")).expect("removed");
    scene.package.save("0002_second.sql", second, &declared());
    for command in ["status", "apply"] {
        scene.ends_with(4, &["migrate", command], &["migration 3 (`third`) was applied, and its file is not there"]);
    }
    let mut process = scene.launch(&["run", "--allow-anonymous"]).start();
    process.addresses(LATE).await;
    assert!(process.output().contains("0003_third"), "{}", process.output());
    process.interrupt();
    assert!(process.wait(LATE).success(), "{}", process.output());
}

#[tokio::test]
async fn a_statement_that_fails_is_mended_and_what_came_before_is_not_run_again() {
    let scene = Scene::new().await;
    let first = "CREATE TABLE once (n UInt8) ENGINE = MergeTree ORDER BY n;\nINSERT INTO once SELECT 1;\n";
    let broken = format!("{first}ALTER TABLE once ADD COLUMN wrong Strng;\nALTER TABLE once ADD COLUMN last UInt8;\n");
    scene.package.save("0001_first.sql", &broken, &[]);
    scene.ends_with(1, &["migrate", "apply"], &["`0001_first.sql`, line 3", "Strng", "it goes on here"]);
    scene.ends_with(4, &["migrate", "status"], &["4 steps, 2 of them done: it was interrupted"]);
    // What was run may not be changed.
    let other = broken.replace("SELECT 1", "SELECT 2").replace("Strng", "String");
    scene.package.save("0001_first.sql", &other, &[]);
    scene.ends_with(1, &["migrate", "apply"], &["step 2 (line 2) is not what was run"]);
    scene.package.save("0001_first.sql", &broken.replace("Strng", "String"), &[]);
    scene.ends_with(0, &["migrate", "apply"], &["applied  0001_first.sql"]);
    assert_eq!(scene.stage.sql("SELECT count(), any(wrong), any(last) FROM once").await, "1\t\t0");
    assert!(scene.run(&["migrate", "status"]).1.contains("applied  0001_first"));
}

#[tokio::test]
async fn a_mutation_that_can_not_be_finished_is_told() {
    let scene = Scene::new().await;
    let sql = "CREATE TABLE texts (id UInt8, number String) ENGINE = MergeTree ORDER BY id;\n\
               INSERT INTO texts SELECT 1, 'one';\nALTER TABLE texts MODIFY COLUMN number UInt8;\n";
    scene.package.save("0001_first.sql", sql, &[]);
    scene.ends_with(1, &["migrate", "apply"], &["line 3", "texts"]);
    scene.stage.sql("KILL MUTATION WHERE database = currentDatabase() AND table = 'texts' SYNC").await;
    scene.ends_with(4, &["migrate", "status"], &["2 of them done"]);
}

#[tokio::test]
async fn the_lock_of_a_holder_that_is_gone_is_passed_by() {
    let scene = Scene::new().await;
    let sql = "CREATE TABLE slow (n UInt64, s UInt8) ENGINE = MergeTree ORDER BY n;\n\
               INSERT INTO slow SELECT number, sleepEachRow(0.2) FROM numbers(25) SETTINGS max_block_size = 1;\n";
    scene.package.save("0001_first.sql", sql, &[]);
    let process = scene.launch(&["migrate", "apply"]).start();
    let running =
        "SELECT count() FROM system.processes WHERE query LIKE '%INTO slow SELECT%' AND query_kind = 'Insert'";
    scene.stage.shows(running, "1", LATE).await;
    process.kill();
    assert_eq!(scene.stage.sql(running).await, "1", "the server goes on with the copy of the dead");
    // It is ended, and what it may have stored is not there twice.
    scene.ends_with(0, &["migrate", "apply"], &["is gone; going on in its place", "applied  0001_first.sql"]);
    assert_eq!(scene.stage.sql("SELECT count(), uniqExact(n) FROM slow").await, "25\t25");
}

#[tokio::test]
async fn a_statement_whose_outcome_nobody_knows_is_the_operators_to_judge() {
    let scene = Scene::new().await;
    scene.stage.sql("CREATE TABLE theirs (n UInt64, s UInt8) ENGINE = MergeTree ORDER BY n").await;
    let sql = "INSERT INTO theirs SELECT number, sleepEachRow(0.2) FROM numbers(25) SETTINGS max_block_size = 1;\n";
    scene.package.save("0001_first.sql", sql, &[]);
    let process = scene.launch(&["migrate", "apply"]).start();
    let running =
        "SELECT count() FROM system.processes WHERE query LIKE '%INTO theirs SELECT%' AND query_kind = 'Insert'";
    scene.stage.shows(running, "1", LATE).await;
    process.kill();
    scene.ends_with(1, &["migrate", "apply"], &["--in-doubt done", "INSERT INTO theirs"]);
    scene.ends_with(0, &["migrate", "apply", "--in-doubt", "done"], &["applied  0001_first.sql"]);
}

#[tokio::test]
async fn a_database_that_has_the_tables_is_taken_as_it_is_if_they_are_right() {
    let scene = Scene::new().await;
    for table in declared() {
        scene.stage.sql(create(&table).trim_end().trim_end_matches(';')).await;
    }
    scene.package.save_first();
    scene.stage.sql("ALTER TABLE numbers MODIFY COLUMN small UInt16").await;
    scene.ends_with(
        1,
        &["migrate", "baseline"],
        &["table `numbers`: column `small` is UInt16 COMMENT", "declared is UInt8 COMMENT"],
    );
    scene.stage.sql("ALTER TABLE numbers MODIFY COLUMN small UInt8").await;
    scene.ends_with(0, &["migrate", "baseline"], &["taken as applied  0001_first.sql"]);
    scene.ends_with(0, &["migrate", "status"], &["taken as applied  0001_first", "the database is as declared"]);
}

#[tokio::test]
async fn what_the_server_takes_for_one_thing_is_no_drift() {
    const DAY: &str = "d + toIntervalDay(1)";
    const COLUMNS: &str = "id UInt64, n Int64, d DateTime('UTC')";
    let stage = Stage::new().await;
    let client = Client::new(&stage.engine.url(), &stage.config().clickhouse).expect("an address");
    let declared = |change: &dyn Fn(&mut Table)| {
        let mut table = declared_table("numbers");
        table.provenance = false;
        table.comment = None;
        let column = |name: &str, data_type: &str| {
            let column = table.columns[0].clone();
            Column { name: name.to_owned(), data_type: data_type.parse().expect("a type"), comment: None, ..column }
        };
        table.columns = vec![column("id", "UInt64"), column("n", "Int64"), column("d", "DateTime('UTC')")];
        change(&mut table);
        table
    };
    let plain = declared(&|_| {});
    let partitioned = declared(&|table| table.partition_by = Some("toYYYYMM(d)".to_owned()));
    let sampled = declared(&|table| table.sample_by = Some("(id)".to_owned()));
    let aged = declared(&|table| table.ttl = Some(DAY.to_owned()));
    let two = declared(&|table| table.order_by.push("n".to_owned()));
    let sum = declared(&|table| table.order_by.push("(id + n) * 2".to_owned()));
    let indexed = declared(&|table| {
        let expression = "n".to_owned();
        table.indexes.push(Index { name: "i".to_owned(), expression, index_type: "minmax".to_owned(), granularity: 1 });
    });
    let limited = declared(&|table| {
        let expression = "(n > 0)".to_owned();
        table.constraints.push(Constraint { name: "c".to_owned(), kind: ConstraintKind::Check, expression });
    });
    let defaulted = declared(&|table| {
        let default = ColumnDefault { kind: DefaultKind::Default, expression: "id + 1".to_owned() };
        table.columns[1].default = Some(default);
    });
    let cases: &[(&Table, &str, &str, Option<&str>)] = &[
        (&plain, COLUMNS, "ORDER BY id", None),
        (&plain, COLUMNS, "ORDER BY (id) PRIMARY KEY id", None),
        (&plain, COLUMNS, "PARTITION BY tuple() ORDER BY tuple(id)", None),
        (&plain, "`id` UInt64 CODEC(Default), n Int64, d DateTime('UTC')", "PRIMARY KEY id", None),
        (&plain, COLUMNS, "ORDER BY id SETTINGS index_granularity = 4096", None),
        (&partitioned, COLUMNS, "PARTITION BY (toYYYYMM(d)) ORDER BY id", None),
        (&partitioned, COLUMNS, "PARTITION BY tuple(toYYYYMM(d)) ORDER BY id", None),
        (&sampled, COLUMNS, "ORDER BY id SAMPLE BY id", None),
        (&aged, COLUMNS, "ORDER BY id TTL (d + INTERVAL 1 DAY) DELETE", None),
        (&indexed, &format!("{COLUMNS}, INDEX i (n) TYPE minmax"), "ORDER BY id", None),
        (&limited, &format!("{COLUMNS}, CONSTRAINT c CHECK n > 0"), "ORDER BY id", None),
        (&defaulted, "id UInt64, n Int64 DEFAULT (id + (1)), d DateTime('UTC')", "ORDER BY id", None),
        (&sum, COLUMNS, "ORDER BY (id, ((id + n)) * 2)", None),
        // What is something else stays a difference.
        (&sum, COLUMNS, "ORDER BY (id, id + n * 2)", Some("the sorting key")),
        (&plain, COLUMNS, "ORDER BY (id, n)", Some("the sorting key")),
        (&two, COLUMNS, "PRIMARY KEY id ORDER BY (id, n)", Some("the primary key")),
        (&two, COLUMNS, "ORDER BY ((id, n), d)", Some("the sorting key")),
        (&plain, COLUMNS, "PARTITION BY n ORDER BY id", Some("the partition key")),
        (&defaulted, "id UInt64, n Int64 MATERIALIZED (id + 1), d DateTime('UTC')", "ORDER BY id", Some("column `n`")),
        (&indexed, &format!("{COLUMNS}, INDEX i (n) TYPE minmax GRANULARITY 2"), "ORDER BY id", Some("index `i`")),
        (&plain, "id UInt64 CODEC(ZSTD), n Int64, d DateTime('UTC')", "ORDER BY id", Some("column `id`")),
    ];
    for (table, columns, tail, part) in cases {
        let settings = if tail.contains("SETTINGS") { ", " } else { " SETTINGS " };
        let window = "non_replicated_deduplication_window = 100000";
        stage.sql(&format!("CREATE TABLE numbers ({columns}) ENGINE = MergeTree() {tail}{settings}{window}")).await;
        let found = drift(&client, Storage::Server, [*table]).await.expect("the tables are compared");
        let parts: Vec<&str> = found.iter().map(|found| found.part.as_str()).collect();
        assert_eq!(parts, part.iter().copied().collect::<Vec<_>>(), "{columns}; {tail}: {found:?}");
        stage.sql("DROP TABLE numbers SYNC").await;
    }
}

#[tokio::test]
async fn a_table_in_its_usual_spelling_and_without_hidden_columns_is_adopted() {
    let scene = Scene::new().await;
    for table in declared() {
        let sql = create(&table);
        let text = sql.trim_end().trim_end_matches(';').replace("ORDER BY (`id`)", "ORDER BY id");
        assert!(text.contains("ORDER BY id\n"), "{text}");
        scene.stage.sql(&text).await;
    }
    let columns = "DROP INDEX _stream_offset_range, DROP COLUMN _stream_epoch, DROP COLUMN _stream_partition, \
                   DROP COLUMN _stream_offset";
    scene.stage.sql(&format!("ALTER TABLE numbers {columns}")).await;
    scene.stage.sql("ALTER TABLE numbers RESET SETTING non_replicated_deduplication_window").await;
    scene.stage.sql("INSERT INTO numbers VALUES (1, 1)").await;
    scene.package.save_first();
    scene.ends_with(1, &["migrate", "baseline"], &["ALTER TABLE `numbers` ADD COLUMN", "`.provenance(false)`"]);
    let told = scene.run(&["migrate", "baseline"]).1;
    let (_, rest) = told.split_once("add the hidden columns with `").expect("a statement");
    scene.stage.sql(rest.split_once("`, or").expect("its end").0).await;
    let (_, rest) = told.split_once("; `ALTER TABLE `numbers` MODIFY SETTING").expect("another statement");
    let setting = rest.split_once("` sets it").expect("its end").0;
    scene.stage.sql(&format!("ALTER TABLE numbers MODIFY SETTING{setting}")).await;
    scene.ends_with(0, &["migrate", "baseline"], &["taken as applied  0001_first.sql"]);
    scene.ends_with(0, &["migrate", "status"], &["the database is as declared"]);
}

#[tokio::test]
async fn a_development_database_that_differs_is_left_alone_and_nobody_is_told_to_drop_it() {
    let scene = Scene::new().await;
    scene.stage.sql("CREATE TABLE numbers (id UInt64, small UInt8) ENGINE = MergeTree ORDER BY id").await;
    let launch = Launch::new(PIPELINE, scene.stage.data_dir())
        .environment("MOOSE_CLICKHOUSE__URL", &scene.stage.engine.url())
        .environment("MOOSE_CLICKHOUSE__DATABASE", &scene.stage.database);
    let mut process = launch.start();
    process.addresses(LATE).await;
    process.interrupt();
    assert!(process.wait(LATE).success(), "{}", process.output());
    let output = process.output();
    assert!(output.contains("ALTER TABLE `numbers` ADD COLUMN"), "{output}");
    assert!(output.contains("how these tables came about is not known"), "{output}");
    assert!(!output.to_lowercase().contains("drop the table"), "{output}");
}

#[tokio::test]
async fn drift_is_told_piece_by_piece_and_refuses_a_start() {
    let scene = Scene::new().await;
    scene.package.save_first();
    scene.ends_with(0, &["migrate", "apply"], &[]);
    for statement in [
        "ALTER TABLE numbers MODIFY COLUMN small UInt8 DEFAULT 7",
        "ALTER TABLE numbers COMMENT COLUMN id 'by hand'",
        "ALTER TABLE numbers ADD COLUMN extra String CODEC(ZSTD(3))",
        "ALTER TABLE numbers MODIFY TTL toDateTime(id) + INTERVAL 1 DAY",
        "ALTER TABLE numbers ADD INDEX small_range small TYPE minmax",
        "ALTER TABLE numbers MODIFY COMMENT 'by hand'",
        "ALTER TABLE numbers MODIFY SETTING non_replicated_deduplication_window = 5",
        "DROP TABLE audit",
    ] {
        scene.stage.sql(statement).await;
    }
    let found = [
        "table `audit`: the table is not there",
        "column `small` is UInt8 DEFAULT 7",
        "COMMENT 'by hand'",
        "column `extra` is not declared: String CODEC(ZSTD(3))",
        "the TTL is not declared",
        "index `small_range` is not declared",
        "the comment is 'by hand', declared is 'The smallest record",
        "setting non_replicated_deduplication_window is 5, declared is 100000",
    ];
    for command in [&["migrate", "status"][..], &["check"], &["run", "--allow-anonymous"]] {
        scene.ends_with(4, command, &found);
    }
    let left =
        "SELECT count() FROM system.tables WHERE database = currentDatabase() AND startsWith(name, '_moose_shape')";
    assert_eq!(scene.stage.sql(left).await, "0");
}

#[tokio::test]
async fn what_is_declared_and_no_migration_does_is_named_by_status_check_and_the_start_alike() {
    let scene = Scene::new().await;
    let mut saved = declared();
    let sql: Vec<String> = saved.iter().map(create).collect();
    let missing = saved.pop().expect("several tables are declared").name;
    scene.package.save("0001_first.sql", &sql.join("\n"), &saved);
    scene.ends_with(0, &["migrate", "apply"], &[]);
    for command in [&["migrate", "status"][..], &["check"], &["run", "--allow-anonymous"]] {
        scene.ends_with(4, command, &[&format!("table `{missing}`: create table")]);
    }
    let found = scene.json(&["check", "--json"])["migrations"].clone();
    let found: Vec<&str> = found.as_array().expect("lines").iter().filter_map(Value::as_str).collect();
    let told = "no migration does what is declared: ";
    assert!(matches!(found.as_slice(), [line] if line.starts_with(told)), "{found:?}");
    let status = scene.json(&["migrate", "status", "--json"]);
    assert_eq!((&status["clean"], &status["drift"]), (&false.into(), &Value::Array(Vec::new())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_under_load_keeps_every_record_once_and_its_place_in_the_stream() {
    let scene = Scene::new().await;
    let mut process = scene.launch(&["dev"]).start();
    let addresses = process.addresses(LATE).await;
    let record = |id: u64| format!(r#"{{"id":{id},"small":{}}}"#, id % 200);
    let batches = Batches { records: 20, pause: std::time::Duration::from_millis(20), record };
    let load = Load::start(format!("http://{}/ingest/numbers", addresses.http), 0, batches);
    scene.stage.shows("SELECT count() > 0 FROM numbers", "1", LATE).await;

    scene.package.save("0001_rebuild.sql", &rebuild("numbers", 1, &["small", "id"]), &[]);
    scene.ends_with(0, &["migrate", "apply"], &["applied  0001_rebuild.sql"]);
    let key = "SELECT sorting_key FROM system.tables WHERE database = currentDatabase() AND name = 'numbers'";
    assert_eq!(scene.stage.sql(key).await, "small, id");
    let before = load.kept();
    eventually(LATE, || async { if load.kept() > before + 100 { Ok(()) } else { Err("no more are kept") } }).await;
    process.printed("goes on in the table that took the other's place", LATE).await;
    let sent = load.stop().await;
    assert_eq!(sent.refused, 0, "records are accepted all the time");
    each_is_a_row_once(&scene.stage.url(), "numbers", &sent.kept, LATE).await;
    let old = "SELECT count() > 0 FROM numbers__old_1";
    assert_eq!(scene.stage.sql(old).await, "1", "the table as it was is kept");
    let left = "SELECT arrayStringConcat(groupArray(name), ' ') FROM system.tables WHERE database = currentDatabase() \
                AND (startsWith(name, '_moose_drain') OR position(create_table_query, 'CONSTRAINT _moose_drain') > 0)";
    assert_eq!(scene.stage.sql(left).await, "");
    process.interrupt();
    assert!(process.wait(LATE).success(), "{}", process.output());
    let counted = scene.launch(&["check", "--counts"]).command().output().expect("the command runs");
    assert!(counted.status.success(), "{}", String::from_utf8_lossy(&counted.stdout));
}

#[tokio::test]
async fn a_drain_that_nobody_renews_is_told_and_lifted() {
    let scene = Scene::new().await;
    let mut process = scene.launch(&["dev"]).environment("FAULT_LEASE", "13000").start();
    let addresses = process.addresses(LATE).await;
    let sql = "-- moose: drain numbers\nCREATE TABLE waits (n UInt64, s UInt8) ENGINE = MergeTree ORDER BY n;\n\
               INSERT INTO waits SELECT number, sleepEachRow(3) FROM numbers(20) SETTINGS max_block_size = 1;\n\
               -- moose: resume numbers\n";
    scene.package.save("0001_first.sql", sql, &[]);
    let runner = scene.launch(&["migrate", "apply"]).environment("FAULT_LEASE", "13000").start();
    let url = format!("http://{}", addresses.http);
    scene
        .stage
        .shows(
            "SELECT count() FROM system.processes WHERE query LIKE '%INTO waits SELECT%' AND query_kind = 'Insert'",
            "1",
            LATE,
        )
        .await;
    runner.kill();
    let answer = http::post_json(&format!("{url}/ingest/numbers"), r#"{"id":1,"small":1}"#).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let ready = format!("http://{}/ready", addresses.management);
    eventually(LATE, || async {
        let answer = http::get(&ready).await.text();
        if answer.contains("drain of table `numbers`") { Ok(()) } else { Err(answer) }
    })
    .await;
    scene.stage.shows("SELECT id FROM numbers", "1", LATE).await;
    assert!(process.output().contains("lifted a drain that nobody renewed"), "{}", process.output());
    process.interrupt();
    assert!(process.wait(LATE).success(), "{}", process.output());
}

#[tokio::test]
async fn an_insert_that_knows_nothing_of_a_drain_is_refused_by_the_server() {
    let scene = Scene::new().await;
    scene.stage.sql(create(&declared_table("numbers")).trim_end().trim_end_matches(';')).await;
    let sql = "-- moose: drain numbers\nCREATE TABLE lasts (n UInt64, s UInt8) ENGINE = MergeTree ORDER BY n;\n\
               INSERT INTO lasts SELECT number, sleepEachRow(1) FROM numbers(5) SETTINGS max_block_size = 1;\n\
               -- moose: resume numbers\n";
    scene.package.save("0001_first.sql", sql, &[]);
    let mut runner = scene.launch(&["migrate", "apply"]).start();
    scene
        .stage
        .shows(
            "SELECT count() FROM system.processes WHERE query LIKE '%INTO lasts SELECT%' AND query_kind = 'Insert'",
            "1",
            LATE,
        )
        .await;
    let answer = http::try_sql(&scene.stage.url(), "INSERT INTO numbers (id, small) VALUES (1, 1)").await;
    assert!(answer.text().contains("Constraint `_moose_drain`"), "{}", answer.text());
    assert!(runner.wait(LATE).success(), "{}", runner.output());
    scene.stage.sql("INSERT INTO numbers (id, small) VALUES (1, 1)").await;
    assert_eq!(scene.stage.sql("SELECT count() FROM numbers").await, "1");
}

/// The numbers alone, in a table without the hidden columns.
const BARE: &str = env!("CARGO_BIN_EXE_bare");

#[tokio::test]
async fn a_development_database_follows_the_declarations_and_loses_nothing_unasked() {
    let scene = Scene::new().await;
    let launch = |program: &str| {
        Launch::new(program, scene.stage.data_dir())
            .environment("MOOSE_CLICKHOUSE__URL", &scene.stage.engine.url())
            .environment("MOOSE_CLICKHOUSE__DATABASE", &scene.stage.database)
    };
    let hidden = "SELECT count() FROM system.columns WHERE database = currentDatabase() AND table = 'numbers' \
                  AND name = '_stream_offset'";
    let tables = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND NOT startsWith(name, '_')";
    for (round, (program, id)) in [(BARE, 1), (PIPELINE, 2), (BARE, 3)].into_iter().enumerate() {
        let mut process = launch(program).start();
        let addresses = process.addresses(LATE).await;
        let url = format!("http://{}/ingest/numbers", addresses.http);
        let answer = http::post_json(&url, format!(r#"{{"id":{id},"small":1}}"#)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        scene.stage.shows("SELECT count(), uniqExact(id) FROM numbers", &format!("{id}\t{id}"), LATE).await;
        let found = (scene.stage.sql(hidden).await, scene.stage.sql(tables).await);
        let expected =
            if round == 0 { ("0".to_owned(), "1".to_owned()) } else { ("1".to_owned(), declared().len().to_string()) };
        assert_eq!(found, expected, "{}", process.output());
        process.interrupt();
        assert!(process.wait(LATE).success(), "{}", process.output());
        if round == 2 {
            let output = process.output();
            assert!(output.contains("table `numbers`: not done, because it would lose what is there"), "{output}");
            assert!(output.contains("table `events` is not declared any more"), "{output}");
        }
    }
}
