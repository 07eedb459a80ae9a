//! The command `run`: what it refuses, what lets it go on, and that it is the same pipeline.

use std::path::Path;

use moose_tests::{http, process::Launch, wait::eventually};
use tempfile::TempDir;

use crate::stage::{LATE, PIPELINE, Stage};

fn launch(data_dir: &Path, arguments: &[&str]) -> Launch {
    arguments.iter().fold(Launch::new(PIPELINE, data_dir), |launch, argument| launch.argument(argument))
}

#[test]
fn without_authentication_it_does_not_start_unless_told() {
    let directory = TempDir::new().expect("a temporary directory");
    let (status, output) = launch(&directory.path().join("data"), &["run"]).run();
    assert_eq!(status.code(), Some(3), "{output}");
    assert!(output.contains("--allow-anonymous") && output.contains("http.listen"), "{output}");
    assert!(!directory.path().join("data").exists(), "nothing was begun");
}

#[tokio::test]
async fn it_runs_on_the_embedded_engine_and_takes_events() {
    let directory = TempDir::new().expect("a temporary directory");
    let mut process = launch(&directory.path().join("data"), &["run", "--allow-anonymous"]).start();
    let addresses = process.addresses(LATE).await;
    let answer = http::post_json(&format!("http://{}/ingest/numbers", addresses.http), r#"{"id":1,"small":1}"#).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let engine = addresses.engine_url();
    eventually(LATE, || async {
        let id = http::sql(&engine, "SELECT id FROM numbers").await;
        if id == "1" { Ok(()) } else { Err(id) }
    })
    .await;
    process.interrupt();
    assert!(process.wait(LATE).success(), "{}", process.output());
}

#[tokio::test]
async fn a_table_that_can_not_be_written_exactly_once_is_refused_unless_told() {
    let stage = Stage::new().await;
    stage
        .sql(
            "CREATE TABLE events (id String, userId String, timestamp DateTime64(3, 'UTC'), eventType String, \
         _stream_epoch UInt64 MATERIALIZED 18446744073709551615, _stream_partition UInt16 MATERIALIZED 65535, \
         _stream_offset UInt64 MATERIALIZED 18446744073709551615) ENGINE = MergeTree ORDER BY id",
        )
        .await;
    let launch = |arguments: &[&str]| {
        launch(&stage.data_dir(), arguments)
            .environment("MOOSE_CLICKHOUSE__URL", &stage.engine.url())
            .environment("MOOSE_CLICKHOUSE__DATABASE", &stage.database)
    };
    let (status, output) = launch(&["run", "--allow-anonymous"]).run();
    assert_eq!(status.code(), Some(3), "{output}");
    for piece in [
        "--allow-unsafe-tables",
        "events: at least once",
        "non_replicated_deduplication_window",
        "numbers: exactly once",
    ] {
        assert!(output.contains(piece), "no `{piece}` in:\n{output}");
    }
    let mut process = launch(&["run", "--allow-anonymous", "--allow-unsafe-tables"]).start();
    process.addresses(LATE).await;
    process.printed("events: at least once", LATE).await;
    process.interrupt();
    assert!(process.wait(LATE).success(), "{}", process.output());
}
