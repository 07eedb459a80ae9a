//! What is said at a start about tables that were made by hand with a flaw: each finding, against the real engine.

use hyper::StatusCode;
use moose_runtime::{
    app::{Effect, Flaw, Promise, RunningApp},
    declare::Resource,
};
use moose_tests::{
    http,
    pipelines::NUMBERS,
    process::Launch,
    proxy::{Canned, Fault},
    wait::eventually,
};
use serde_json::Value;

use crate::stage::{COLUMNS, LATE, PIPELINE, SOON, Stage, numbers as numbers_of};

const RESOURCES: &[&dyn Resource] = &[&NUMBERS];

/// The columns of `numbers` as they are declared.
const WINDOW: &str = "non_replicated_deduplication_window = 100000";

/// Starts on a table that was made by hand, and answers what was found and promised.
async fn found(stage: &Stage, create: &str) -> (Vec<Flaw>, Promise, RunningApp) {
    stage.sql(create).await;
    let app = stage.start(RESOURCES).await;
    let report = app.report().table("numbers").expect("a report on the table").clone();
    (report.flaws.clone(), report.promise(), app)
}

async fn ends(app: RunningApp) {
    app.stop().await.expect("an orderly stop");
}

fn is_at_least_once(promise: &Promise) -> bool {
    matches!(promise, Promise::AtLeastOnce(reasons) if !reasons.is_empty())
}

#[tokio::test]
async fn a_table_that_we_made_is_written_exactly_once() {
    let stage = Stage::new().await;
    let app = stage.start(RESOURCES).await;
    assert!(app.report().is_exactly_once() && app.report().is_open(), "{}", app.report());
    // On a server that does not sync, which is said.
    let flaws = &app.report().table("numbers").expect("a report on the table").flaws;
    assert_eq!(flaws.as_slice(), [Flaw::NotSynced]);
    ends(app).await;
}

#[tokio::test]
async fn a_table_without_a_window_or_with_a_small_one() {
    let stage = Stage::new().await;
    let setting = "non_replicated_deduplication_window";
    let create = format!("CREATE TABLE numbers ({COLUMNS}) ENGINE = MergeTree ORDER BY id");
    let (flaws, promise, app) = found(&stage, &create).await;
    assert!(flaws.contains(&Flaw::NoWindow { setting }), "{flaws:?}");
    assert!(is_at_least_once(&promise), "{promise:?}");
    ends(app).await;
    stage.sql("ALTER TABLE numbers MODIFY SETTING non_replicated_deduplication_window = 5").await;
    let app = stage.start(RESOURCES).await;
    let flaws = &app.report().table("numbers").expect("a report on the table").flaws;
    assert!(flaws.contains(&Flaw::SmallWindow { setting, window: 5, wanted: 10_000 }), "{flaws:?}");
    ends(app).await;
    stage.sql("ALTER TABLE numbers MODIFY SETTING non_replicated_deduplication_window = 100000").await;
    let app = stage.start(RESOURCES).await;
    assert!(app.report().is_exactly_once(), "{}", app.report());
    ends(app).await;
}

#[tokio::test]
async fn a_table_that_collects_inserts() {
    let stage = Stage::new().await;
    let create =
        format!("CREATE TABLE numbers ({COLUMNS}) ENGINE = MergeTree ORDER BY id SETTINGS {WINDOW}, async_insert = 1");
    let (flaws, promise, app) = found(&stage, &create).await;
    assert!(flaws.contains(&Flaw::AsyncInserts), "{flaws:?}");
    assert!(is_at_least_once(&promise), "{promise:?}");
    ends(app).await;
}

#[tokio::test]
async fn an_engine_that_collapses_rows() {
    let stage = Stage::new().await;
    let create = format!("CREATE TABLE numbers ({COLUMNS}) ENGINE = ReplacingMergeTree ORDER BY id SETTINGS {WINDOW}");
    let (flaws, promise, app) = found(&stage, &create).await;
    assert!(flaws.iter().any(|flaw| matches!(flaw, Flaw::Collapses { engine, .. } if engine == "ReplacingMergeTree")));
    assert!(matches!(promise, Promise::MayLose(_)), "{promise:?}");
    ends(app).await;
}

#[tokio::test]
async fn a_buffer_in_front_of_the_table() {
    let stage = Stage::new().await;
    stage.sql(&format!("CREATE TABLE behind ({COLUMNS}) ENGINE = MergeTree ORDER BY id SETTINGS {WINDOW}")).await;
    let create =
        format!("CREATE TABLE numbers AS behind ENGINE = Buffer({}, behind, 1, 1, 1, 1, 1, 1, 1)", stage.database);
    let (flaws, promise, app) = found(&stage, &create).await;
    assert!(flaws.contains(&Flaw::OtherEngine { engine: "Buffer".to_owned() }), "{flaws:?}");
    assert!(is_at_least_once(&promise), "{promise:?}");
    ends(app).await;
}

#[tokio::test]
async fn a_partition_key_over_a_value_of_the_server() {
    let stage = Stage::new().await;
    for (kind, default) in [("DEFAULT", "now()"), ("MATERIALIZED", "rand() % 8")] {
        let create = format!(
            "CREATE OR REPLACE TABLE numbers ({COLUMNS}, made UInt64 {kind} toUInt64({default})) ENGINE = MergeTree \
             PARTITION BY (id % 4, made) ORDER BY id SETTINGS {WINDOW}"
        );
        let (flaws, promise, app) = found(&stage, &create).await;
        let value = format!("made toUInt64({default})");
        assert!(
            flaws.iter().any(|flaw| matches!(flaw, Flaw::PartitionKey { value: found, .. } if *found == value)),
            "{flaws:?}"
        );
        assert!(is_at_least_once(&promise), "{promise:?}");
        ends(app).await;
    }
}

#[tokio::test]
async fn views_behind_the_table_and_behind_their_targets() {
    let stage = Stage::new().await;
    let create = format!("CREATE TABLE numbers ({COLUMNS}) ENGINE = MergeTree ORDER BY id SETTINGS {WINDOW}");
    stage.sql(&create).await;
    stage.sql(&format!("CREATE TABLE near (id UInt64) ENGINE = MergeTree ORDER BY id SETTINGS {WINDOW}")).await;
    stage.sql("CREATE TABLE far (id UInt64) ENGINE = MergeTree ORDER BY id").await;
    stage.sql("CREATE MATERIALIZED VIEW one TO near AS SELECT id FROM numbers").await;
    stage.sql("CREATE MATERIALIZED VIEW two TO far AS SELECT id FROM near").await;
    stage.sql("CREATE MATERIALIZED VIEW own ENGINE = MergeTree ORDER BY id AS SELECT id FROM numbers").await;
    let app = stage.start(RESOURCES).await;
    let report = app.report().table("numbers").expect("a report on the table").clone();
    let windows: Vec<(String, String)> = report
        .flaws
        .iter()
        .filter_map(|flaw| match flaw {
            Flaw::ViewWindow { view, target, window: 0, .. } => Some((view.clone(), target.clone())),
            _ => None,
        })
        .collect();
    let name = |table: &str| format!("{}.{table}", stage.database);
    assert_eq!(windows.len(), 2, "{report:?}");
    assert!(windows[0].0 == name("own") && windows[0].1.contains(".inner_id."), "{windows:?}");
    assert_eq!(windows[1], (name("two"), name("far")));
    assert!(is_at_least_once(&report.promise()));
    let all = Flaw::ViewsOnPlainServer { views: vec![name("one"), name("own"), name("two")] };
    assert!(report.flaws.contains(&all), "{report:?}");
    ends(app).await;
}

#[tokio::test]
async fn columns_that_differ_block_and_columns_beyond_the_declared_do_not() {
    let stage = Stage::new().await;
    let other = COLUMNS.replace("small UInt8", "small String");
    let create =
        format!("CREATE TABLE numbers ({other}, more String) ENGINE = MergeTree ORDER BY id SETTINGS {WINDOW}");
    let (flaws, promise, app) = found(&stage, &create).await;
    assert!(
        flaws
            .iter()
            .any(|flaw| matches!(flaw, Flaw::ColumnsDiffer { differences, .. } if differences[0].contains("small"))),
        "{flaws:?}"
    );
    assert!(
        flaws.iter().any(|flaw| matches!(flaw, Flaw::ColumnsVary { differences } if differences[0].contains("more")))
    );
    assert_eq!(promise, Promise::ExactlyOnce, "records wait; none is lost or doubled");
    assert!(!app.report().is_open());
    ends(app).await;
}

#[tokio::test]
async fn a_ttl_is_said() {
    let stage = Stage::new().await;
    let create = format!(
        "CREATE TABLE numbers ({COLUMNS}, at DateTime DEFAULT now()) ENGINE = MergeTree ORDER BY id \
         TTL at + INTERVAL 1 YEAR SETTINGS {WINDOW}"
    );
    let (flaws, promise, app) = found(&stage, &create).await;
    assert!(flaws.contains(&Flaw::Ttl), "{flaws:?}");
    assert_eq!(promise, Promise::ExactlyOnce);
    ends(app).await;
}

#[tokio::test]
async fn row_policies_privileges_and_settings_that_a_server_says_it_has_or_lacks() {
    let stage = Stage::new().await;
    let answer = |text: &'static str| Fault::Answer(Canned::plain(StatusCode::OK, text));
    for (part, text) in [
        ("system.row_policies", r#"{"data":[["hide ON m.numbers","1"]],"rows":1}"#),
        ("CHECK GRANT INSERT", "0\n"),
        ("CHECK GRANT SELECT", "1\n"),
        // As an old server would answer.
        (
            "SELECT name FROM system.settings",
            r#"{"data":[["insert_deduplicate"],["insert_allow_materialized_columns"]],"rows":2}"#,
        ),
    ] {
        stage.proxy.when(move |request| request.statement.contains(part)).make(answer(text));
    }
    let app = stage.start(RESOURCES).await;
    let report = app.report().table("numbers").expect("a report on the table").clone();
    assert!(report.flaws.contains(&Flaw::RowPolicies { policies: vec!["hide ON m.numbers".to_owned()] }), "{report:?}");
    assert!(
        report.flaws.iter().any(|flaw| matches!(flaw, Flaw::NotGranted { privilege, effect: Effect::Blocks, .. }
            if privilege.starts_with("INSERT"))),
        "{report:?}"
    );
    assert!(
        report
            .flaws
            .iter()
            .any(|flaw| matches!(flaw, Flaw::SettingUnknown { setting: "insert_deduplication_token", .. })),
        "{report:?}"
    );
    assert!(matches!(report.promise(), Promise::AtLeastOnce(reasons) if reasons.len() == 2), "{report:?}");
    ends(app).await;
}

/// The statement in a remedy: what stands between its first backtick and the one before `, or`.
fn statement(remedy: &str) -> &str {
    let (_, rest) = remedy.split_once('`').expect("a statement");
    rest.split_once("`, or declare it with `.provenance(false)`").expect("both ways").0
}

#[tokio::test]
async fn a_table_of_others_with_rows_is_taken_as_it_is_told_to_be() {
    let stage = Stage::new().await;
    stage.sql("CREATE TABLE numbers (id UInt64, small UInt8) ENGINE = MergeTree ORDER BY id").await;
    stage.sql("INSERT INTO numbers SELECT number, 1 FROM numbers(1000, 10)").await;
    let launch = |arguments: &[&str]| {
        let launch = Launch::new(PIPELINE, stage.data_dir())
            .environment("MOOSE_CLICKHOUSE__URL", &stage.engine.url())
            .environment("MOOSE_CLICKHOUSE__DATABASE", &stage.database);
        arguments.iter().fold(launch, |launch, argument| launch.argument(argument))
    };
    let numbers = || {
        let run = launch(&["check", "--json"]).command().output().expect("the command runs");
        let document: Value = serde_json::from_slice(&run.stdout).expect("a JSON document");
        let tables = document["tables"].as_array().expect("tables").clone();
        tables.into_iter().find(|table| table["table"] == "numbers").expect("the table `numbers`")
    };
    let remedy = |kind: &str| {
        let table = numbers();
        let findings = table["findings"].as_array().expect("findings");
        let finding = findings.iter().find(|finding| finding["message"].as_str().expect("text").contains(kind));
        finding.unwrap_or_else(|| panic!("no {kind} in {table}"))["remedy"].as_str().expect("a remedy").to_owned()
    };
    let mut process = launch(&[]).start();
    let addresses = process.addresses(LATE).await;
    let url = format!("http://{}/ingest/numbers", addresses.http);
    let answer = http::post(&url, "application/x-ndjson", numbers_of(0..100)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let ready = format!("http://{}/ready", addresses.management);
    eventually(LATE, || async {
        let text = http::get(&ready).await.text();
        if text.contains("`.provenance(false)`") { Ok(()) } else { Err(text) }
    })
    .await;
    stage.sql(statement(&remedy("differs from its declaration"))).await;
    let window = remedy("remembers no tokens");
    stage.sql(window.split_once("with ").expect("a statement").1).await;
    stage
        .shows("SELECT count(), uniqExact(id), countIf(_stream_offset < 100) FROM numbers", "110\t110\t100", LATE)
        .await;
    let from_no_stream = "SELECT count() FROM numbers WHERE _stream_epoch = 18446744073709551615 \
                          AND _stream_partition = 65535 AND _stream_offset = 18446744073709551615";
    stage.shows(from_no_stream, "10", SOON).await;
    let found = numbers();
    assert_eq!((&found["promise"], &found["writable"]), (&"exactly once".into(), &true.into()), "{found}");
    let output = process.output();
    assert!(!output.to_lowercase().contains("drop the table"), "{output}");
    process.interrupt();
    assert!(process.wait(LATE).success(), "{}", process.output());
    let run = launch(&["check", "--counts"]).command().output().expect("the command runs");
    let text = String::from_utf8_lossy(&run.stdout);
    assert_eq!(run.status.code(), Some(0), "{text}");
    assert!(text.contains("100 rows of 100 records"), "{text}");
}
