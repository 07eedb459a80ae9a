//! Tests of the HTTP contract, over real connections and with the real log.

mod bad_input;
mod connections;
mod stream;

use std::{io::Write, net::SocketAddr};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

use super::*;
use crate::{
    record::{Batch, ErrorCode},
    stream::{
        Backend, contract,
        log::{Log, LogOptions},
    },
    telemetry::{ApiLabel, RejectionLabel},
};

/// How long a door that closes waits for its requests.
const CLOSING: Duration = Duration::from_mins(1);

/// What the tests send.
#[derive(Clone, Debug, crate::OlapRecord)]
#[olap(crate = "crate")]
#[serde(rename_all = "camelCase")]
struct Event {
    #[key]
    id: String,
    user_id: String,
    timestamp: DateTime<Utc>,
    #[serde(rename = "eventType")]
    kind: String,
    count: Option<i8>,
}

/// A valid record.
fn event(id: &str) -> String {
    format!(r#"{{"id":"{id}","userId":"u","timestamp":"2024-01-15T10:30:00Z","eventType":"click"}}"#)
}

/// A door on a port of its own, with its own log.
struct Server {
    address: SocketAddr,
    backend: Arc<dyn Backend>,
    metrics: Arc<Metrics>,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
    _directory: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        Self::start_with(1, |_| {}, |backend| backend).await
    }

    async fn start_with(
        partitions: u16,
        adjust: impl FnOnce(&mut State),
        wrap: impl FnOnce(Arc<dyn Backend>) -> Arc<dyn Backend>,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log: Arc<dyn Backend> = Arc::new(Log::open(LogOptions::new(directory.path())).unwrap());
        log.open_topic(&contract::topic("events-topic", partitions)).await.unwrap();
        let backend = wrap(log);
        let metrics = Arc::new(Metrics::default());
        let route = |name: &str| Route {
            name: name.to_owned(),
            inlet: Inlet::new(
                Arc::clone(&backend),
                "events-topic".to_owned(),
                Arc::new(|| Box::new(Batch::<Event>::default())),
            ),
        };
        let http = crate::config::Config::default().http;
        let options = DoorOptions {
            routes: vec![route("events"), route("other")],
            metrics: Arc::clone(&metrics),
            health: Arc::default(),
            http: http.clone(),
            memory: Share::new(256 << 20),
        };
        let mut door = Door::new(options);
        adjust(Arc::get_mut(&mut door.state).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(door.serve(listener, CLOSING, async { drop(stopped.await) }));
        Self { address, backend, metrics, stop: Some(stop), served, _directory: directory }
    }

    /// Sends a request and reads the whole answer.
    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        Answer::read(&mut stream).await
    }

    async fn post(&self, body: impl AsRef<[u8]>) -> Answer {
        self.send("POST", "/ingest/events", &[("content-type", "application/json")], body.as_ref()).await
    }

    async fn post_lines(&self, body: impl AsRef<[u8]>) -> Answer {
        self.send("POST", "/ingest/events", &[("content-type", "application/x-ndjson")], body.as_ref()).await
    }

    /// Everything that is in the stream's partition.
    async fn stored(&self, partition: u16) -> Vec<Bytes> {
        let end = self.backend.bounds("events-topic", partition).await.unwrap().end;
        let records = contract::read_all(&*self.backend, "events-topic", partition, 0, end).await;
        records.into_iter().map(|record| record.payload).collect()
    }

    /// What the metrics say was accepted and rejected.
    fn counted(&self) -> (u64, u64) {
        let accepted = self.metrics.records_accepted.get_or_create(&ApiLabel { api: "events".to_owned() }).get();
        (accepted, ErrorCode::ALL.iter().map(|code| self.rejected_for(code.name())).sum())
    }

    /// What the metrics say was rejected for this reason.
    fn rejected_for(&self, reason: &'static str) -> u64 {
        let label = RejectionLabel { api: "events".to_owned(), reason };
        self.metrics.records_rejected.get_or_create(&label).get()
    }
}

/// An answer.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl Answer {
    async fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let head = head.to_ascii_lowercase();
        assert!(head.contains("content-type: application/json"), "{head}");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, body: serde_json::from_str(body).unwrap(), head }
    }

    /// Status, and for each error its index, pointer and code.
    fn errors(&self) -> (u16, Vec<(u64, &str, &str)>) {
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        let place = |error: &'_ Value| error["index"].as_u64().unwrap();
        let errors = errors
            .iter()
            .map(|error| (place(error), error["pointer"].as_str().unwrap(), error["code"].as_str().unwrap()));
        (self.status, errors.collect())
    }
}

#[tokio::test]
async fn one_object_is_stored_as_it_came() {
    let server = Server::start().await;
    let body = format!("  \n{}\t\r\n", event("a").replace(',', " ,\n"));
    let answer = server.post(&body).await;
    assert_eq!((answer.status, answer.body), (200, json!({"accepted": 1})));
    assert_eq!(server.stored(0).await, [body.trim()]);
    assert_eq!(server.counted(), (1, 0));
}

#[tokio::test]
async fn an_array_is_its_elements() {
    let server = Server::start().await;
    let answer = server.post(format!("[{} ,\n {}]", event("a"), event("b"))).await;
    assert_eq!((answer.status, answer.body), (200, json!({"accepted": 2})));
    assert_eq!(server.stored(0).await, [event("a"), event("b")]);
    let answer = server.post(" [ ] ").await;
    assert_eq!((answer.status, answer.body), (200, json!({"accepted": 0})));
}

#[tokio::test]
async fn lines_are_records_and_empty_lines_are_nothing() {
    let server = Server::start().await;
    let body = format!("\n{}\r\n  \n\t{}\n", event("a"), event("b"));
    for content_type in ["application/x-ndjson", "application/ndjson", "Application/JSONL; charset=UTF-8"] {
        let headers = [("content-type", content_type)];
        let answer = server.send("POST", "/ingest/events", &headers, body.as_bytes()).await;
        assert_eq!((answer.status, answer.body), (200, json!({"accepted": 2})));
    }
    assert_eq!(server.stored(0).await[..2], [event("a"), event("b")]);
    let answer = server.post_lines("").await;
    assert_eq!((answer.status, answer.body), (200, json!({"accepted": 0})));
}

#[tokio::test]
async fn a_body_without_content_type_is_json() {
    let server = Server::start().await;
    let answer = server.send("POST", "/ingest/events", &[], event("a").as_bytes()).await;
    assert_eq!(answer.status, 200);
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn compressed_bodies_are_what_they_were_before() {
    let server = Server::start().await;
    let body = format!("[{},{}]", event("a"), event("b"));
    for (encoding, body) in [
        ("gzip", gzip(body.as_bytes())),
        ("GZIP", [gzip(&body.as_bytes()[..20]), gzip(&body.as_bytes()[20..])].concat()),
        ("zstd", zstd::encode_all(body.as_bytes(), 3).unwrap()),
        ("identity", body.clone().into_bytes()),
    ] {
        let headers = [("content-type", "application/json"), ("content-encoding", encoding)];
        let answer = server.send("POST", "/ingest/events", &headers, &body).await;
        assert_eq!((answer.status, answer.body), (200, json!({"accepted": 2})), "{encoding}");
    }
    assert_eq!(server.stored(0).await.len(), 8);
}

#[tokio::test]
async fn a_large_body_is_decoded_in_pieces_and_stored_whole() {
    let server = Server::start().await;
    let wrong = |index: usize| index % 1_000 == 999;
    let lines: Vec<String> = (0..20_000)
        .map(|index| if wrong(index) { "{}".to_owned() } else { event(&format!("{index}-{}", "x".repeat(300))) })
        .collect();
    let answer = server.post_lines(lines.join("\n")).await;
    assert_eq!((answer.status, &answer.body["accepted"], &answer.body["rejected"]), (207, &json!(19_980), &json!(20)));
    let (_, errors) = answer.errors();
    let indexes: std::collections::BTreeSet<u64> = errors.iter().map(|(index, ..)| *index).collect();
    assert!(indexes.into_iter().eq((0..20).map(|thousand| thousand * 1_000 + 999)));
    let valid: Vec<&String> = lines.iter().enumerate().filter(|(index, _)| !wrong(*index)).map(|(_, l)| l).collect();
    assert!(server.stored(0).await.iter().eq(valid.iter().map(|line| line.as_bytes())));
}
