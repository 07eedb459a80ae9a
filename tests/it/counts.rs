//! The accounting: what the stream counted and what the table has, asked with and without a running program.

use moose_tests::{
    http,
    process::{Launch, Process},
    wait::eventually,
};
use serde_json::{Value, json};

use crate::stage::{LATE, PIPELINE, Stage, numbers};

fn launch(stage: &Stage, arguments: &[&str]) -> Launch {
    let launch = Launch::new(PIPELINE, stage.data_dir())
        .environment("MOOSE_CLICKHOUSE__URL", &stage.engine.url())
        .environment("MOOSE_CLICKHOUSE__DATABASE", &stage.database);
    arguments.iter().fold(launch, |launch, argument| launch.argument(argument))
}

/// Exit code of `check --counts --json`, and all accounts.
fn all_counts(stage: &Stage) -> (Option<i32>, Vec<Value>) {
    let run = launch(stage, &["check", "--counts", "--json"]).command().output().expect("the command runs");
    let document: Value = serde_json::from_slice(&run.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&run.stderr)));
    assert_eq!(document["agreed"], json!(run.status.code() == Some(0)));
    (run.status.code(), document["accounts"].as_array().expect("accounts").clone())
}

fn account(accounts: &[Value], table: &str) -> Value {
    accounts.iter().find(|account| account["table"] == table).cloned().unwrap_or_default()
}

/// Exit code of `check --counts --json`, and what it says of `numbers`.
fn counts(stage: &Stage) -> (Option<i32>, Value) {
    let (code, accounts) = all_counts(stage);
    (code, account(&accounts, "numbers"))
}

async fn with_numbers(stage: &Stage, count: u64) -> Process {
    let mut process = launch(stage, &[]).start();
    let addresses = process.addresses(LATE).await;
    let url = format!("http://{}/ingest/numbers", addresses.http);
    let answer = http::post(&url, "application/x-ndjson", numbers(0..count)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let accounting = format!("http://{}/accounting", addresses.management);
    eventually(LATE, || async {
        let accounts = http::get(&accounting).await.json();
        let done = accounts["accounts"].as_array().is_some_and(|accounts| {
            accounts.iter().any(|account| account["table"] == "numbers" && account["inserted"] == count)
        });
        if done { Ok(()) } else { Err(accounts.to_string()) }
    })
    .await;
    process
}

#[tokio::test]
async fn both_sides_agree_while_it_runs_and_after_it_was_stopped_or_killed() {
    let stage = Stage::new().await;
    let process = with_numbers(&stage, 1000).await;
    let expected = |code: Option<i32>, line: &Value| {
        assert_eq!(code, Some(0), "{line}");
        assert_eq!(
            (&line["accepted"], &line["inserted"], &line["in_the_stream"]),
            (&json!(1000), &json!(1000), &json!(0))
        );
        assert_eq!((&line["counts"]["rows"], &line["counts"]["records"]), (&json!(1000), &json!(1000)), "{line}");
    };
    let (code, line) = counts(&stage);
    expected(code, &line);
    process.kill();
    let (code, line) = counts(&stage);
    expected(code, &line);
}

#[tokio::test]
async fn a_row_too_few_or_too_many_is_found() {
    let stage = Stage::new().await;
    let process = with_numbers(&stage, 100).await;
    stage.sql("ALTER TABLE numbers DELETE WHERE id = 7 SETTINGS mutations_sync = 2").await;
    let (code, line) = counts(&stage);
    assert_eq!((code, &line["contradictions"]), (Some(1), &json!(["1 rows were confirmed and are not there"])));
    // A row that is there twice, under no token.
    stage
        .sql(
            "INSERT INTO numbers (id, small, _stream_epoch, _stream_partition, _stream_offset) \
             SELECT id, small, _stream_epoch, _stream_partition, _stream_offset FROM numbers WHERE id IN (8, 9) \
             SETTINGS insert_allow_materialized_columns = 1",
        )
        .await;
    let (code, line) = counts(&stage);
    assert_eq!(code, Some(1));
    assert_eq!(
        line["contradictions"],
        json!(["2 rows are there more than once", "1 rows were confirmed and are not there"])
    );
    // One that came from nowhere.
    stage
        .sql(
            "INSERT INTO numbers (id, small, _stream_epoch, _stream_partition, _stream_offset) \
             SELECT 1000, 1, any(_stream_epoch), 0, 5000 FROM numbers SETTINGS insert_allow_materialized_columns = 1",
        )
        .await;
    let (_, line) = counts(&stage);
    assert!(line["contradictions"].to_string().contains("offset 5000"), "{line}");
    drop(process);
}

#[tokio::test]
async fn records_that_wait_are_in_the_stream() {
    let stage = Stage::new().await;
    let mut process = launch(&stage, &[]).environment("MOOSE_SYNC__MAX_DELAY", "10m").start();
    let addresses = process.addresses(LATE).await;
    let url = format!("http://{}/ingest/numbers", addresses.http);
    let answer = http::post(&url, "application/x-ndjson", numbers(0..10)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let (code, line) = counts(&stage);
    assert_eq!(code, Some(0), "{line}");
    assert_eq!((&line["accepted"], &line["inserted"], &line["in_the_stream"]), (&json!(10), &json!(0), &json!(10)));
}

#[tokio::test]
async fn a_table_that_can_not_be_asked_is_told_and_the_others_are_counted() {
    let stage = Stage::new().await;
    let process = with_numbers(&stage, 100).await;
    let reason = |line: &Value| line["contradictions"].to_string();
    stage.sql("ALTER TABLE events DROP INDEX _stream_offset_range, DROP COLUMN _stream_offset").await;
    stage.sql("DROP TABLE audit SYNC").await;
    let ask = || {
        let (code, accounts) = all_counts(&stage);
        assert_eq!(code, Some(1), "{accounts:?}");
        let numbers = account(&accounts, "numbers");
        assert_eq!((&numbers["counts"]["rows"], &numbers["contradictions"]), (&json!(100), &json!([])), "{numbers}");
        let (events, audit) = (account(&accounts, "events"), account(&accounts, "audit"));
        assert_eq!((&events["counts"], &audit["counts"]), (&Value::Null, &Value::Null));
        assert!(reason(&events).contains("_stream_offset") && reason(&events).contains("47"), "{events}");
        assert!(reason(&audit).contains("it is not there"), "{audit}");
    };
    ask();
    process.kill();
    ask();
    let run = launch(&stage, &["check", "--counts"]).command().output().expect("the command runs");
    let text = String::from_utf8_lossy(&run.stdout);
    assert!(text.contains("can't be asked which records it has: it is not there"), "{text}");
    assert!(text.contains("100 rows of 100 records"), "{text}");
}

#[tokio::test]
async fn check_says_what_is_promised_and_its_exit_code_too() {
    let stage = Stage::new().await;
    drop(with_numbers(&stage, 1).await);
    let run = || {
        let run = launch(&stage, &["check", "--json"]).command().output().expect("the command runs");
        let document: Value = serde_json::from_slice(&run.stdout).expect("a JSON document");
        let tables = document["tables"].as_array().expect("tables").clone();
        let numbers = tables.into_iter().find(|table| table["table"] == "numbers").expect("the table `numbers`");
        (run.status.code(), numbers["promise"].as_str().map(str::to_owned))
    };
    assert_eq!(run(), (Some(0), Some("exactly once".to_owned())));
    stage.sql("ALTER TABLE numbers MODIFY SETTING non_replicated_deduplication_window = 0").await;
    assert_eq!(run(), (Some(1), Some("at least once".to_owned())));
}
