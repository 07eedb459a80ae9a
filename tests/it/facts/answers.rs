//! What an answer means: an error does not mean that nothing was stored, and a question can lie.

use moose_tests::{
    http::{self, percent_encoded},
    pipelines::NUMBERS,
    proxy::{Fault, Recorded, insert_into},
    wait::eventually,
};

use super::{OURS, WINDOW};
use crate::stage::{LATE, Stage, post_numbers};

#[tokio::test]
async fn a_body_that_breaks_off_stores_nothing() {
    use tokio::io::AsyncWriteExt as _;
    let stage = Stage::new().await;
    stage.sql(&format!("CREATE TABLE t (id UInt32, text String) {WINDOW}")).await;
    let statement = percent_encoded("INSERT INTO t FORMAT CSV");
    let rows = (0..50_000).map(|id| format!("{id},text")).collect::<Vec<_>>().join("\n");
    let mut stream = tokio::net::TcpStream::connect(stage.engine.address).await.expect("a connection");
    let head = format!(
        "POST /?database={}&query={statement}&insert_deduplication_token=a&{OURS} HTTP/1.1\r\nhost: {}\r\n\
         content-length: {}\r\n\r\n",
        stage.database,
        stage.engine.address,
        rows.len() + 1
    );
    stream.write_all(head.as_bytes()).await.expect("the head is sent");
    stream.write_all(rows.as_bytes()).await.expect("the body is sent, but for its last byte");
    stream.shutdown().await.expect("closed");
    drop(stream);
    // The token is still free: the whole INSERT lands, and it alone.
    stage.insert_ok("t", "a", &rows).await;
    assert_eq!(stage.sql("SELECT count(), uniqExact(id) FROM t").await, "50000\t50000");
}

#[tokio::test]
async fn a_refused_insert_may_have_stored_rows_in_other_partitions() {
    let stage = Stage::new().await;
    let table = "ENGINE = MergeTree ORDER BY intDiv(100, divisor) PARTITION BY id \
                 SETTINGS non_replicated_deduplication_window = 100";
    stage.sql(&format!("CREATE TABLE t (id UInt32, divisor UInt8) {table}")).await;
    let answer = stage.insert("t", "a", "1,1\n2,1\n3,0\n").await;
    assert!(answer.status != 200 && answer.text().contains("Code: 153"), "{}", answer.text());
    let stored: u32 = stage.count("t").await.parse().expect("a number");
    assert!((1..=2).contains(&stored), "{stored} rows of a refused INSERT are there");
}

#[tokio::test]
async fn a_constraint_that_comes_later_refuses_rows_that_are_stored() {
    let stage = Stage::new().await;
    stage.sql(&format!("CREATE TABLE t (id UInt32) {WINDOW}")).await;
    stage.insert_ok("t", "a", "1\n2\n").await;
    stage.sql("ALTER TABLE t ADD CONSTRAINT small CHECK id < 2").await;
    let answer = stage.insert("t", "a", "1\n2\n").await;
    assert!(answer.status != 200 && answer.text().contains("Code: 469"), "{}", answer.text());
    assert_eq!(stage.count("t").await, "2", "so what is stored is asked for before a row is called refused");
}

#[tokio::test]
async fn a_block_over_more_than_100_partitions_is_refused_unless_allowed() {
    let stage = Stage::new().await;
    let window = WINDOW.replace("ORDER BY id", "ORDER BY id PARTITION BY id");
    stage.sql(&format!("CREATE TABLE t (id UInt32) {window}")).await;
    let rows = (0..101).map(|id| id.to_string()).collect::<Vec<_>>().join("\n");
    let answer = stage.insert("t", "a", &rows).await;
    assert!(answer.status != 200 && answer.text().contains("Code: 252"), "{}", answer.text());
    let allowed = format!("{OURS}&max_partitions_per_insert_block=0");
    let answer = stage.insert_with("t", "a", &rows, &allowed).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(stage.count("t").await, "101");
}

#[tokio::test]
async fn a_profile_makes_a_question_lie_and_ours_says_otherwise() {
    let stage = Stage::new().await;
    let app = stage.start(&[&NUMBERS]).await;
    stage.proxy.when(insert_into("numbers")).times(1).make(Fault::DropAnswer);
    post_numbers(&app, 0..100_000).await;
    let is_probe = |request: &Recorded| request.statement.starts_with("SELECT toString(_stream_offset)");
    let probe =
        eventually(LATE, || async { stage.proxy.matching(is_probe).into_iter().next().ok_or("no probe yet") }).await;
    stage.shows("SELECT count() FROM numbers", "100000", LATE).await;
    app.stop().await.expect("an orderly stop");
    let (question, _pins) = probe.statement.split_once(" SETTINGS ").expect("a probe with settings");
    for profile in [
        "limit=3",
        "offset=99990",
        "max_result_rows=10&result_overflow_mode=break&max_block_size=1000",
        "max_rows_to_read=10&read_overflow_mode=break&max_block_size=1000&max_threads=1",
        "additional_table_filters=%7B%27numbers%27%3A%27id%3C5%27%7D",
        "additional_result_filter=0",
    ] {
        let offsets = |statement: String| {
            let url = format!("{}&{profile}", stage.url());
            async move { http::sql(&url, &format!("{statement} FORMAT TSV")).await.lines().count() }
        };
        assert!(offsets(question.to_owned()).await < 100_000, "{profile} changes nothing any more");
        assert_eq!(offsets(probe.statement.clone()).await, 100_000, "{profile}");
    }
}

#[tokio::test]
async fn no_request_sees_the_settings_of_another() {
    let stage = Stage::new().await;
    let limited = format!("{}&max_result_rows=1&result_overflow_mode=throw", stage.url());
    assert_ne!(http::try_sql(&limited, "SELECT number FROM system.numbers LIMIT 10 FORMAT TSV").await.status, 200);
    http::try_sql(&stage.url(), "SET max_result_rows = 1, result_overflow_mode = 'throw'").await;
    for _ in 0..20 {
        assert_eq!(stage.sql("SELECT count() FROM (SELECT number FROM system.numbers LIMIT 10)").await, "10");
        assert_eq!(stage.sql("SELECT getSetting('max_result_rows')").await, "0");
    }
}
