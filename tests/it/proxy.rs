//! The fault proxy does what its rules say, and only that: tests that rely on a fault must be able to.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use moose_tests::{
    http::{Answer, NoAnswer, percent_encoded, send},
    proxy::{Canned, Fault, Outcome, Proxy, anything, insert_into},
    wait::eventually,
};
use tokio::net::TcpListener;

const DEADLINE: Duration = Duration::from_secs(10);

/// A server that counts what it was asked and answers with the length of the body.
struct Upstream {
    address: SocketAddr,
    served: Arc<AtomicUsize>,
}

impl Upstream {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("its address");
        let served = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&served);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let counter = Arc::clone(&counter);
                let service = service_fn(move |request: Request<Incoming>| {
                    let counter = Arc::clone(&counter);
                    async move {
                        let body = request.into_body().collect().await?.to_bytes();
                        counter.fetch_add(1, Ordering::AcqRel);
                        let answer = format!("took {} bytes\n", body.len());
                        Ok::<_, hyper::Error>(Response::new(Full::new(Bytes::from(answer))))
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, served }
    }

    fn served(&self) -> usize {
        self.served.load(Ordering::Acquire)
    }
}

async fn pair() -> (Upstream, Proxy) {
    let upstream = Upstream::start().await;
    let proxy = Proxy::start(upstream.address).await;
    (upstream, proxy)
}

async fn insert(proxy: &Proxy, table: &str, body: &'static str) -> Result<Answer, NoAnswer> {
    let statement = percent_encoded(&format!("INSERT INTO {table} FORMAT Native"));
    let url = format!("{}/?query={statement}&insert_deduplication_token=t%2F1", proxy.url());
    send(Method::POST, &url, &[], body).await
}

#[tokio::test]
async fn a_request_without_a_rule_passes_and_is_recorded() {
    let (upstream, proxy) = pair().await;
    let answer = insert(&proxy, "`moose`.`events`", "12345").await.expect("an answer");
    assert_eq!((answer.status, answer.text().as_str()), (StatusCode::OK, "took 5 bytes\n"));
    assert_eq!(upstream.served(), 1);

    let requests = proxy.inserts("events");
    let [request] = requests.as_slice() else { panic!("one request, not {requests:?}") };
    assert_eq!(request.method, Method::POST);
    assert_eq!(request.statement, "INSERT INTO `moose`.`events` FORMAT Native");
    assert_eq!((request.token(), request.body_length, request.body.as_ref()), ("t/1", 5, None));
    assert_eq!(request.status(), Some(StatusCode::OK));
    assert!(request.arrived <= request.complete);
    assert!(proxy.inserts("other").is_empty());
}

#[tokio::test]
async fn equal_bodies_have_equal_digests_and_other_bodies_others() {
    let (_upstream, proxy) = pair().await;
    for body in ["same", "same", "different"] {
        insert(&proxy, "events", body).await.expect("an answer");
    }
    let digests: Vec<_> = proxy.requests().iter().map(|request| request.body_digest).collect();
    assert_eq!(digests[0], digests[1]);
    assert_ne!(digests[0], digests[2]);
}

#[tokio::test]
async fn bodies_are_kept_when_asked_for() {
    let (_upstream, proxy) = pair().await;
    proxy.keep_bodies();
    insert(&proxy, "events", "12345").await.expect("an answer");
    assert_eq!(proxy.requests()[0].body, Some(Bytes::from_static(b"12345")));
}

#[tokio::test]
async fn a_statement_in_the_body_is_recorded_too() {
    let (_upstream, proxy) = pair().await;
    send(Method::POST, &proxy.url(), &[], "insert into t (a) values (1)").await.expect("an answer");
    assert_eq!(proxy.inserts("t").len(), 1);
}

#[tokio::test]
async fn a_rule_skips_counts_and_ends() {
    let (upstream, proxy) = pair().await;
    let rule = proxy.when(insert_into("events")).skip(1).times(1).make(Fault::Refuse);
    assert!(insert(&proxy, "events", "").await.is_ok());
    assert!(insert(&proxy, "other", "").await.is_ok());
    assert!(insert(&proxy, "events", "").await.is_err());
    assert!(insert(&proxy, "events", "").await.is_ok());
    assert_eq!((rule.hits(), upstream.served()), (1, 3));
    let refused = &proxy.requests()[2];
    assert_eq!(refused.fault, Some("refuse"));
    eventually(DEADLINE, || async {
        let outcome = proxy.requests()[2].outcome;
        if matches!(outcome, Outcome::Closed { .. }) { Ok(()) } else { Err(format!("{outcome:?}")) }
    })
    .await;
}

#[tokio::test]
async fn a_held_request_reaches_the_upstream_only_when_released() {
    let (upstream, proxy) = pair().await;
    let rule = proxy.when(anything).make(Fault::Hold);
    let url = proxy.url();
    let waiting = tokio::spawn(async move { send(Method::POST, &url, &[], "x").await });
    eventually(DEADLINE, || async { if rule.hits() == 1 { Ok(()) } else { Err("not held") } }).await;
    assert_eq!((upstream.served(), waiting.is_finished()), (0, false));
    assert_eq!(proxy.requests()[0].outcome, Outcome::Open);
    rule.release();
    assert!(waiting.await.expect("no panic").is_ok());
    assert_eq!(upstream.served(), 1);
}

#[tokio::test]
async fn a_held_answer_has_taken_effect() {
    let (upstream, proxy) = pair().await;
    let rule = proxy.when(anything).make(Fault::HoldAnswer);
    let url = proxy.url();
    let waiting = tokio::spawn(async move { send(Method::POST, &url, &[], "x").await });
    eventually(DEADLINE, || async { if upstream.served() == 1 { Ok(()) } else { Err("not served") } }).await;
    assert!(!waiting.is_finished());
    rule.release();
    assert_eq!(waiting.await.expect("no panic").expect("an answer").text(), "took 1 bytes\n");
}

#[tokio::test]
async fn a_delayed_request_takes_at_least_that_long() {
    let (_upstream, proxy) = pair().await;
    let delay = Duration::from_millis(100);
    proxy.when(anything).make(Fault::Delay(delay));
    let start = Instant::now();
    insert(&proxy, "events", "").await.expect("an answer");
    assert!(start.elapsed() >= delay);
    assert!(proxy.requests()[0].duration().expect("answered") >= delay);
}

#[tokio::test]
async fn a_stalled_request_is_never_answered() {
    let (upstream, proxy) = pair().await;
    proxy.when(anything).make(Fault::Stall);
    let answer = tokio::time::timeout(Duration::from_millis(200), insert(&proxy, "events", "")).await;
    assert!(answer.is_err(), "{answer:?}");
    assert_eq!(upstream.served(), 0);
    eventually(DEADLINE, || async {
        let outcome = proxy.requests()[0].outcome;
        if matches!(outcome, Outcome::Closed { .. }) { Ok(()) } else { Err(format!("{outcome:?}")) }
    })
    .await;
}

#[tokio::test]
async fn a_dropped_answer_has_taken_effect() {
    let (upstream, proxy) = pair().await;
    proxy.when(anything).times(1).make(Fault::DropAnswer);
    assert!(insert(&proxy, "events", "").await.is_err());
    assert_eq!(upstream.served(), 1);
}

#[tokio::test]
async fn a_cut_answer_has_its_head_and_breaks_in_the_body() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (upstream, proxy) = pair().await;
    proxy.when(anything).times(1).make(Fault::CutAnswer { after: 4 });
    assert!(insert(&proxy, "events", "").await.is_err());

    proxy.when(anything).make(Fault::CutAnswer { after: 4 });
    let mut stream = tokio::net::TcpStream::connect(proxy.address()).await.expect("a connection");
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
    let mut received = String::new();
    stream.read_to_string(&mut received).await.expect("what came before the cut");
    assert!(received.starts_with("HTTP/1.1 200 OK") && received.ends_with("\r\n\r\ntook"), "{received}");
    assert_eq!(upstream.served(), 2);
}

#[tokio::test]
async fn an_answer_without_a_body_can_be_cut_too() {
    let (upstream, proxy) = pair().await;
    proxy.when(anything).times(1).make(Fault::CutAnswer { after: 100 });
    assert!(insert(&proxy, "events", "").await.is_err());
    assert_eq!(upstream.served(), 1);
}

#[tokio::test]
async fn a_cut_request_never_arrives_whole() {
    let (upstream, proxy) = pair().await;
    proxy.when(anything).times(1).make(Fault::CutRequest { after: 2 });
    assert!(insert(&proxy, "events", "12345").await.is_err());
    assert_eq!(upstream.served(), 0);
}

#[tokio::test]
async fn canned_answers_stand_in_for_the_upstream_or_hide_it() {
    let (upstream, proxy) = pair().await;
    proxy.when(anything).times(1).make(Fault::Answer(Canned::exception(
        StatusCode::INTERNAL_SERVER_ERROR,
        252,
        "Too many parts",
    )));
    proxy.when(anything).times(1).make(Fault::Lie(Canned::plain(StatusCode::BAD_GATEWAY, "busy")));
    let answer = insert(&proxy, "events", "").await.expect("an answer");
    assert_eq!((answer.status.as_u16(), answer.header("x-clickhouse-exception-code")), (500, "252"));
    assert!(answer.text().starts_with("Code: 252."), "{}", answer.text());
    assert_eq!(upstream.served(), 0);
    let answer = insert(&proxy, "events", "").await.expect("an answer");
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (502, "busy"));
    assert_eq!(upstream.served(), 1);
}

#[tokio::test]
async fn a_closed_door_refuses_and_opens_on_the_same_port() {
    let (upstream, proxy) = pair().await;
    let hold = proxy.when(anything).times(1).make(Fault::Hold);
    let url = proxy.url();
    let waiting = tokio::spawn(async move { send(Method::POST, &url, &[], "x").await });
    eventually(DEADLINE, || async { if hold.hits() == 1 { Ok(()) } else { Err("not held") } }).await;

    proxy.close_door();
    assert!(waiting.await.expect("no panic").is_err(), "open connections end");
    eventually(DEADLINE, || async {
        match tokio::net::TcpStream::connect(proxy.address()).await {
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;

    proxy.open_door();
    eventually(DEADLINE, || insert(&proxy, "events", "")).await;
    assert_eq!(upstream.served(), 1);
}

#[tokio::test]
async fn a_silent_proxy_takes_connections_and_old_ones_stay_silent_after_its_return() {
    let (upstream, proxy) = pair().await;
    let silent = |proxy: &Proxy| {
        let url = proxy.url();
        tokio::spawn(async move { send(Method::POST, &url, &[], "x").await })
    };
    let hold = proxy.when(anything).times(1).make(Fault::Hold);
    let old = silent(&proxy);
    eventually(DEADLINE, || async { if hold.hits() == 1 { Ok(()) } else { Err("not held") } }).await;
    proxy.fall_silent();
    let new = silent(&proxy);
    let answer = tokio::time::timeout(Duration::from_millis(200), insert(&proxy, "events", "")).await;
    assert!(answer.is_err(), "neither refused nor answered: {answer:?}");
    proxy.open_door();
    hold.release();
    eventually(DEADLINE, || insert(&proxy, "events", "")).await;
    assert_eq!((upstream.served(), old.is_finished(), new.is_finished()), (1, false, false));
}

#[tokio::test]
async fn a_late_request_arrives_when_released_though_its_client_is_gone() {
    let (upstream, proxy) = pair().await;
    let late = proxy.when(anything).times(1).make(Fault::Late);
    let answer = tokio::time::timeout(Duration::from_millis(200), insert(&proxy, "events", "")).await;
    assert!(answer.is_err(), "{answer:?}");
    assert_eq!((late.hits(), upstream.served()), (1, 0));
    late.release();
    eventually(DEADLINE, || async { if late.finished() == 1 { Ok(()) } else { Err("not finished") } }).await;
    assert_eq!(upstream.served(), 1);
}

#[tokio::test]
async fn an_abandoned_request_arrives_and_its_client_hears_nothing() {
    let (upstream, proxy) = pair().await;
    let abandoned = proxy.when(anything).times(1).make(Fault::Abandon);
    assert!(insert(&proxy, "events", "").await.is_err());
    eventually(DEADLINE, || async { if abandoned.finished() == 1 { Ok(()) } else { Err("not finished") } }).await;
    assert_eq!(upstream.served(), 1);
}

#[tokio::test]
async fn several_requests_go_through_at_once() {
    let (_upstream, proxy) = pair().await;
    let rule = proxy.when(insert_into("slow")).make(Fault::Hold);
    let url = format!("{}/?query=INSERT+INTO+slow", proxy.url());
    let waiting = tokio::spawn(async move { send(Method::POST, &url, &[], "x").await });
    eventually(DEADLINE, || async { if rule.hits() == 1 { Ok(()) } else { Err("not held") } }).await;
    assert!(insert(&proxy, "fast", "").await.is_ok(), "a held request holds up no other");
    rule.remove();
    assert!(waiting.await.expect("no panic").is_ok());
}
