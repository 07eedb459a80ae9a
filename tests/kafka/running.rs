//! What happens to topics and groups while a pipeline runs: made anew, truncated, forgotten. It goes on rightly, or holds and
//! says what to do; never does a record of one topic count as one of another.

use std::time::Duration;

use moose_tests::{http, is_full, kafka::Broker, process::signal, wait::eventually};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
};

use crate::{
    operators::{accounts_of_numbers, end, post},
    stage::{LATE, Stage},
};

impl Stage {
    /// Waits until the table has each of these once, and no row twice.
    async fn has_once(&self, ids: std::ops::Range<u64>) {
        let (first, end) = (ids.start, ids.end);
        let among = format!("SELECT countIf(id >= {first} AND id < {end}), count() - uniqExact(id) FROM numbers");
        self.shows(&among, &format!("{}\t0", end - first)).await;
    }
}

/// First with more records than were read of the one before, so that the reader's place exists; then with fewer; then away
/// for as long as it takes to be noticed, and with more partitions; then with fewer of those.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_made_anew_under_a_running_pipeline_is_read_from_its_start() {
    let Some(stage) = Stage::new().await else { return };
    stage.make_topic("numbers", 1).await;
    let mut process = stage.copy("one").start();
    let management = process.addresses(LATE).await.management;
    post(&mut process, 0..10).await;
    stage.rows_are(0..10).await;
    stage.make_anew_at_once(1).await;
    stage.write(100..140).await;
    stage.has_once(100..140).await;
    stage.make_anew_at_once(1).await;
    stage.write(200..205).await;
    stage.has_once(200..205).await;
    stage.shows("SELECT uniqExact(_stream_epoch) FROM numbers", "3").await;
    stage.delete_topic("numbers").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    stage.make_topic("numbers", 3).await;
    stage.write(300..340).await;
    stage.has_once(300..340).await;
    // The door has followed too.
    post(&mut process, 400..440).await;
    stage.has_once(400..440).await;
    stage.shows("SELECT uniqExact(_stream_partition) FROM numbers WHERE id >= 400", "3").await;
    stage.make_anew_at_once(1).await;
    stage.write(500..540).await;
    stage.has_once(500..540).await;
    post(&mut process, 600..640).await;
    let all = (0..10).chain(100..140).chain(200..205).chain(300..340).chain(400..440).chain(500..540).chain(600..640);
    stage.rows_are(all).await;
    assert_eq!(accounts_of_numbers(management).await, 1);
    end(process);
    stage.counts("one");
}

/// Ranges are on their way when their topic goes: they may still come or be gone with it, but the records that have their
/// offsets in the new topic are not taken for them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ranges_of_a_topic_that_is_gone_are_not_filled_with_records_of_the_next() {
    let Some(stage) = Stage::new().await else { return };
    stage.make_topic("numbers", 1).await;
    let mut process = stage.copy("one").start();
    post(&mut process, 0..10).await;
    stage.rows_are(0..10).await;
    stage.proxy.close_door();
    for round in 0..3 {
        post(&mut process, 10 + round * 10..20 + round * 10).await;
        tokio::time::sleep(Duration::from_millis(1200)).await;
    }
    stage.make_anew_at_once(1).await;
    stage.write(1000..1100).await;
    stage.proxy.open_door();
    stage.has_once(1000..1100).await;
    end(process);
    // And none of them once more at the next start.
    let mut process = stage.copy("one").start();
    post(&mut process, 2000..2010).await;
    stage.has_once(2000..2010).await;
    stage.has_once(1000..1100).await;
    let epochs = "SELECT uniqExact(_stream_epoch), countIf(id < 40) <= 40 FROM numbers";
    stage.shows(epochs, "2\t1").await;
    let mixed = "SELECT count() FROM (SELECT _stream_epoch FROM numbers GROUP BY _stream_epoch HAVING min(id) < 40 AND max(id) >= 1000)";
    stage.shows(mixed, "0").await;
    end(process);
    stage.counts("one");
}

/// Retention takes what the pipeline has not read yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_deleted_ahead_of_a_running_pipeline_are_a_hold_with_the_numbers() {
    let Some(stage) = Stage::new().await else { return };
    let launch = stage.copy("one").environment("MOOSE_KAFKA__PROPERTIES__SESSION__TIMEOUT__MS", "60000");
    let mut process = launch.start();
    post(&mut process, 0..10).await;
    stage.rows_are(0..10).await;
    let management = process.addresses(LATE).await.management;
    signal("-STOP", process.id());
    // It has asked for records already: an answer to that would bring it what is deleted below.
    tokio::time::sleep(Duration::from_secs(1)).await;
    stage.write(10..30).await;
    stage.delete_below(25).await;
    signal("-CONT", process.id());
    process.printed("partition 0, which holds 25..30: offsets 10..25 were deleted", LATE).await;
    process.printed("start with `--from earliest`", LATE).await;
    eventually(LATE, || async {
        let answer = http::get(&format!("http://{management}/ready")).await;
        let text = answer.text();
        if answer.status == 503 && text.contains("10..25") { Ok(()) } else { Err(text) }
    })
    .await;
    // It is the table that is held, not the door.
    post(&mut process, 30..31).await;
    end(process);
    let mut process = launch.argument("dev").argument("--from").argument("earliest").start();
    post(&mut process, 31..35).await;
    stage.rows_are((0..10).chain(25..35)).await;
    end(process);
}

/// Brokers forget the offsets of a group that has been away for long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_whose_offsets_have_expired_is_a_hold_until_told_where_to_go_on() {
    if !is_full() {
        // It takes a minute at the least; offsets that were deleted look the same, and are tested always.
        return;
    }
    let soon = ["offsets.retention.minutes=1", "offsets.retention.check.interval.ms=1000"];
    let Some(stage) = Stage::on(|directory| Broker::start_with(directory, &soon)).await else { return };
    let launch = stage.copy("one").environment("MOOSE_APP__NAME", "shop");
    let mut process = launch.start();
    post(&mut process, 0..10).await;
    stage.rows_are(0..10).await;
    end(process);
    let group: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", stage.address())
        .set("group.id", "shop/numbers")
        .create()
        .expect("a client");
    eventually(Duration::from_mins(5), || async {
        let mut place = TopicPartitionList::new();
        place.add_partition("numbers", 0);
        let offsets = group.committed_offsets(place, LATE).map_err(|error| error.to_string())?;
        let gone = offsets.elements().iter().all(|element| element.offset() == Offset::Invalid);
        if gone { Ok(()) } else { Err(format!("{offsets:?}")) }
    })
    .await;
    let process = launch.start();
    process.printed("lost the offset of `shop/numbers` on topic `numbers` partition 0, which holds 0..10", LATE).await;
    end(process);
    let mut process = launch.argument("dev").argument("--from").argument("next").start();
    // What comes before it is decided is not after it; each table decides for itself.
    process.printed("going on as told error=the brokers have lost the offset of `shop/numbers`", LATE).await;
    post(&mut process, 10..20).await;
    stage.rows_are(0..20).await;
    end(process);
}
