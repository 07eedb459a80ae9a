//! A recording and fault-making HTTP proxy in front of ClickHouse.
//!
//! Every request is read whole, noted, matched against the rules in the order in which they were made, and passed on over
//! a connection of its own (so that a fault hits exactly one request). Answers stream through. Memory is flat: of a
//! request that has passed only its head, the length and a hash of its body stay, unless bodies are asked for.
//!
//! ```no_run
//! # use moose_tests::proxy::{Fault, Proxy, insert_into};
//! # async fn example(engine: std::net::SocketAddr) {
//! let proxy = Proxy::start(engine).await;
//! let held = proxy.when(insert_into("events")).skip(1).times(1).make(Fault::Hold);
//! // … the second INSERT waits in the proxy …
//! held.release();
//! # }
//! ```

mod forward;
mod record;
mod rule;

use std::{
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::JoinHandle,
};

pub use record::{Outcome, Recorded, anything, insert_into};
pub use rule::{Canned, Fault, RuleBuilder, RuleHandle};

use rule::Rule;

/// A proxy on a loopback port of its own. Dropping it closes the port and all connections.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    door: watch::Sender<Door>,
    task: JoinHandle<()>,
}

/// Whether the port takes connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Open,
    Closed,
    Silent,
}

/// What the connections share.
struct Shared {
    upstream: Mutex<SocketAddr>,
    keep_bodies: AtomicBool,
    rules: Mutex<Vec<Arc<Rule>>>,
    requests: Mutex<Vec<Recorded>>,
}

impl Proxy {
    /// Starts a proxy in front of `upstream`.
    ///
    /// # Panics
    /// When no loopback port can be had.
    pub async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a loopback port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            upstream: Mutex::new(upstream),
            keep_bodies: AtomicBool::new(false),
            rules: Mutex::default(),
            requests: Mutex::default(),
        });
        let door = watch::Sender::new(Door::Open);
        let task = tokio::spawn(serve(listener, address, Arc::clone(&shared), door.subscribe()));
        Self { address, shared, door, task }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as `http://address:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Passes later requests on to another address (an engine that was started anew).
    pub fn redirect(&self, upstream: SocketAddr) {
        *lock(&self.shared.upstream) = upstream;
    }

    /// Keeps the bodies of later requests with their records.
    pub fn keep_bodies(&self) {
        self.shared.keep_bodies.store(true, Ordering::Release);
    }

    /// A rule for the requests that `predicate` takes.
    pub fn when(&self, predicate: impl Fn(&Recorded) -> bool + Send + Sync + 'static) -> RuleBuilder<'_> {
        RuleBuilder { proxy: self, predicate: Box::new(predicate), skip: 0, times: usize::MAX }
    }

    /// Closes the port and every connection: from here on connections are refused by the system, as if nobody listened.
    pub fn close_door(&self) {
        self.door.send_replace(Door::Closed);
    }

    /// Takes connections and says nothing any more, on old ones neither: as a server that hangs, or a network that drops
    /// what was sent. What is under way is left where it is.
    pub fn fall_silent(&self) {
        self.door.send_replace(Door::Silent);
    }

    /// Listens again, on the same port; and answers again. Connections that have met the silence stay silent for ever.
    pub fn open_door(&self) {
        self.door.send_replace(Door::Open);
    }

    /// All requests so far, in the order in which they were complete.
    pub fn requests(&self) -> Vec<Recorded> {
        lock(&self.shared.requests).clone()
    }

    /// The requests so far that `predicate` takes.
    pub fn matching(&self, predicate: impl Fn(&Recorded) -> bool) -> Vec<Recorded> {
        lock(&self.shared.requests).iter().filter(|request| predicate(request)).cloned().collect()
    }

    /// The INSERTs into a table so far.
    pub fn inserts(&self, table: &str) -> Vec<Recorded> {
        self.matching(insert_into(table))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn add(&self, rule: Arc<Rule>) {
        lock(&self.rules).push(rule);
    }

    /// Notes a request and finds the rule that takes it.
    fn note(&self, mut request: Recorded) -> (usize, Option<Arc<Rule>>) {
        let rule = lock(&self.rules).iter().find(|rule| rule.takes(&request)).cloned();
        request.fault = rule.as_ref().map(|rule| rule.fault.name());
        let mut requests = lock(&self.requests);
        let sequence = requests.len();
        request.sequence = sequence;
        requests.push(request);
        (sequence, rule)
    }

    /// Notes what became of a request; the first note stands.
    fn settle(&self, sequence: usize, outcome: Outcome) {
        if let Some(request) = lock(&self.requests).get_mut(sequence).filter(|it| it.outcome == Outcome::Open) {
            request.outcome = outcome;
        }
    }
}

/// A test that panicked with the lock has failed already: the others go on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes connections as long as the door is open; keeps the port while it is closed.
async fn serve(mut listener: TcpListener, address: SocketAddr, shared: Arc<Shared>, mut door: watch::Receiver<Door>) {
    let doors = door.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    tokio::spawn(connection(stream, Arc::clone(&shared), doors.clone()));
                }
                continue;
            }
            closed = becomes(&mut door, Door::Closed) => if !closed { return },
        }
        drop(listener);
        let placeholder = hold_port(address).await;
        if !becomes(&mut door, Door::Open).await {
            return;
        }
        listener = placeholder.listen(64).expect("a bound socket can listen");
    }
}

/// Waits until the door is as wanted; false when the proxy is gone.
async fn becomes(door: &mut watch::Receiver<Door>, wanted: Door) -> bool {
    door.wait_for(|door| *door == wanted).await.is_ok()
}

/// Binds the port without listening: connections are refused, and nobody else gets the port meanwhile.
async fn hold_port(address: SocketAddr) -> TcpSocket {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("an option of every TCP socket");
        match socket.bind(address) {
            Ok(()) => return socket,
            Err(error) if Instant::now() >= end => panic!("the proxy lost its port {address}: {error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

/// Serves one connection until it ends or the door closes. One that meets the silence is kept, and nothing happens on it
/// any more.
async fn connection(stream: TcpStream, shared: Arc<Shared>, mut door: watch::Receiver<Door>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| forward::handle(Arc::clone(&shared), request));
    let mut silence = door.clone();
    let mut serving = pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        biased;
        _ = becomes(&mut door, Door::Closed) => return,
        silent = becomes(&mut silence, Door::Silent) => if !silent { return },
        // An error here is a fault that was asked for, or a client that went away: both are in the record.
        _ = serving.as_mut() => return,
    }
    // Still open, and nobody attends to it.
    becomes(&mut door, Door::Closed).await;
}
