//! A record's key is its message's, and its partition the one that Apache's own client would choose.

use std::collections::BTreeMap;

use moose_tests::http;

use crate::stage::{LATE, Stage};

const PARTITIONS: i32 = 5;

/// Partition by key, as the console consumer prints `Partition:2<tab>key<tab>value`.
fn by_key(lines: &[String]) -> BTreeMap<String, String> {
    let place = |line: &String| {
        let mut parts = line.split('\t').map(str::to_owned);
        let (partition, key) = (parts.next()?, parts.next()?);
        Some((key, partition))
    };
    lines.iter().filter_map(place).collect()
}

#[tokio::test]
async fn records_of_one_key_lie_where_the_java_client_puts_them() {
    let Some(stage) = Stage::new().await else { return };
    for topic in ["events", "numbers", "of_java"] {
        stage.make_topic(topic, PARTITIONS).await;
    }
    let mut process = stage.copy("one").start();
    let addresses = process.addresses(LATE).await;
    // One string field: its bytes. Anything else: the JSON array of the values.
    let texts: Vec<String> = (0..20).map(|key| format!("schlüssel {key}")).collect();
    let event =
        |id: &String| format!(r#"{{"eventType":"c","id":"{id}","userId":"u","timestamp":"2026-01-01T00:00:00Z"}}"#);
    let events = texts.iter().map(event).collect::<Vec<_>>().join("\n");
    let numbers = (0..20).map(|id| format!("{{\"small\":1,\"id\":{id}}}")).collect::<Vec<_>>().join("\n");
    for (api, body) in [("events", events), ("numbers", numbers)] {
        let url = format!("http://{}/ingest/{api}", addresses.http);
        let answer = http::post(&url, "application/x-ndjson", body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let keys: Vec<String> = texts.iter().cloned().chain((0..20).map(|id| format!("[{id}]"))).collect();
    let lines = keys.join("\tx\n") + "\tx\n";
    stage.broker().produce_with("of_java", &["parse.key=true"], &lines);

    let print = ["print.partition=true", "print.key=true"];
    let mut ours = by_key(&stage.broker().consume("events", 20, &print));
    ours.extend(by_key(&stage.broker().consume("numbers", 20, &print)));
    let theirs = by_key(&stage.broker().consume("of_java", 40, &print));
    assert_eq!(ours.len(), 40, "{ours:?}");
    assert_eq!(ours, theirs);
    stage.shows("SELECT count() FROM events", "20").await;
}
