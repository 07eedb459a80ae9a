//! What migrations stand on.

use moose_tests::http;

use crate::stage::Stage;

#[tokio::test]
async fn pairs_are_exchanged_in_order_and_the_first_that_fails_ends_it() {
    let stage = Stage::new().await;
    for (number, table) in (0..).zip(["t", "u", "a", "b"]) {
        stage.sql(&format!("CREATE TABLE {table} ENGINE = MergeTree ORDER BY n AS SELECT {number} AS n")).await;
    }
    stage.sql("EXCHANGE TABLES a AND b, t AND u").await;
    assert_eq!(stage.sql("SELECT n FROM t").await, "1");
    stage.sql("RENAME TABLE a TO c, c TO a, IF EXISTS t TO v").await;
    assert_eq!(stage.sql("SELECT n FROM v").await, "1");
    stage.sql("DROP TABLE a SYNC").await;
    for statement in ["EXCHANGE TABLES a AND b, v AND u", "RENAME TABLE a TO c, c TO a, v TO t"] {
        let answer = http::try_sql(&stage.url(), statement).await;
        assert!(answer.status != 200 && answer.text().contains("Code: 60."), "{}", answer.text());
        assert_eq!(stage.sql("SELECT n FROM v").await, "1", "{statement}");
    }
}

#[tokio::test]
async fn an_alter_is_taken_as_a_whole_or_not_at_all() {
    let stage = Stage::new().await;
    stage.sql("CREATE TABLE t (n UInt8, CONSTRAINT mine CHECK 1) ENGINE = MergeTree ORDER BY tuple()").await;
    let change = |constraint: &str| {
        format!(
            "ALTER TABLE t DROP CONSTRAINT {constraint}, ADD CONSTRAINT {constraint} CHECK 1, MODIFY COLUMN n UInt16, \
             MODIFY COMMENT 'changed'"
        )
    };
    let shown = "SELECT comment, (SELECT type FROM system.columns WHERE database = currentDatabase() AND table = 't') \
                 FROM system.tables WHERE database = currentDatabase() AND name = 't'";
    let answer = http::try_sql(&stage.url(), &change("theirs")).await;
    assert!(answer.status != 200 && answer.text().contains("Code: 36."), "{}", answer.text());
    assert_eq!(stage.sql(shown).await, "\tUInt8");
    stage.sql(&change("mine")).await;
    assert_eq!(stage.sql(shown).await, "changed\tUInt16");
}

#[tokio::test]
async fn a_time_of_day_fits_at_every_higher_precision() {
    let stage = Stage::new().await;
    stage.sql("CREATE TABLE t (a Time, b Time64(3)) ENGINE = MergeTree ORDER BY tuple()").await;
    stage.sql("INSERT INTO t VALUES ('-999:59:59', '-999:59:59.123'), ('999:59:59', '999:59:59.999')").await;
    for precision in [4, 9] {
        let types = format!("MODIFY COLUMN a Time64({precision}), MODIFY COLUMN b Time64({precision})");
        stage.sql(&format!("ALTER TABLE t {types}")).await;
        let cut = "SELECT arraySort(groupArray((substring(toString(a), 1, 10), substring(toString(b), 1, 14)))) FROM t";
        let expected = "[('-999:59:59','-999:59:59.123'),('999:59:59.','999:59:59.9990')]";
        assert_eq!(stage.sql(cut).await, expected);
    }
}
