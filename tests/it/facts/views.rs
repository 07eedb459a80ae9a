//! What a materialized view behind the table gets of an INSERT that is sent again.

use super::{OURS, WINDOW};
use crate::stage::Stage;

#[tokio::test]
async fn a_view_is_fed_once_for_a_resent_token() {
    let stage = Stage::new().await;
    stage.table_with_view("SELECT id + 100 AS id FROM t", WINDOW).await;
    for _ in 0..2 {
        stage.insert_ok("t", "a", "1\n2\n").await;
    }
    assert_eq!((stage.count("t").await, stage.count("target").await), ("2".to_owned(), "2".to_owned()));
}

#[tokio::test]
async fn without_the_setting_a_view_is_fed_again() {
    let stage = Stage::new().await;
    stage.table_with_view("SELECT id FROM t", WINDOW).await;
    let settings = OURS.replace("materialized_views=1", "materialized_views=0");
    for _ in 0..2 {
        let answer = stage.insert_with("t", "a", "1\n2\n", &settings).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!((stage.count("t").await, stage.count("target").await), ("2".to_owned(), "4".to_owned()));
}

#[tokio::test]
async fn a_view_into_a_table_without_a_window_is_fed_again() {
    let stage = Stage::new().await;
    stage.table_with_view("SELECT id FROM t", "ENGINE = MergeTree ORDER BY id").await;
    for _ in 0..2 {
        stage.insert_ok("t", "a", "1\n2\n").await;
    }
    assert_eq!((stage.count("t").await, stage.count("target").await), ("2".to_owned(), "4".to_owned()));
}

#[tokio::test]
async fn a_failing_view_fails_the_insert_after_the_table_has_its_rows() {
    let stage = Stage::new().await;
    stage.table_with_view("SELECT throwIf(id = 2) AS id FROM t", WINDOW).await;
    let answer = stage.insert("t", "a", "1\n2\n").await;
    assert_ne!(answer.status, 200);
    assert!(answer.text().contains("while pushing to view"), "{}", answer.text());
    assert_eq!(stage.count("t").await, "2", "a refused INSERT may have stored its rows");
}

#[tokio::test]
async fn a_view_that_works_again_gets_its_rows_by_the_token_that_the_table_has() {
    let stage = Stage::new().await;
    stage.table_with_view("SELECT throwIf(id = 2) + id AS id FROM t", WINDOW).await;
    assert_ne!(stage.insert("t", "a", "1\n2\n").await.status, 200);
    stage.sql("ALTER TABLE view MODIFY QUERY SELECT id FROM t").await;
    assert_eq!((stage.count("t").await, stage.count("target").await), ("2".to_owned(), "0".to_owned()));
    for _ in 0..2 {
        stage.insert_ok("t", "a", "1\n2\n").await;
        let counts = (stage.count("t").await, stage.count("target").await);
        assert_eq!(
            counts,
            ("2".to_owned(), "2".to_owned()),
            "so the whole range is sent again, though nothing is missing"
        );
    }
}

#[tokio::test]
async fn errors_of_a_view_that_are_ignored_lose_its_rows() {
    let stage = Stage::new().await;
    stage.table_with_view("SELECT throwIf(id = 2) + id AS id FROM t", WINDOW).await;
    let settings = format!("{OURS}&materialized_views_ignore_errors=1");
    let answer = stage.insert_with("t", "a", "1\n2\n", &settings).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!((stage.count("t").await, stage.count("target").await), ("2".to_owned(), "0".to_owned()));
}

#[tokio::test]
async fn a_slow_view_keeps_the_insert_waiting() {
    let stage = Stage::new().await;
    stage.table_with_view("SELECT sleepEachRow(0.5) AS id FROM t", WINDOW).await;
    let started = std::time::Instant::now();
    stage.insert_ok("t", "a", "1\n2\n").await;
    assert!(started.elapsed() >= std::time::Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(stage.count("target").await, "2");
}

#[tokio::test]
async fn a_partition_that_is_moved_feeds_no_view() {
    let stage = Stage::new().await;
    stage.table_with_view("SELECT id FROM t", WINDOW).await;
    stage.sql("CREATE TABLE mend AS t").await;
    stage.insert_ok("mend", "a", "1\n2\n").await;
    stage.sql("ALTER TABLE mend MOVE PARTITION ID 'all' TO TABLE t").await;
    let counts = (stage.count("t").await, stage.count("target").await, stage.count("mend").await);
    assert_eq!(counts, ("2".to_owned(), "0".to_owned(), "0".to_owned()));
}
