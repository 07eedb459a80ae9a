//! Tests of connections: slow clients, many clients, and an orderly shutdown.

use tokio::time::{Instant, timeout};

use super::*;

const DEADLINE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_client_that_sends_no_head_is_disconnected() {
    let brief = |state: &mut State| state.http.header_timeout = Duration::from_millis(50);
    let server = Server::start_with(1, brief, |backend| backend).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"POST /ingest/ev").await.unwrap();
    let mut rest = Vec::new();
    timeout(DEADLINE, stream.read_to_end(&mut rest)).await.expect("the connection is closed").unwrap();
}

#[tokio::test]
async fn a_client_that_pauses_within_its_body_gets_408() {
    let brief = |state: &mut State| state.body_pause = Duration::from_millis(50);
    let server = Server::start_with(1, brief, |backend| backend).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"POST /ingest/events HTTP/1.1\r\nhost: test\r\ncontent-length: 100\r\n\r\n{").await.unwrap();
    let answer = timeout(DEADLINE, Answer::read(&mut stream)).await.expect("an answer and the end of the connection");
    assert_eq!(answer.status, 408);
}

#[tokio::test]
async fn a_client_that_closes_its_side_after_its_request_is_answered() {
    let server = Server::start().await;
    let large = |id: &str| event(&format!("{id}{}", "x".repeat(200 << 10)));
    let small = (0..20).map(|index| event(&format!("small {index}")));
    let bodies: Vec<String> = small.chain((0..5).map(|index| large(&format!("large {index}")))).collect();
    let send = async |body: &String| {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!("POST /ingest/events HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await.unwrap();
        stream.shutdown().await.unwrap();
        timeout(DEADLINE, Answer::read(&mut stream)).await.expect("an answer and the end of the connection").status
    };
    for body in &bodies {
        assert_eq!(send(body).await, 200);
    }
    assert_eq!(server.stored(0).await, bodies);
}

#[tokio::test]
async fn a_client_that_closes_its_side_within_its_request_is_cut_off_at_once() {
    let server = Server::start().await;
    let body = event("a");
    let head = format!("POST /ingest/events HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n", body.len());
    let whole = format!("{head}{body}");
    for end in [10, head.len() - 2, head.len(), whole.len() - 1] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(&whole.as_bytes()[..end]).await.unwrap();
        stream.shutdown().await.unwrap();
        let begun = Instant::now();
        let mut answer = String::new();
        timeout(DEADLINE, stream.read_to_string(&mut answer)).await.expect("the end of the connection").unwrap();
        assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    }
    assert!(server.stored(0).await.is_empty());
}

#[tokio::test]
async fn connections_above_the_bound_wait_their_turn() {
    let one = |state: &mut State| state.http.max_connections = 1;
    let server = Server::start_with(1, one, |backend| backend).await;
    let mut first = TcpStream::connect(server.address).await.unwrap();
    first.write_all(b"POST /ingest/events HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\n[").await.unwrap();
    let body = event("a");
    let second = server.post(&body);
    tokio::pin!(second);
    assert!(timeout(Duration::from_millis(100), &mut second).await.is_err(), "the only place is taken");
    drop(first);
    assert_eq!(timeout(DEADLINE, second).await.expect("the place is free").status, 200);
}

#[tokio::test]
async fn stopping_answers_what_is_under_way_and_takes_no_more() {
    let mut server = Server::start().await;
    let body = event("a");
    let mut running = TcpStream::connect(server.address).await.unwrap();
    let head = format!("POST /ingest/events HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n", body.len());
    running.write_all(head.as_bytes()).await.unwrap();
    running.write_all(&body.as_bytes()[..10]).await.unwrap();
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    // An answered request shows that the server has taken the connections before it.
    assert_eq!(server.send("GET", "/", &[], b"").await.status, 404);

    server.stop.take().unwrap().send(()).unwrap();
    let begun = Instant::now();
    while TcpStream::connect(server.address).await.is_ok() {
        assert!(begun.elapsed() < DEADLINE, "connections are still taken");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut nothing = Vec::new();
    timeout(DEADLINE, idle.read_to_end(&mut nothing)).await.expect("idle connections are closed").unwrap();
    assert!(!server.served.is_finished());
    running.write_all(&body.as_bytes()[10..]).await.unwrap();
    assert_eq!(timeout(DEADLINE, Answer::read(&mut running)).await.unwrap().status, 200);
    timeout(DEADLINE, &mut server.served).await.expect("nothing is left to do").unwrap();
    assert_eq!(server.stored(0).await, [event("a")]);
}
