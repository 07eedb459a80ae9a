//! What becomes of tokens when tables are changed, and when the server ends.

use std::path::Path;

use moose_tests::{
    engine,
    http::{self, percent_encoded},
    process::{children_of, command_line, signal},
    wait::eventually,
};

use super::{OURS, WINDOW};
use crate::stage::{LATE, PIPELINE, Stage};

/// The settings of a table that survives its engine's death.
const DURABLE: &str = "ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100, \
                       fsync_after_insert = 1, fsync_part_directory = 1";

#[tokio::test]
async fn tokens_outlive_a_rename_and_detaching() {
    let stage = Stage::new().await;
    stage.sql(&format!("CREATE TABLE t (id UInt32) {WINDOW}")).await;
    stage.insert_ok("t", "a", "1\n").await;
    stage.sql("RENAME TABLE t TO u").await;
    stage.insert_ok("u", "a", "1\n").await;
    stage.sql("DETACH TABLE u").await;
    stage.sql("ATTACH TABLE u").await;
    stage.insert_ok("u", "a", "1\n").await;
    assert_eq!(stage.count("u").await, "1");
}

#[tokio::test]
async fn tokens_do_not_outlive_truncating() {
    let stage = Stage::new().await;
    stage.sql(&format!("CREATE TABLE t (id UInt32) {WINDOW}")).await;
    stage.insert_ok("t", "a", "1\n").await;
    stage.sql("TRUNCATE TABLE t").await;
    stage.insert_ok("t", "a", "1\n").await;
    assert_eq!(stage.count("t").await, "1");
}

#[tokio::test]
async fn tokens_do_not_outlive_dropping_their_partition() {
    let stage = Stage::new().await;
    let window = WINDOW.replace("ORDER BY id", "ORDER BY id PARTITION BY id % 2");
    stage.sql(&format!("CREATE TABLE t (id UInt32) {window}")).await;
    stage.insert_ok("t", "a", "1\n2\n").await;
    stage.sql("ALTER TABLE t DROP PARTITION 1").await;
    assert_eq!(stage.sql("SELECT groupArray(id) FROM t").await, "[2]");
    stage.insert_ok("t", "a", "1\n2\n").await;
    assert_eq!(stage.sql("SELECT arraySort(groupArray(id)) FROM t").await, "[1,2]", "dropped rows come back once");
}

#[tokio::test]
async fn tokens_stay_with_their_table_in_an_exchange() {
    let stage = Stage::new().await;
    for table in ["t", "u"] {
        stage.sql(&format!("CREATE TABLE {table} (id UInt32) {WINDOW}")).await;
    }
    stage.insert_ok("t", "a", "1\n").await;
    stage.sql("EXCHANGE TABLES t AND u").await;
    stage.insert_ok("t", "a", "1\n").await;
    assert_eq!(stage.count("t").await, "1", "the new table knows no tokens of the old one");
}

#[tokio::test]
async fn rows_and_tokens_outlive_a_restart_and_a_kill_right_after_the_answer() {
    let directory = tempfile::TempDir::new().expect("a temporary directory");
    let data = directory.path().join("engine");
    let engine = engine::start(Path::new(PIPELINE), &data).await;
    let url = engine.url();
    http::sql(&url, &format!("CREATE TABLE t (id UInt32) {DURABLE}")).await;
    let insert = |token: &str, row: u32| {
        let statement = percent_encoded("INSERT INTO t FORMAT CSV");
        let url = format!("{url}/?query={statement}&insert_deduplication_token={token}&{OURS}");
        async move { http::post(&url, "application/octet-stream", format!("{row}\n")).await }
    };
    let count = || async { http::sql(&url, "SELECT count(), uniqExact(id) FROM t").await };
    for row in 0..5 {
        let token = format!("killed{row}");
        assert_eq!(insert(&token, row).await.status, 200);
        let ours = children_of(std::process::id()).into_iter();
        let child = ours.filter(|child| command_line(*child).contains(&data.display().to_string())).collect::<Vec<_>>();
        let [child] = child.as_slice() else { panic!("one engine, not {child:?}") };
        signal("-KILL", *child);
        let ping = format!("{url}/ping");
        eventually(LATE, || http::send(hyper::Method::GET, &ping, &[], "")).await;
        let rows = row + 1;
        assert_eq!(count().await, format!("{rows}\t{rows}"), "what was answered is there");
        assert_eq!(insert(&token, row).await.status, 200);
        assert_eq!(count().await, format!("{rows}\t{rows}"), "and its token is known");
    }
    engine.restart().await.expect("an orderly restart");
    assert_eq!(insert("killed0", 0).await.status, 200);
    assert_eq!(count().await, "5\t5");
    engine.stop(LATE).await;
}
