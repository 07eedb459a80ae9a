//! What ClickHouse really does: the facts that the delivery protocol stands on, each pinned on the engine in use. A
//! failure here after a change of the engine means that the protocol has to be thought through again, not that a number
//! is to be adjusted.

use std::path::Path;

use moose_tests::{
    engine,
    http::{self, Answer, percent_encoded},
    process::{children_of, command_line, signal},
    wait::eventually,
};

use crate::stage::{LATE, PIPELINE, Stage};

/// A table with the deduplication window that ours have.
const WINDOW: &str = "ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100";

/// Settings under which every INSERT of ours is sent, as far as deduplication goes.
const OURS: &str = "async_insert=0&wait_for_async_insert=1&insert_deduplicate=1&deduplicate_insert=enable\
                    &deduplicate_blocks_in_dependent_materialized_views=1&insert_allow_materialized_columns=1\
                    &max_insert_threads=1&wait_end_of_query=1";

impl Stage {
    /// An INSERT of rows as CSV under a token.
    async fn insert(&self, table: &str, token: &str, rows: &str) -> Answer {
        self.insert_with(table, token, rows, OURS).await
    }

    async fn insert_with(&self, table: &str, token: &str, rows: &str, settings: &str) -> Answer {
        let statement = percent_encoded(&format!("INSERT INTO {table} FORMAT CSV"));
        let token = percent_encoded(token);
        let url = format!("{}&query={statement}&insert_deduplication_token={token}&{settings}", self.url());
        http::post(&url, "application/octet-stream", rows.to_owned()).await
    }

    /// An INSERT that is expected to be answered "ok", whatever it stores.
    async fn insert_ok(&self, table: &str, token: &str, rows: &str) {
        let answer = self.insert(table, token, rows).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// An INSERT of one hand-written Native block.
    async fn insert_native(&self, table: &str, columns: &[(&str, &str, &[u8])], rows: u8) -> Answer {
        self.insert_native_with(table, columns, rows, OURS).await
    }

    async fn insert_native_with(
        &self,
        table: &str,
        columns: &[(&str, &str, &[u8])],
        rows: u8,
        settings: &str,
    ) -> Answer {
        let mut body = vec![u8::try_from(columns.len()).expect("few columns"), rows];
        for (name, data_type, data) in columns {
            for text in [name, data_type] {
                body.push(u8::try_from(text.len()).expect("a short name"));
                body.extend_from_slice(text.as_bytes());
            }
            body.extend_from_slice(data);
        }
        let names = columns.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ");
        let statement = percent_encoded(&format!("INSERT INTO {table} ({names}) FORMAT Native"));
        let url = format!("{}&query={statement}&{settings}", self.url());
        http::post(&url, "application/octet-stream", body).await
    }

    async fn count(&self, table: &str) -> String {
        self.sql(&format!("SELECT count() FROM {table}")).await
    }
}

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
async fn an_asynchronous_table_keeps_to_the_token() {
    let stage = Stage::new().await;
    stage.sql(&format!("CREATE TABLE t (id UInt32) {WINDOW}, async_insert = 1")).await;
    for _ in 0..2 {
        stage.insert_ok("t", "a", "1\n2\n").await;
        assert_eq!(stage.count("t").await, "2", "when it is answered, the rows are there");
    }
}

#[tokio::test]
async fn a_view_is_fed_once_for_a_resent_token() {
    let stage = Stage::new().await;
    stage.sql(&format!("CREATE TABLE t (id UInt32) {WINDOW}")).await;
    stage.sql(&format!("CREATE TABLE target (id UInt32) {WINDOW}")).await;
    stage.sql("CREATE MATERIALIZED VIEW view TO target AS SELECT id + 100 AS id FROM t").await;
    for _ in 0..2 {
        stage.insert_ok("t", "a", "1\n2\n").await;
    }
    assert_eq!((stage.count("t").await, stage.count("target").await), ("2".to_owned(), "2".to_owned()));
}

#[tokio::test]
async fn a_failing_view_fails_the_insert_after_the_table_has_its_rows() {
    let stage = Stage::new().await;
    stage.sql(&format!("CREATE TABLE t (id UInt32) {WINDOW}")).await;
    stage.sql(&format!("CREATE TABLE target (id UInt32) {WINDOW}")).await;
    stage.sql("CREATE MATERIALIZED VIEW view TO target AS SELECT throwIf(id = 2) AS id FROM t").await;
    let answer = stage.insert("t", "a", "1\n2\n").await;
    assert_ne!(answer.status, 200);
    assert!(answer.text().contains("while pushing to view"), "{}", answer.text());
    assert_eq!(stage.count("t").await, "2", "a refused INSERT may have stored its rows");
}

#[tokio::test]
async fn hidden_columns_are_filled_only_when_allowed() {
    let stage = Stage::new().await;
    stage.sql(&format!("CREATE TABLE t (id UInt32, hidden UInt64 MATERIALIZED 7) {WINDOW}")).await;
    let insert = |allowed: u8| {
        let settings = OURS.replace("materialized_columns=1", &format!("materialized_columns={allowed}"));
        let statement = percent_encoded("INSERT INTO t (id, hidden) FORMAT CSV");
        let url = format!("{}&query={statement}&{settings}", stage.url());
        async move { http::post(&url, "application/octet-stream", "1,99\n").await }
    };
    assert_ne!(insert(0).await.status, 200);
    assert_eq!(stage.count("t").await, "0");
    let allowed = insert(1).await;
    assert_eq!(allowed.status, 200, "{}", allowed.text());
    stage.sql("INSERT INTO t VALUES (2)").await;
    assert_eq!(stage.sql("SELECT * FROM t ORDER BY id FORMAT TSV").await, "1\n2");
    assert_eq!(stage.sql("SELECT hidden FROM t ORDER BY id FORMAT TSV").await, "99\n7");
    stage.sql("OPTIMIZE TABLE t FINAL").await;
    assert_eq!(stage.sql("SELECT hidden FROM t ORDER BY id FORMAT TSV").await, "99\n7", "a merge keeps them");
}

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
async fn a_native_block_of_other_types_is_converted_without_a_word() {
    let stage = Stage::new().await;
    stage.sql(&format!("CREATE TABLE t (id Int32, other String) {WINDOW}")).await;
    let large = (1_i64 << 40).to_le_bytes();
    let answer = stage.insert_native("t", &[("id", "Int64", &large)], 1).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(stage.sql("SELECT * FROM t FORMAT TSV").await, "0\t", "2^40 is stored as 0, a missing column as ''");
}

#[tokio::test]
async fn a_native_block_of_other_types_is_refused_when_asked() {
    let stage = Stage::new().await;
    let ours = format!("{OURS}&input_format_native_allow_types_conversion=0");
    let seven = 7_i64.to_le_bytes();
    for (actual, code) in [("Int32", 53), ("Nullable(Int64)", 53), ("UInt64", 53), ("LowCardinality(String)", 53)] {
        stage.sql(&format!("CREATE OR REPLACE TABLE t (id {actual}) ENGINE = MergeTree ORDER BY tuple()")).await;
        let block = [("id", "Int64", seven.as_slice())];
        let answer = stage.insert_native_with("t", &block, 1, &ours).await;
        assert_eq!(answer.header("x-clickhouse-exception-code"), code.to_string(), "{actual}: {}", answer.text());
        assert_eq!(stage.count("t").await, "0");
    }
}

#[tokio::test]
async fn no_time_is_refused_and_one_past_the_calendar_reads_as_another() {
    let stage = Stage::new().await;
    stage.sql(&format!("CREATE TABLE t (id UInt32, time DateTime64(3, 'UTC')) {WINDOW}")).await;
    let ids = [1_u32, 2].map(u32::to_le_bytes).concat();
    let year_9999 = 253_370_764_800_000;
    let times = [year_9999, i64::MAX].map(i64::to_le_bytes).concat();
    let answer = stage.insert_native("t", &[("id", "UInt32", &ids), ("time", "DateTime64(3, 'UTC')", &times)], 2).await;
    assert_eq!(answer.status, 200, "so the encoder has to refuse what does not fit: {}", answer.text());
    assert_eq!(
        stage.sql("SELECT time FROM t ORDER BY id FORMAT TSV").await,
        "9999-01-01 00:00:00.000\n9999-12-31 23:59:59.807"
    );
}

#[tokio::test]
async fn dates_hold_what_the_encoder_lets_through() {
    let stage = Stage::new().await;
    stage.sql(&format!("CREATE TABLE t (id UInt32, date Date32, time DateTime64(3, 'UTC')) {WINDOW}")).await;
    let days = [-25_567_i32, 120_529].map(i32::to_le_bytes).concat();
    let times = [-2_208_988_800_000_i64, 10_413_791_999_999].map(i64::to_le_bytes).concat();
    let ids = [1_u32, 2].map(u32::to_le_bytes).concat();
    let columns =
        [("id", "UInt32", ids.as_slice()), ("date", "Date32", &days), ("time", "DateTime64(3, 'UTC')", &times)];
    let answer = stage.insert_native("t", &columns, 2).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        stage.sql("SELECT date, time FROM t ORDER BY id FORMAT TSV").await,
        "1900-01-01\t1900-01-01 00:00:00.000\n2299-12-31\t2299-12-31 23:59:59.999"
    );
}

#[tokio::test]
async fn a_slow_view_keeps_the_insert_waiting() {
    let stage = Stage::new().await;
    stage.sql(&format!("CREATE TABLE t (id UInt32) {WINDOW}")).await;
    stage.sql(&format!("CREATE TABLE target (id UInt8) {WINDOW}")).await;
    stage.sql("CREATE MATERIALIZED VIEW view TO target AS SELECT sleepEachRow(0.5) AS id FROM t").await;
    let started = std::time::Instant::now();
    stage.insert_ok("t", "a", "1\n2\n").await;
    assert!(started.elapsed() >= std::time::Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(stage.count("target").await, "2");
}

#[tokio::test]
async fn two_clients_with_one_token_store_once() {
    let stage = Stage::new().await;
    stage.sql(&format!("CREATE TABLE t (id UInt32) {WINDOW}")).await;
    for race in 0..20 {
        let (token, rows) = (format!("race {race}"), format!("{race}\n"));
        tokio::join!(stage.insert_ok("t", &token, &rows), stage.insert_ok("t", &token, &rows));
    }
    assert_eq!(stage.sql("SELECT count(), uniqExact(id) FROM t").await, "20\t20");
}

/// The settings of a table that survives its engine's death.
const DURABLE: &str = "ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100, \
                       fsync_after_insert = 1, fsync_part_directory = 1";

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
