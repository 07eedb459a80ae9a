//! Tests of the management port, over a real connection.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinHandle,
};

use super::*;
use crate::{
    stream::{
        Backend as _, Retention, TopicSpec,
        accounting::{Accounting, Way},
        log::{Log, LogOptions},
    },
    telemetry::{ApiLabel, Component, Delivery, LagLabel, Reason},
};

struct Port {
    address: SocketAddr,
    state: ManageState,
    log: Arc<Log>,
    stop: Shutdown,
    server: JoinHandle<()>,
    _directory: tempfile::TempDir,
}

async fn start() -> Port {
    let directory = tempfile::tempdir().unwrap();
    let log = Arc::new(Log::open(LogOptions::new(directory.path().join("stream"))).unwrap());
    let way = Way { topic: "events".to_owned(), epoch: 1, table: "events".to_owned(), group: "a/events".to_owned() };
    let accounting = Arc::new(Accounting::new(Arc::clone(&log) as _, vec![way]));
    let state =
        ManageState { metrics: Arc::default(), health: Arc::default(), lag_bound: Duration::from_mins(1), accounting };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = Shutdown::new();
    let letters: AnswerCommand = Arc::new(|question| Box::pin(async move { Ok(json!({ "asked": question })) }));
    let routes = router(state.clone()).merge(command(DEAD_LETTERS_PATH, letters));
    let server = tokio::spawn(serve(listener, routes, 8, stop.clone()));
    Port { address, state, log, stop, server, _directory: directory }
}

impl Port {
    /// Creates the topic or adds partitions.
    async fn has_partitions(&self, partitions: u16) {
        let retention = Retention { age: None, bytes: None };
        self.log.open_topic(&TopicSpec { name: "events".to_owned(), partitions, retention }).await.unwrap();
    }

    async fn ask(&self, request: &str) -> String {
        self.ask_with(request, "", "").await
    }

    /// With more headers, each with its line's end, and a body.
    async fn ask_with(&self, request: &str, headers: &str, body: &str) -> String {
        let mut connection = TcpStream::connect(self.address).await.unwrap();
        let length = body.len();
        let request = format!(
            "{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

#[tokio::test]
async fn metrics_are_open_metrics_text() {
    let port = start().await;
    port.state.metrics.records_accepted.get_or_create(&ApiLabel { api: "events".to_owned() }).inc_by(3);
    let answer = port.ask("GET /metrics").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains(&format!("content-type: {OPEN_METRICS}")), "{answer}");
    assert!(answer.contains("moose_records_accepted_total{api=\"events\"} 3"), "{answer}");
    assert!(answer.ends_with("# EOF\n"), "{answer}");
}

#[tokio::test]
async fn alive_even_while_not_ready_and_ready_again_once_the_part_works() {
    let port = start().await;
    assert!(port.ask("GET /ready").await.ends_with(r#"{"ready":true}"#));
    let stream = Component::Stream { stream: "events".to_owned() };
    port.state.health.failed(&stream, Reason::Stream, "the disk is full".to_owned());
    let answer = port.ask("GET /ready").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    let body: serde_json::Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(body["ready"], false);
    assert_eq!(body["reasons"][0]["part"], "stream `events`");
    assert_eq!(body["reasons"][0]["message"], "the disk is full");
    assert_eq!(body["reasons"][0]["attempts"], 1);
    assert!(port.ask("GET /health").await.starts_with("HTTP/1.1 200"));
    port.state.health.recovered(&stream);
    assert!(port.ask("GET /ready").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn what_holds_a_table_is_counted_by_its_reason_for_as_long_as_it_does() {
    let port = start().await;
    port.has_partitions(2).await;
    let shown = |reason: &str, count: u32| format!("moose_holds{{table=\"events\",reason=\"{reason}\"}} {count}\n");
    let metrics = port.ask("GET /metrics").await;
    for (reason, _) in Reason::ALL {
        assert!(metrics.contains(&shown(reason.name(), 0)), "{metrics}");
    }
    let delivery = |partition| {
        let (table, stream) = ("events".to_owned(), "events".to_owned());
        Delivery { table, stream, partition, partitions: 2 }
    };
    let health = &port.state.health;
    let waited = FAILURE_GRACE + Duration::from_secs(1);
    for partition in [0, 1] {
        let table = Component::Table(delivery(partition));
        health.failed_after(waited, &table, Reason::Unreachable, None, "refused".to_owned());
    }
    health.failed(&Component::Worker(delivery(0)), Reason::Bug, "passes".to_owned());
    health.failed(&Component::Partition(delivery(0)), Reason::Stream, "counts at once".to_owned());
    health.failed(&Component::Stream { stream: "events".to_owned() }, Reason::Stream, "is no table's".to_owned());
    let metrics = port.ask("GET /metrics").await;
    for (reason, count) in [("unreachable", 2), ("bug", 0), ("stream", 1)] {
        assert!(metrics.contains(&shown(reason, count)), "{metrics}");
    }
    health.recovered(&Component::Table(delivery(1)));
    assert!(port.ask("GET /metrics").await.contains(&shown("unreachable", 1)));
}

#[tokio::test]
async fn partitions_that_are_added_are_counted_measured_and_watched() {
    let port = start().await;
    let shown =
        |partition: u16| format!("moose_lag_records{{stream=\"events\",table=\"events\",partition=\"{partition}\"}} 0");
    port.has_partitions(1).await;
    let metrics = port.ask("GET /metrics").await;
    assert!(metrics.contains(&shown(0)) && !metrics.contains(&shown(1)), "{metrics}");
    port.has_partitions(2).await;
    let metrics = port.ask("GET /metrics").await;
    assert!(metrics.contains(&shown(0)) && metrics.contains(&shown(1)), "{metrics}");
    let accounts = port.ask("GET /accounting").await;
    assert!(accounts.contains(r#""partition":0"#) && accounts.contains(r#""partition":1"#), "{accounts}");
    let added = LagLabel { stream: "events".to_owned(), table: "events".to_owned(), partition: 1 };
    port.state.metrics.lag_seconds.get_or_create(&added).set(300.0);
    let answer = port.ask("GET /ready").await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("partition 1: the oldest"), "{answer}");
}

#[tokio::test]
async fn what_is_not_there_is_answered_in_json_with_the_known_paths() {
    let port = start().await;
    let answer = port.ask("GET /nothing").await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    assert!(
        answer.contains(r#""paths":["/metrics","/health","/ready","/accounting","/dead-letters","/readers"]"#),
        "{answer}"
    );
    let answer = port.ask("DELETE /ready").await;
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
    assert!(answer.contains("content-type: application/json"), "{answer}");
}

#[tokio::test]
async fn dead_letters_are_not_for_requests_that_were_passed_on() {
    let port = start().await;
    let json = "Content-Type: application/json\r\n";
    let answer = port.ask_with("POST /dead-letters", json, "1").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with(r#"{"asked":1}"#), "{answer}");
    for passed_on in [
        "Forwarded: for=203.0.113.7",
        "X-Forwarded-For: 203.0.113.7",
        "x-forwarded-proto: https",
        "X-Forwarded-Anything: at all",
        "Via: 1.1 proxy",
        "X-Real-IP: 203.0.113.7",
        "CF-Connecting-IP: 203.0.113.7",
    ] {
        let headers = format!("{json}{passed_on}\r\n");
        for (request, body) in [("POST /dead-letters", "1"), ("GET /dead-letters", ""), ("DELETE /dead-letters", "")] {
            let answer = port.ask_with(request, &headers, body).await;
            assert!(answer.starts_with("HTTP/1.1 403"), "{request} {passed_on}: {answer}");
            assert!(answer.contains("passed on by a proxy"), "{request} {passed_on}: {answer}");
        }
        let metrics = port.ask_with("GET /metrics", &headers, "").await;
        assert!(metrics.starts_with("HTTP/1.1 200"), "what names and counts is for whoever scrapes: {metrics}");
    }
    assert!(port.ask("GET /dead-letters").await.starts_with("HTTP/1.1 405"));
}

#[tokio::test]
async fn clients_that_only_hold_connections_keep_nobody_out_for_long() {
    let port = start().await;
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(TcpStream::connect(port.address).await.unwrap());
    }
    let asking = port.ask("GET /health");
    tokio::pin!(asking);
    assert!(tokio::time::timeout(Duration::from_millis(200), &mut asking).await.is_err(), "more than the bound");
    let answer = tokio::time::timeout(HEAD * 2, asking).await.expect("idle connections are closed");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn it_closes_when_asked_though_clients_hold_connections() {
    let port = start().await;
    let _idle = TcpStream::connect(port.address).await.unwrap();
    let mut stalled = TcpStream::connect(port.address).await.unwrap();
    stalled.write_all(b"POST /dead-letters HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{").await.unwrap();
    port.stop.signal();
    tokio::time::timeout(CLOSE_GRACE * 2, port.server).await.unwrap().unwrap();
}
