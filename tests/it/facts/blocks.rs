//! What is read off a table's parts: how many blocks it got since it got a range.

use crate::stage::Stage;

#[tokio::test]
async fn block_numbers_grow_and_a_merged_part_keeps_its_lowest() {
    let stage = Stage::new().await;
    stage.sql("CREATE TABLE t (id UInt64) ENGINE = MergeTree PARTITION BY id % 2 ORDER BY id").await;
    for id in 0..6 {
        stage.sql(&format!("INSERT INTO t VALUES ({id})")).await;
    }
    let parts = "SELECT groupArray((min_block_number, max_block_number)) FROM (SELECT * FROM system.parts WHERE \
                 database = currentDatabase() AND table = 't' AND active ORDER BY min_block_number)";
    assert_eq!(stage.sql(parts).await, "[(1,1),(2,2),(3,3),(4,4),(5,5),(6,6)]", "one counter for all table partitions");
    let of_five = stage.sql("SELECT _part FROM t WHERE id = 5").await;
    stage.sql("OPTIMIZE TABLE t FINAL").await;
    assert_eq!(stage.sql(parts).await, "[(1,5),(2,6)]");
    let gone = format!(
        "SELECT count(), sum(active) FROM system.parts WHERE database = currentDatabase() AND table = 't' AND name = '{of_five}'"
    );
    assert_eq!(stage.sql(&gone).await, "1\t0", "what was merged is listed for a while");
    stage.sql("ALTER TABLE t DROP PARTITION 1").await;
    stage.sql("INSERT INTO t VALUES (7)").await;
    assert_eq!(stage.sql(parts).await, "[(1,5),(7,7)]", "no number comes back");
    stage.sql("DETACH TABLE t").await;
    stage.sql("ATTACH TABLE t").await;
    stage.sql("INSERT INTO t VALUES (9)").await;
    let newest = stage
        .sql("SELECT max(max_block_number) > 7 FROM system.parts WHERE database = currentDatabase() AND table = 't'")
        .await;
    assert_eq!(newest, "1");
}
