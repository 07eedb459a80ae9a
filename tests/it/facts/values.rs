//! What ClickHouse takes without a word though it does not fit: why the encoder checks every value itself.

use moose_tests::http::{self, percent_encoded};

use super::{OURS, WINDOW};
use crate::stage::Stage;

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
async fn a_fraction_into_an_integer_is_cut() {
    let stage = Stage::new().await;
    stage.sql(&format!("CREATE TABLE t (id Int32) {WINDOW}")).await;
    let answer = stage.insert_native("t", &[("id", "Float64", &1.5_f64.to_le_bytes())], 1).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(stage.sql("SELECT id FROM t").await, "1");
}

#[tokio::test]
async fn a_value_outside_of_an_enum_is_stored_and_then_can_not_be_read() {
    let stage = Stage::new().await;
    stage.sql(&format!("CREATE TABLE t (id UInt32, kind Enum8('a' = 1, 'b' = 2)) {WINDOW}")).await;
    let id = 1_u32.to_le_bytes();
    let columns: [(&str, &str, &[u8]); 2] = [("id", "UInt32", &id), ("kind", "Enum8('a' = 1, 'b' = 2)", &[9])];
    let answer = stage.insert_native("t", &columns, 1).await;
    assert_eq!(answer.status, 200, "so the encoder has to refuse it: {}", answer.text());
    assert_eq!(stage.count("t").await, "1");
    let read = http::try_sql(&stage.url(), "SELECT * FROM t").await;
    assert!(read.status != 200 && read.text().contains("Code: 691"), "{}", read.text());
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
async fn a_date_of_two_bytes_ends_in_2149() {
    let stage = Stage::new().await;
    stage.sql(&format!("CREATE TABLE t (id UInt32, date Date) {WINDOW}")).await;
    let (ids, days) = ([1_u32, 2].map(u32::to_le_bytes).concat(), [0_u16, u16::MAX].map(u16::to_le_bytes).concat());
    let answer = stage.insert_native("t", &[("id", "UInt32", &ids), ("date", "Date", &days)], 2).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(stage.sql("SELECT date FROM t ORDER BY id FORMAT TSV").await, "1970-01-01\n2149-06-06");
    stage.sql("INSERT INTO t VALUES (3, '2150-01-01')").await;
    let past = stage.sql("SELECT date FROM t WHERE id = 3").await;
    assert_ne!(past, "2150-01-01", "what is past it is stored as another day, without a word");
}

#[tokio::test]
async fn values_that_json_can_carry_are_refused_as_text_and_not_looked_at_in_a_block() {
    let stage = Stage::new().await;
    let columns = "(id UInt32, amount Decimal(9, 2), code FixedString(3), uuid UUID, kind Enum8('a' = 1))";
    stage.sql(&format!("CREATE TABLE t {columns} {WINDOW}")).await;
    for (column, value, code) in [
        ("amount", "\"12345678.90\"", 69),
        ("code", "\"abcd\"", 131),
        ("uuid", "\"not one\"", 376),
        ("uuid", "\"\"", 376),
        ("kind", "\"z\"", 691),
        ("kind", "9", 691),
    ] {
        let statement = percent_encoded("INSERT INTO t FORMAT JSONEachRow");
        let url = format!("{}&query={statement}&{OURS}", stage.url());
        let answer = http::post(&url, "application/octet-stream", format!("{{\"id\":1,\"{column}\":{value}}}")).await;
        let refused = answer.status != 200 && answer.text().contains(&format!("Code: {code}."));
        assert!(refused, "{column} {value}: {} {}", answer.status, answer.text());
    }
    assert_eq!(stage.count("t").await, "0");
    // More digits than it has, and text that the column is too short for, come through in a block.
    let (id, amount) = (1_u32.to_le_bytes(), i32::MAX.to_le_bytes());
    let answer = stage.insert_native("t", &[("id", "UInt32", &id), ("amount", "Decimal(9, 2)", &amount)], 1).await;
    assert_eq!(answer.status, 200, "so the encoder has to refuse it: {}", answer.text());
    assert_eq!(stage.sql("SELECT amount FROM t").await, "21474836.47", "ten digits in a column of nine");
}
