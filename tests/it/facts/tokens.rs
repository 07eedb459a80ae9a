//! What a deduplication token does, and what makes it void.

use moose_tests::{http, is_full};

use super::{OURS, WINDOW};
use crate::stage::Stage;

#[tokio::test]
async fn the_same_token_drops_its_own_resend() {
    let stage = Stage::new().await;
    stage.sql(&format!("CREATE TABLE t (id UInt32) {WINDOW}")).await;
    for _ in 0..3 {
        stage.insert_ok("t", "a", "1\n2\n").await;
    }
    assert_eq!(stage.count("t").await, "2");
}

#[tokio::test]
async fn identical_data_under_a_new_token_lands() {
    let stage = Stage::new().await;
    stage.sql(&format!("CREATE TABLE t (id UInt32) {WINDOW}")).await;
    stage.insert_ok("t", "a", "1\n2\n").await;
    stage.insert_ok("t", "b", "1\n2\n").await;
    assert_eq!(stage.count("t").await, "4");
}

#[tokio::test]
async fn other_data_under_the_same_token_is_dropped_without_a_word() {
    let stage = Stage::new().await;
    stage.sql(&format!("CREATE TABLE t (id UInt32) {WINDOW}")).await;
    stage.insert_ok("t", "a", "1\n").await;
    stage.insert_ok("t", "a", "2\n3\n").await;
    assert_eq!(stage.sql("SELECT groupArray(id) FROM t").await, "[1]");
}

#[tokio::test]
async fn without_a_window_a_token_means_nothing() {
    let stage = Stage::new().await;
    stage.sql("CREATE TABLE t (id UInt32) ENGINE = MergeTree ORDER BY id").await;
    stage.insert_ok("t", "a", "1\n").await;
    stage.insert_ok("t", "a", "1\n").await;
    assert_eq!(stage.count("t").await, "2", "non_replicated_deduplication_window is 0 by default");
}

#[tokio::test]
async fn what_falls_out_of_the_window_lands_again() {
    let stage = Stage::new().await;
    stage
        .sql("CREATE TABLE t (id UInt32) ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 2")
        .await;
    for token in ["a", "b", "c"] {
        stage.insert_ok("t", token, "1\n").await;
    }
    stage.insert_ok("t", "b", "1\n").await;
    assert_eq!(stage.count("t").await, "3");
    stage.insert_ok("t", "a", "1\n").await;
    assert_eq!(stage.count("t").await, "4");
}

#[tokio::test]
async fn the_window_counts_parts_and_not_inserts() {
    let stage = Stage::new().await;
    stage
        .sql(
            "CREATE TABLE t (id UInt32) ENGINE = MergeTree ORDER BY id PARTITION BY id \
             SETTINGS non_replicated_deduplication_window = 3",
        )
        .await;
    stage.insert_ok("t", "a", "1\n").await;
    stage.insert_ok("t", "b", "2\n3\n4\n").await;
    stage.insert_ok("t", "a", "1\n").await;
    assert_eq!(stage.count("t").await, "5", "one INSERT into three partitions has pushed the first out");
}

#[tokio::test]
async fn an_insert_over_several_partitions_is_dropped_in_each() {
    let stage = Stage::new().await;
    stage
        .sql(&format!(
            "CREATE TABLE t (id UInt32) {}",
            WINDOW.replace("ORDER BY id", "ORDER BY id PARTITION BY id % 3")
        ))
        .await;
    for _ in 0..2 {
        stage.insert_ok("t", "a", "1\n2\n3\n4\n5\n6\n").await;
    }
    assert_eq!(stage.count("t").await, "6");
    // What is missing in one partition is completed under the same token.
    stage.insert_ok("t", "b", "10\n").await;
    stage.insert_ok("t", "b", "10\n11\n12\n").await;
    assert_eq!(
        stage.sql("SELECT groupArray(id) FROM (SELECT id FROM t WHERE id >= 10 ORDER BY id)").await,
        "[10,11,12]"
    );
}

#[tokio::test]
async fn a_resend_that_splits_differently_is_another_insert() {
    let stage = Stage::new().await;
    stage.sql(&format!("CREATE TABLE t (id UInt32) {WINDOW}")).await;
    let rows = (0..100).map(|id| id.to_string()).collect::<Vec<_>>().join("\n");
    let split = |rows: u32| {
        format!(
            "{OURS}&max_insert_block_size={rows}&min_insert_block_size_rows=0&min_insert_block_size_bytes=0\
             &input_format_parallel_parsing=0"
        )
    };
    for size in [100, 25] {
        let answer = stage.insert_with("t", "a", &rows, &split(size)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_ne!(stage.count("t").await, "100", "one token over other block boundaries stores rows twice");
}

#[tokio::test]
async fn an_asynchronous_table_keeps_to_the_token() {
    let stage = Stage::new().await;
    stage.sql(&format!("CREATE TABLE t (id UInt32) {WINDOW}, async_insert = 1")).await;
    for _ in 0..2 {
        stage.insert_ok("t", "a", "1\n2\n").await;
        assert_eq!(stage.count("t").await, "2", "when it is answered, the rows are there");
    }
}

#[tokio::test]
async fn two_clients_with_one_token_store_once() {
    let stage = Stage::new().await;
    stage.sql(&format!("CREATE TABLE t (id UInt32) {}", WINDOW.replace("100", "1000"))).await;
    let races = if is_full() { 200 } else { 40 };
    for race in 0..races {
        let (token, rows) = (format!("race {race}"), format!("{race}\n"));
        let url = stage.url();
        // Among merges: whether there is something to merge at this moment is all the same.
        let merge = http::try_sql(&url, "OPTIMIZE TABLE t");
        tokio::join!(stage.insert_ok("t", &token, &rows), stage.insert_ok("t", &token, &rows), merge);
    }
    assert_eq!(stage.sql("SELECT count(), uniqExact(id) FROM t").await, format!("{races}\t{races}"));
}

#[tokio::test]
async fn the_newer_setting_beats_the_older() {
    let stage = Stage::new().await;
    for (newer, older, expected) in [("enable", 0, "1"), ("disable", 1, "2")] {
        let table = format!("t{older}");
        stage.sql(&format!("CREATE TABLE {table} (id UInt32) {WINDOW}")).await;
        let settings = format!("async_insert=0&deduplicate_insert={newer}&insert_deduplicate={older}");
        for _ in 0..2 {
            let answer = stage.insert_with(&table, "a", "1\n", &settings).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        assert_eq!(stage.count(&table).await, expected, "{settings}");
    }
}

#[tokio::test]
async fn a_partition_key_over_the_clock_of_the_server_makes_tokens_void() {
    let stage = Stage::new().await;
    let window = WINDOW.replace("ORDER BY id", "ORDER BY id PARTITION BY toString(at)");
    stage.sql(&format!("CREATE TABLE t (id UInt32, at DateTime64(9) DEFAULT now64(9)) {window}")).await;
    for _ in 0..2 {
        stage.insert_ok("t (id)", "a", "1\n").await;
    }
    assert_eq!(stage.count("t").await, "2");
}

#[tokio::test]
async fn the_server_remembers_nothing_and_syncs_nothing_unless_told() {
    let stage = Stage::new().await;
    for (setting, value) in [
        ("non_replicated_deduplication_window", "0"),
        ("replicated_deduplication_window_seconds", "3600"),
        ("fsync_after_insert", "0"),
        ("parts_to_delay_insert", "1000"),
        ("parts_to_throw_insert", "3000"),
    ] {
        let found = stage.sql(&format!("SELECT value FROM system.merge_tree_settings WHERE name = '{setting}'")).await;
        assert_eq!(found, value, "{setting}");
    }
}
