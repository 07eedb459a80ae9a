//! Whole pipelines on Apache Kafka: what comes in by HTTP and what other clients write are rows once; what can't be a row
//! is a dead letter that says why.

use std::{collections::BTreeSet, time::Duration};

use moose_tests::{
    http, is_full,
    load::{Batches, Load, each_is_a_row_once},
    wait::eventually,
};
use rdkafka::producer::FutureRecord;

use crate::stage::{LATE, Stage};

#[tokio::test]
async fn an_event_goes_through_kafka_and_so_does_what_other_clients_write() {
    let Some(stage) = Stage::new().await else { return };
    let mut process = stage.copy("one").start();
    let addresses = process.addresses(LATE).await;
    let event = r#"{"id":"by http","userId":"u","timestamp":"2026-01-01T00:00:00Z","eventType":"click"}"#;
    let answer = http::post_json(&format!("http://{}/ingest/events", addresses.http), event).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    stage.shows("SELECT id FROM events", "by http").await;

    let foreign = event.replace("by http", "by another client");
    stage.broker().produce("events", &format!("{foreign}\nno JSON\n{{\"id\":5}}\nNULL\n"));
    stage.shows("SELECT id FROM events ORDER BY id", "by another client\nby http").await;
    stage.broker().produce("events", &event.replace("by http", "later"));
    stage.shows("SELECT count(), uniqExact(_stream_offset) FROM events", "3\t3").await;

    let ask = r#"{"do":"list","limit":100}"#;
    let answer = http::post_json(&format!("http://{}/dead-letters", addresses.management), ask).await.json();
    let letters = answer["dead_letters"].as_array().expect("a list");
    let offsets: Vec<_> = letters.iter().filter_map(|letter| letter["offset"].as_u64()).collect();
    assert_eq!(offsets, [2, 3, 4], "{answer}");
    assert!(letters.iter().all(|letter| letter["errors"][0]["message"].is_string()), "{answer}");
    // As any client sees them: the key says which record it was, the header why, and the payload is the record's.
    let seen = stage.broker().consume("events.dead-letters", 3, &["print.headers=true", "print.key=true"]);
    for (line, (offset, why, payload)) in
        seen.iter().zip([(2, "not JSON", "no JSON"), (3, "/userId", "{\"id\":5}"), (4, "without a value", "")])
    {
        assert!(line.starts_with("moose-dead-letter:{") && line.contains(why), "{why}: {line}");
        assert!(line.contains(&format!("/{offset}")) && line.ends_with(payload), "{offset}: {line}");
    }

    process.interrupt();
    assert!(process.wait(LATE).success(), "{}", process.output());
    let mut process = stage.copy("one").start();
    let addresses = process.addresses(LATE).await;
    let answer = http::post_json(&format!("http://{}/ingest/events", addresses.http), event).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    stage.shows("SELECT count(), uniqExact(_stream_offset), uniqExact(_stream_epoch) FROM events", "4\t4\t1").await;
}

pub(crate) const STEADY: Batches = Batches {
    records: 50,
    pause: Duration::from_millis(20),
    record: |id| format!("{{\"id\":{id},\"small\":{}}}", id % 256),
};

/// Polling never waits for ClickHouse: nobody leaves the group, however long it is away. In the long form that is longer
/// than the interval that clients have unless told otherwise.
#[tokio::test]
async fn clickhouse_away_for_longer_than_the_poll_interval_costs_no_membership() {
    let (away, interval) =
        if is_full() { (Duration::from_mins(6), "300000") } else { (Duration::from_secs(15), "6000") };
    let Some(stage) = Stage::new().await else { return };
    let mut process =
        stage.copy("one").environment("MOOSE_KAFKA__PROPERTIES__MAX__POLL__INTERVAL__MS", interval).start();
    let addresses = process.addresses(LATE).await;
    let load = Load::start(format!("http://{}/ingest/numbers", addresses.http), 0, STEADY);
    process.printed("flushed", LATE).await;
    stage.proxy.close_door();
    tokio::time::sleep(away).await;
    stage.proxy.open_door();
    let sent = load.stop().await;
    assert_eq!(sent.refused, 0, "the door takes what the stream takes");
    each_is_a_row_once(&stage.url(), "numbers", &sent.kept, LATE).await;
    assert!(!process.output().contains("revoked"), "{}", process.output());
    println!("{} records while ClickHouse was away for {away:?}", sent.kept.len());
}

/// What is read ahead of the tables is part of the memory budget, however many partitions there are.
#[tokio::test]
async fn a_backlog_is_read_ahead_within_the_memory_budget() {
    const PARTITIONS: i32 = 16;
    const BUDGET: u64 = 16 << 20;
    let Some(stage) = Stage::new().await else { return };
    stage.make_topic("numbers", PARTITIONS).await;
    let launch = stage.copy("one").environment("MOOSE_HTTP__MAX_DECOMPRESSED", "1 MiB");
    let launch = launch.environment("MOOSE_HTTP__MAX_BODY", "1 MiB").environment("MOOSE_MEMORY__BUDGET", "16 MiB");
    let mut process = launch.start();
    process.addresses(LATE).await;
    eventually(LATE, || async {
        let assigned = process.output().matches("topic=\"numbers\" partition=").count();
        if assigned >= 16 { Ok(()) } else { Err(format!("{assigned} partitions")) }
    })
    .await;
    let before = process.resident_bytes();
    stage.proxy.close_door();
    let producer = stage.producer(None);
    let padding = "x".repeat(60_000);
    let mut sent = BTreeSet::new();
    for id in 0..2_000_u64 {
        let payload = format!("{{\"id\":{id},\"small\":1,\"padding\":\"{padding}\"}}");
        let partition = i32::try_from(id).expect("small") % PARTITIONS;
        let record = FutureRecord::<str, str>::to("numbers").partition(partition).payload(&payload);
        producer.send(record, LATE).await.expect("the broker takes it");
        sent.insert(id);
    }
    // 120 MB lie there, of which 8 MiB of each partition would fit.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let grown = process.resident_bytes().saturating_sub(before);
    assert!(grown < 3 * BUDGET, "it has grown by {} MiB", grown >> 20);
    stage.proxy.open_door();
    each_is_a_row_once(&stage.url(), "numbers", &sent, LATE).await;
    println!("grown by {} MiB", grown >> 20);
}

/// What operators do to a group: its offsets deleted is a hold, its offsets moved is followed.
#[tokio::test]
async fn a_group_without_its_offsets_is_a_hold_and_one_that_was_moved_is_followed() {
    let Some(stage) = Stage::new().await else { return };
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
        let address = stage.address();
        let mut arguments = vec!["--bootstrap-server", &address, "--group", "shop/numbers", "--topic", "numbers"];
        arguments.extend(more);
        stage.broker().tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", &arguments, "")
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
