//! Tests of the limits on clients, over real connections.

use std::time::Duration;

use axum::routing::{get, post};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::oneshot,
    task::JoinHandle,
};

use super::*;

const DEADLINE: Duration = Duration::from_secs(30);

const LIMITS: Limits = Limits { name: "a port", connections: 8, head: DEADLINE, answer: DEADLINE, closing: DEADLINE };

/// A port with a response of 32 MiB, and one that never completes.
struct Port {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Port {
    async fn open(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let router = Router::new()
            .route("/large", get(async || vec![0; 32 << 20]))
            .route("/never", post(async |_body: String| std::future::pending::<()>().await))
            .route("/", get(async || "here"));
        let served = tokio::spawn(serve(listener, router, limits, async { drop(stopped.await) }));
        Self { address, stop, served }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Whether a new client is answered within this time.
    async fn answers(&self, within: Duration) -> bool {
        let ask = async {
            let mut client = self.connect().await;
            client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            assert!(answer.ends_with("here"), "{answer}");
        };
        timeout(within, ask).await.is_ok()
    }
}

/// Reads until the server has closed the connection, in order or not.
async fn is_closed(client: &mut TcpStream) {
    timeout(DEADLINE, client.read_to_end(&mut Vec::new())).await.expect("the connection is closed").unwrap_or_default();
}

#[tokio::test]
async fn an_idle_client_is_disconnected_before_its_first_request_and_between_two() {
    let port = Port::open(Limits { head: Duration::from_millis(100), ..LIMITS }).await;
    is_closed(&mut port.connect().await).await;
    let mut client = port.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    is_closed(&mut client).await;
}

#[tokio::test]
async fn a_client_that_does_not_take_its_answer_gives_its_place_back() {
    let port = Port::open(Limits { connections: 1, answer: Duration::from_millis(300), ..LIMITS }).await;
    let mut client = port.connect().await;
    client.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert!(!port.answers(Duration::from_millis(100)).await, "the only place is taken");
    assert!(port.answers(DEADLINE).await, "the place is free again");
    // A client that reads it has the whole time.
    let mut client = port.connect().await;
    client.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    assert!(answer.len() > 32 << 20, "{}", answer.len());
}

#[tokio::test]
async fn clients_that_are_gone_give_their_places_back_while_nothing_can_be_answered() {
    let port = Port::open(Limits { connections: 2, ..LIMITS }).await;
    let mut clients = [port.connect().await, port.connect().await];
    for client in &mut clients {
        client.write_all(b"POST /never HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
    }
    assert!(!port.answers(LOOK * 2).await, "they wait for their answers");
    drop(clients);
    assert!(port.answers(LOOK * 3 + AFTER_ITS_END).await);
}

#[tokio::test]
async fn a_port_that_closes_disconnects_who_is_slow() {
    let port = Port::open(Limits { closing: Duration::from_millis(200), ..LIMITS }).await;
    let mut client = port.connect().await;
    client.write_all(b"POST /never HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{").await.unwrap();
    assert!(port.answers(DEADLINE).await);
    port.stop.send(()).unwrap();
    timeout(DEADLINE, port.served).await.expect("it ends").unwrap();
    is_closed(&mut client).await;
}

#[tokio::test]
async fn a_connection_shows_whether_its_client_sends_no_more_or_is_gone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let becomes = async |wanted: Presence| {
        let waiting = async {
            while presence(&stream) != wanted {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(DEADLINE, waiting).await.unwrap_or_else(|_| panic!("{wanted:?}, not {:?}", presence(&stream)));
    };
    becomes(Presence::There).await;
    // Unread bytes must not hide that.
    client.write_all(b"more").await.unwrap();
    assert_eq!(presence(&stream), Presence::There);
    client.shutdown().await.unwrap();
    becomes(Presence::Ended).await;
    client.set_zero_linger().unwrap();
    drop(client);
    becomes(Presence::Gone).await;
}

/// How long an answer that takes `seconds` is worked on for a client that is as `presence` says.
async fn worked_for(seconds: u64, presence: impl Fn() -> Presence) -> (bool, Duration) {
    let begun = Instant::now();
    let answer = async {
        sleep(Duration::from_secs(seconds)).await;
        Ok(Response::default())
    };
    let answered = unless_gone(answer, presence).await.is_ok();
    (answered, begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_answered_and_who_may_be_gone_is_worked_for_a_while() {
    let seconds = Duration::from_secs;
    assert_eq!(worked_for(3600, || Presence::There).await, (true, seconds(3600)));
    assert_eq!(worked_for(4, || Presence::Ended).await, (true, seconds(4)));
    assert_eq!(worked_for(3600, || Presence::Ended).await, (false, LOOK + AFTER_ITS_END));
    assert_eq!(worked_for(3600, || Presence::Gone).await, (false, LOOK));
    // Gone while it is worked for.
    let begun = Instant::now();
    let later = || if begun.elapsed() < seconds(100) { Presence::There } else { Presence::Ended };
    assert_eq!(worked_for(3600, later).await, (false, seconds(100) + AFTER_ITS_END));
}
