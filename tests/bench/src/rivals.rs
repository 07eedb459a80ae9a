//! Other ways of getting the same events into the same table, on the same engine.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use moose_tests::http;
use serde::Serialize;

use crate::{
    backlog::Backlog,
    connection::Connection,
    records::{Shape, lines},
    report::{Figure, Report, Wanted},
    stage::{LATE, Stage, float, settle_disk},
    sync::drain,
};

/// The table as the pipeline makes it, without the hidden columns: nobody else fills them.
pub(crate) const TABLE: &str = "CREATE TABLE moose.events (id String, userId String, timestamp DateTime64(3, 'UTC'), \
                                eventType String) ENGINE = MergeTree ORDER BY id";
/// Clients that insert at once.
const CLIENTS: u64 = 4;
/// Events of a request to the asynchronous INSERTs.
const EVENTS: u64 = 1_000;
/// Rows of an INSERT of the inserter, as many as the pipeline's.
const ROWS: u64 = 100_000;

pub(crate) async fn measure(stage: &Stage, rounds: usize, millions: u64, report: &mut Report) {
    let events = millions * 1_000_000;
    let backlog = Backlog::make(stage.place("backlog"), Shape::Events, events).await;
    let bodies: Arc<Vec<Bytes>> = Arc::new(
        (0..events / EVENTS).map(|number| Bytes::from(lines(number * EVENTS..(number + 1) * EVENTS))).collect(),
    );
    let (mut ours, mut asynchronous, mut inserter) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        asynchronous.push(async_inserts(stage, &bodies).await);
        inserter.push(with_inserter(stage, events).await);
        ours.push(drain(stage, &backlog).await.rate);
    }
    for (name, values) in [
        ("JSONEachRow with asynchronous INSERTs, no stream", asynchronous),
        ("the clickhouse crate's Inserter out of structs, no stream", inserter),
    ] {
        let figure = Figure::new(format!("sync, {millions} M events"), "rows/s", ours.clone());
        report.add(figure.beside(name, &values).wanted(Wanted::Ratio(1.5)));
    }
}

/// As ClickHouse's documentation has it: small requests, put together by the server, answered when they are stored.
async fn async_inserts(stage: &Stage, bodies: &Arc<Vec<Bytes>>) -> f64 {
    let path = format!(
        "/?async_insert=1&wait_for_async_insert=1&date_time_input_format=best_effort&query={}",
        http::percent_encoded("INSERT INTO moose.events FORMAT JSONEachRow")
    );
    // An answer comes when the server's buffer is full or 200 ms old: with few clients they would only wait.
    let clients = 64;
    let engine = stage.engine("rival").await;
    let url = format!("http://{}", engine.address());
    http::sql(&url, TABLE).await;
    settle_disk();
    let next = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let clients: Vec<_> = (0..clients)
        .map(|_| tokio::spawn(post_all(engine.address(), path.clone(), Arc::clone(bodies), Arc::clone(&next))))
        .collect();
    for client in clients {
        client.await.expect("a client that ends");
    }
    let took = started.elapsed();
    let rows = bodies.len() as u64 * EVENTS;
    finish(&url, rows).await;
    engine.stop(LATE).await;
    float(rows) / took.as_secs_f64()
}

async fn post_all(address: SocketAddr, path: String, bodies: Arc<Vec<Bytes>>, next: Arc<AtomicU64>) {
    let mut connection = Connection::open(address).await;
    while let Some(body) = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).ok().and_then(|next| bodies.get(next))
    {
        connection.post(&path, "application/x-ndjson", body.clone()).await;
    }
}

#[derive(clickhouse::Row, Serialize)]
struct EventRow {
    id: String,
    #[serde(rename = "userId")]
    user_id: String,
    #[serde(with = "clickhouse::serde::chrono::datetime64::millis")]
    timestamp: DateTime<Utc>,
    #[serde(rename = "eventType")]
    event_type: String,
}

fn row(number: u64) -> EventRow {
    let millis = 1_767_225_600_000 + number % 60_000;
    EventRow {
        id: format!("evt_{number:010}"),
        user_id: format!("user_{:06}", number % 500_000),
        timestamp: DateTime::from_timestamp_millis(i64::try_from(millis).unwrap_or(0)).unwrap_or_default(),
        event_type: "page_view".to_owned(),
    }
}

/// Structs that are there already: without a stream, HTTP or JSON before them.
async fn with_inserter(stage: &Stage, events: u64) -> f64 {
    let engine = stage.engine("rival").await;
    let url = format!("http://{}", engine.address());
    http::sql(&url, TABLE).await;
    settle_disk();
    let started = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let url = url.clone();
            tokio::spawn(async move {
                let client_of_table = clickhouse::Client::default().with_url(url).with_database("moose");
                let mut inserter = client_of_table
                    .inserter::<EventRow>("events")
                    .with_max_rows(ROWS)
                    .with_period(Some(Duration::from_secs(1)));
                let of_client = events / CLIENTS;
                for number in client * of_client..(client + 1) * of_client {
                    inserter.write(&row(number)).await.expect("a row can be written");
                    if number % 1_000 == 0 {
                        inserter.commit().await.expect("the engine takes rows");
                    }
                }
                inserter.end().await.expect("the engine takes the last rows");
            })
        })
        .collect();
    for client in clients {
        client.await.expect("a client that ends");
    }
    let took = started.elapsed();
    finish(&url, events / CLIENTS * CLIENTS).await;
    engine.stop(LATE).await;
    float(events / CLIENTS * CLIENTS) / took.as_secs_f64()
}

async fn finish(url: &str, rows: u64) {
    assert_eq!(http::sql(url, "SELECT count() FROM moose.events").await, rows.to_string(), "rows of a rival");
}
