//! The hidden columns: filled by us alone, kept through everything but a careless copy, and cheap.

use moose_tests::http::{self, percent_encoded};

use super::{OURS, WINDOW};
use crate::stage::Stage;

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
async fn hidden_columns_outlive_merges_mutations_an_exchange_and_native() {
    let stage = Stage::new().await;
    let columns = "(id UInt32, value UInt8, hidden UInt64 MATERIALIZED 7)";
    for table in ["t", "u"] {
        stage.sql(&format!("CREATE TABLE {table} {columns} {WINDOW}")).await;
    }
    stage.insert_ok("t (id, value, hidden)", "a", "1,1,99\n").await;
    let (id, value, hidden) = (2_u32.to_le_bytes(), [1], 98_u64.to_le_bytes());
    let native: [(&str, &str, &[u8]); 3] =
        [("id", "UInt32", &id), ("value", "UInt8", &value), ("hidden", "UInt64", &hidden)];
    let answer = stage.insert_native("t", &native, 1).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    stage.sql("OPTIMIZE TABLE t FINAL").await;
    stage.sql("ALTER TABLE t UPDATE value = 2 WHERE 1 SETTINGS mutations_sync = 2").await;
    stage.sql("EXCHANGE TABLES t AND u").await;
    assert_eq!(stage.sql("SELECT id, value, hidden FROM u ORDER BY id FORMAT TSV").await, "1\t2\t99\n2\t2\t98");
}

#[tokio::test]
async fn a_copy_of_everything_loses_the_hidden_columns() {
    let stage = Stage::new().await;
    stage.sql(&format!("CREATE TABLE t (id UInt32, hidden UInt64 MATERIALIZED 7) {WINDOW}")).await;
    stage.sql("CREATE TABLE copy AS t").await;
    stage.insert_ok("t (id, hidden)", "a", "1,99\n").await;
    stage.sql("INSERT INTO copy SELECT * FROM t").await;
    assert_eq!(stage.sql("SELECT hidden FROM copy").await, "7");
    stage.sql("TRUNCATE TABLE copy").await;
    let by_name =
        "INSERT INTO copy (id, hidden) SELECT id, hidden FROM t SETTINGS insert_allow_materialized_columns = 1";
    stage.sql(by_name).await;
    assert_eq!(stage.sql("SELECT hidden FROM copy").await, "99");
}

#[tokio::test]
async fn hidden_columns_cost_less_than_a_byte_a_row() {
    let stage = Stage::new().await;
    stage
        .sql(
            "CREATE TABLE t (id UInt64, _stream_epoch UInt64 CODEC(Delta, ZSTD), _stream_partition UInt16 \
             CODEC(Delta, ZSTD), _stream_offset UInt64 CODEC(T64, ZSTD)) ENGINE = MergeTree ORDER BY id",
        )
        .await;
    stage.sql("INSERT INTO t SELECT number, 0x0123456789abcdef, 3, number FROM numbers(300000)").await;
    let bytes = "SELECT sum(column_data_compressed_bytes) / 300000 FROM system.parts_columns \
                 WHERE database = currentDatabase() AND table = 't' AND active AND column LIKE '\\_stream%'";
    let bytes: f64 = stage.sql(bytes).await.parse().expect("a number");
    assert!(bytes < 1.0, "{bytes} bytes a row");
}
