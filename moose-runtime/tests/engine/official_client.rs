//! The official Rust client against the engine, as users of the pipeline use it.

use clickhouse::{Client, Row};
use serde::{Deserialize, Serialize};

use crate::client::{PIPELINE, SHARED, ask};

#[derive(Debug, Clone, PartialEq, Row, Serialize, Deserialize)]
struct Event {
    id: u64,
    name: String,
    score: Option<f64>,
}

fn client() -> Client {
    let [(_, user), (_, password)] = PIPELINE;
    Client::default().with_url(format!("http://{}", SHARED.address)).with_user(user).with_password(password)
}

#[tokio::test]
async fn rows_go_in_and_come_back() {
    ask("CREATE TABLE official (id UInt64, name String, score Nullable(Float64)) ENGINE = MergeTree ORDER BY id");
    let client = client();
    let events: Vec<Event> =
        (0..5000).map(|id| Event { id, name: format!("it's {id}"), score: (id % 2 == 0).then_some(0.5) }).collect();
    let mut insert = client.insert::<Event>("official").await.unwrap();
    for event in &events {
        insert.write(event).await.unwrap();
    }
    insert.end().await.unwrap();
    let query = client.query("SELECT ?fields FROM official WHERE id < ? AND name != ? ORDER BY id");
    let found = query.bind(10).bind("it's 3").fetch_all::<Event>().await.unwrap();
    let expected: Vec<Event> = events.iter().filter(|event| event.id < 10 && event.id != 3).cloned().collect();
    assert_eq!(found, expected);
    let count: u64 = client
        .query("SELECT count() FROM official WHERE name = {name:String}")
        .param("name", "it's 7")
        .fetch_one()
        .await
        .unwrap();
    assert_eq!(count, 1);
    // Many times the buffers on the way.
    let mut cursor = client.query("SELECT number FROM numbers(3000000)").fetch::<u64>().unwrap();
    let mut sum = 0;
    while let Some(number) = cursor.next().await.unwrap() {
        sum += number;
    }
    assert_eq!(sum, 4_499_998_500_000);
}

#[tokio::test]
async fn errors_are_seen_before_and_after_the_first_row() {
    let client = client();
    let error = client.query("SELECT * FROM nosuch").execute().await.unwrap_err().to_string();
    assert!(error.contains("Code: 60. DB::Exception:"), "{error}");
    let late = "SELECT toUInt64(number + throwIf(number = 3000000)) FROM numbers(4000000) SETTINGS max_threads = 1";
    let mut cursor = client.query(late).fetch::<u64>().unwrap();
    let error = loop {
        match cursor.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the result seemed whole"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("Code: 395. DB::Exception:"), "{error}");
}

#[tokio::test]
async fn settings_and_statements_without_a_result_work() {
    let client = client().with_setting("max_threads", "3");
    let threads: String = client.query("SELECT toString(getSetting('max_threads'))").fetch_one().await.unwrap();
    assert_eq!(threads, "3");
    client.query("CREATE TABLE official_ddl (a UInt8) ENGINE = Memory").execute().await.unwrap();
    client.query("DROP TABLE official_ddl").execute().await.unwrap();
}
