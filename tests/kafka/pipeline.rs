//! Whole pipelines on Apache Kafka: what comes in by HTTP and what other clients write are rows once; what can't be a row
//! is a dead letter that says why.

use std::time::Duration;

use moose_tests::{
    http,
    load::{Batches, Load, each_is_a_row_once},
    process::signal,
};

use crate::stage::{LATE, Stage};

#[tokio::test]
async fn an_event_goes_through_kafka_and_so_does_what_other_clients_write() {
    let stage = Stage::new().await;
    let mut process = stage.copy("one").start();
    let addresses = process.addresses(LATE).await;
    let event = r#"{"id":"by http","userId":"u","timestamp":"2026-01-01T00:00:00Z","eventType":"click"}"#;
    let answer = http::post_json(&format!("http://{}/ingest/events", addresses.http), event).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    stage.shows("SELECT id FROM events", "by http").await;

    let foreign = event.replace("by http", "by another client");
    stage.broker.produce("events", &format!("{foreign}\nno JSON\n{{\"id\":5}}\nNULL\n"));
    stage.shows("SELECT id FROM events ORDER BY id", "by another client\nby http").await;
    stage.broker.produce("events", &event.replace("by http", "later"));
    stage.shows("SELECT count(), uniqExact(_stream_offset) FROM events", "3\t3").await;

    let ask = r#"{"do":"list","limit":100}"#;
    let answer = http::post_json(&format!("http://{}/dead-letters", addresses.management), ask).await.json();
    let letters = answer["dead_letters"].as_array().expect("a list");
    let offsets: Vec<_> = letters.iter().filter_map(|letter| letter["offset"].as_u64()).collect();
    assert_eq!(offsets, [2, 3, 4], "{answer}");
    assert!(letters.iter().all(|letter| letter["errors"][0]["message"].is_string()), "{answer}");

    process.interrupt();
    assert!(process.wait(LATE).success(), "{}", process.output());
    let mut process = stage.copy("one").start();
    let addresses = process.addresses(LATE).await;
    let answer = http::post_json(&format!("http://{}/ingest/events", addresses.http), event).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    stage.shows("SELECT count(), uniqExact(_stream_offset), uniqExact(_stream_epoch) FROM events", "4\t4\t1").await;
}

/// Copies share the partitions; one after another is killed and comes back.
#[tokio::test]
async fn copies_that_are_killed_lose_nothing_and_store_nothing_twice() {
    const COPIES: usize = 4;
    let seconds = if std::env::var_os("MOOSE_TEST_FULL").is_some() { 180 } else { 30 };
    let stage = Stage::new().await;
    stage.make_topic("numbers", 8);
    let launches: Vec<_> = (0..COPIES).map(|copy| stage.copy(&format!("copy-{copy}"))).collect();
    let mut copies = Vec::new();
    for launch in &launches {
        let mut process = launch.start();
        let addresses = process.addresses(LATE).await;
        copies.push((process, addresses));
    }
    let end = std::time::Instant::now() + Duration::from_secs(seconds);
    let (mut first, mut kept, mut kills) = (0, std::collections::BTreeSet::new(), 0);
    while std::time::Instant::now() < end {
        // Each round loads one copy that lives and kills the next.
        let (loaded, killed) = (kills % COPIES, (kills + 1) % COPIES);
        let load = Load::start(format!("http://{}/ingest/numbers", copies[loaded].1.http), first, STEADY);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (process, _) = copies.remove(killed);
        process.kill();
        let mut process = launches[killed].start();
        let addresses = process.addresses(LATE).await;
        copies.insert(killed, (process, addresses));
        let sent = load.stop().await;
        first += 10_000_000;
        kept.extend(sent.kept);
        kills += 1;
    }
    assert!(kills >= 3 && kept.len() > 1_000, "{kills} kills, {} records", kept.len());
    each_is_a_row_once(&stage.url(), "numbers", &kept, LATE).await;
    let used = http::sql(&stage.url(), "SELECT uniqExact(_stream_partition) FROM numbers").await;
    assert_eq!(used, "8", "a stream has the partitions that its topic has");
}

pub(crate) const STEADY: Batches = Batches {
    records: 50,
    pause: Duration::from_millis(20),
    record: |id| format!("{{\"id\":{id},\"small\":{}}}", id % 256),
};

/// A copy that sleeps through the end of its session wakes up as if nothing had been, and finds that it is not so.
#[tokio::test]
async fn a_copy_that_sleeps_longer_than_its_session_stores_nothing_twice() {
    let stage = Stage::new().await;
    stage.make_topic("numbers", 4);
    let (mut one, mut two) = (stage.copy("one").start(), stage.copy("two").start());
    let addresses = one.addresses(LATE).await;
    two.addresses(LATE).await;
    let load = Load::start(format!("http://{}/ingest/numbers", addresses.http), 0, STEADY);
    for _ in 0..2 {
        two.printed("flushed", LATE).await;
        signal("-STOP", two.id());
        // Longer than the session of 6 seconds.
        tokio::time::sleep(Duration::from_secs(9)).await;
        signal("-CONT", two.id());
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    let sent = load.stop().await;
    assert_eq!(sent.refused, 0);
    each_is_a_row_once(&stage.url(), "numbers", &sent.kept, LATE).await;
    assert!(one.output().matches("assigned").count() > 4, "it had taken over:\n{}", one.output());
}

/// Polling never waits for ClickHouse: nobody leaves the group, however long it is away.
#[tokio::test]
async fn clickhouse_away_for_longer_than_the_poll_interval_costs_no_membership() {
    let stage = Stage::new().await;
    let interval = ("MOOSE_KAFKA__PROPERTIES__MAX__POLL__INTERVAL__MS", "6000");
    let mut process = stage.copy("one").environment(interval.0, interval.1).start();
    let addresses = process.addresses(LATE).await;
    let load = Load::start(format!("http://{}/ingest/numbers", addresses.http), 0, STEADY);
    process.printed("flushed", LATE).await;
    stage.proxy.close_door();
    tokio::time::sleep(Duration::from_secs(15)).await;
    stage.proxy.open_door();
    let sent = load.stop().await;
    assert_eq!(sent.refused, 0, "the door takes what the stream takes");
    each_is_a_row_once(&stage.url(), "numbers", &sent.kept, LATE).await;
    assert!(!process.output().contains("revoked"), "{}", process.output());
}

/// What operators do to a group: its offsets deleted is a hold, its offsets moved is followed.
#[tokio::test]
async fn a_group_without_its_offsets_is_a_hold_and_one_that_was_moved_is_followed() {
    let stage = Stage::new().await;
    let launch = stage.copy("one").environment("MOOSE_APP__NAME", "shop");
    let mut process = launch.start();
    let addresses = process.addresses(LATE).await;
    let body = (0..10).map(|id| format!("{{\"id\":{id},\"small\":1}}")).collect::<Vec<_>>().join("\n");
    let answer = http::post(&format!("http://{}/ingest/numbers", addresses.http), "application/x-ndjson", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    stage.shows("SELECT count() FROM numbers", "10").await;
    process.interrupt();
    assert!(process.wait(LATE).success(), "{}", process.output());

    let group = |more: &[&str]| {
        let address = stage.broker.address();
        let mut arguments = vec!["--bootstrap-server", &address, "--group", "shop/numbers", "--topic", "numbers"];
        arguments.extend(more);
        stage.broker.tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", &arguments, "")
    };
    group(&["--delete-offsets"]);
    let mut process = launch.start();
    process.printed("lost the offset of `shop/numbers` on topic `numbers` partition 0, which holds 0..10", LATE).await;
    process.addresses(LATE).await;
    process.interrupt();
    assert!(process.wait(LATE).success(), "{}", process.output());
    stage.shows("SELECT count() FROM numbers", "10").await;

    group(&["--reset-offsets", "--to-offset", "6", "--execute"]);
    let mut process = launch.start();
    process.addresses(LATE).await;
    stage.shows("SELECT count(), uniqExact(_stream_epoch), countIf(id >= 6) FROM numbers", "14\t2\t8").await;
}
