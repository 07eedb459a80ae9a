//! The other commands of the program: they find the one that runs, or start the engine for themselves.

use std::path::Path;

use moose_tests::{
    http,
    process::{Launch, Process},
    wait::eventually,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::stage::{LATE, PIPELINE};

fn launch(directory: &Path, arguments: &[&str]) -> Launch {
    let launch = Launch::new(PIPELINE, directory.join("data"));
    arguments.iter().fold(launch, |launch, argument| launch.argument(argument))
}

/// What a command prints to its standard output, when it ends well.
fn output(directory: &Path, arguments: &[&str]) -> String {
    let run = launch(directory, arguments).command().output().expect("the command runs");
    assert!(run.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).expect("UTF-8")
}

async fn with_an_event(directory: &Path) -> Process {
    let mut process = launch(directory, &[]).start();
    let addresses = process.addresses(LATE).await;
    let event = r#"{"id":"e","userId":"u","timestamp":"2024-01-15T10:30:00Z","eventType":"click"}"#;
    let answer = http::post_json(&format!("http://{}/ingest/events", addresses.http), event).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let engine = addresses.engine_url();
    eventually(LATE, || async {
        let count = http::sql(&engine, "SELECT count() FROM events").await;
        if count == "1" { Ok(()) } else { Err(count) }
    })
    .await;
    process
}

/// What `query` and `ls` say about the event, whoever's engine they ask.
fn check(directory: &Path) {
    let rows = output(directory, &["query", "--json", "SELECT * FROM events"]);
    let row: Value = serde_json::from_str(&rows).expect("one row of JSON");
    assert_eq!(row.as_object().map(serde_json::Map::len), Some(4), "{rows}");
    assert_eq!((&row["id"], &row["userId"], &row["eventType"]), (&json!("e"), &json!("u"), &json!("click")));
    let table = output(directory, &["query", "SELECT id, userId FROM events"]);
    assert!(table.contains("userId") && table.contains('e') && table.lines().count() > 2, "{table}");

    let listing: Value = serde_json::from_str(&output(directory, &["ls", "--json"])).expect("one JSON document");
    let tables = listing["tables"].as_array().expect("tables");
    let events = tables.iter().find(|table| table["name"] == "events").expect("the table `events`");
    assert_eq!(events["rows"], 1, "{listing}");
    assert!(output(directory, &["ls"]).contains("/ingest/events"));
}

#[tokio::test]
async fn query_and_ls_ask_the_running_program_and_without_one_an_engine_of_their_own() {
    let directory = TempDir::new().expect("a temporary directory");
    let mut process = with_an_event(directory.path()).await;
    check(directory.path());
    process.interrupt();
    assert!(process.wait(LATE).success(), "{}", process.output());
    check(directory.path());
}

#[tokio::test]
async fn the_addresses_of_a_killed_program_mislead_nobody() {
    let directory = TempDir::new().expect("a temporary directory");
    with_an_event(directory.path()).await.kill();
    check(directory.path());
    // And the next start takes the directory over, whatever the engine's end takes.
    let mut process = launch(directory.path(), &[]).start();
    process.addresses(LATE).await;
}

#[test]
fn a_wrong_statement_fails_with_clickhouses_words() {
    let directory = TempDir::new().expect("a temporary directory");
    let run = launch(directory.path(), &["query", "SELECT nonsense"]).command().output().expect("the command runs");
    assert_eq!(run.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(errors.contains("nonsense") && !errors.contains("panicked"), "{errors}");
}

#[test]
fn a_wrong_command_line_and_a_wrong_configuration_have_exit_codes_of_their_own() {
    let directory = TempDir::new().expect("a temporary directory");
    let code = |launch: Launch| launch.command().output().expect("the command runs").status.code();
    assert_eq!(code(launch(directory.path(), &["qery", "SELECT 1"])), Some(2));
    assert_eq!(code(launch(directory.path(), &[]).environment("MOOSE_SYNC__MAX_ROWS", "many")), Some(3));
    assert_eq!(code(launch(directory.path(), &[]).environment("MOOSE_SYNK__MAX_ROWS", "1")), Some(3));
}

#[cfg(not(feature = "kafka"))]
#[test]
fn kafka_that_is_not_built_in_is_a_wrong_configuration_that_says_how_to_build_it() {
    let directory = TempDir::new().expect("a temporary directory");
    let launch = launch(directory.path(), &[]).environment("MOOSE_KAFKA__BROKERS", "127.0.0.1:9092");
    let run = launch.command().output().expect("the command runs");
    assert_eq!(run.status.code(), Some(3));
    let text = String::from_utf8_lossy(&run.stderr);
    assert!(text.contains("kafka.brokers is set and this program was built without Kafka"), "{text}");
    assert!(text.contains("the feature `kafka` in [dependencies]"), "{text}");
}
