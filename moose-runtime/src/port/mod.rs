//! An HTTP port: the loop that accepts connections and serves HTTP/1.1 on them, shared by the front door and the
//! management port.
//!
//! What clients can hold is limited in number and in time: a maximum of connections, and timeouts for the head of a
//! request (also between two requests), for writing the response, and for closing the port.

mod connection;
#[cfg(test)]
mod tests;

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

use axum::{Router, extract::ConnectInfo, response::Response};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tower_service::Service as _;

use self::connection::Connection;

/// Pause after a failed accept, which mostly means that the process or the machine has too many files open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Minimum time between log lines about that.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

/// Interval of checks whether a client still waits for its response.
const LOOK: Duration = Duration::from_secs(1);

/// How long a request is processed after the client has closed its sending side. It may be waiting for the response, or
/// be gone: both look the same. A response takes milliseconds, so a waiting client gets it; during an outage, when
/// responses take long, clients that are gone must not hold memory and connections for as long as that lasts.
const AFTER_ITS_END: Duration = Duration::from_secs(5);

/// Limits on the clients of a port.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Name of the port in the log.
    pub name: &'static str,
    /// Maximum number of open connections; more wait in the system's queue.
    pub connections: usize,
    /// Timeout for the head of a request; also for an idle connection.
    pub head: Duration,
    /// Write timeout of a response.
    pub answer: Duration,
    /// How long requests under way may take once the port is asked to close.
    pub closing: Duration,
}

/// Serves `router` until `stop` is signalled. Then no more connections are accepted, idle ones are closed, requests
/// under way are answered if they finish within `limits.closing`, and the remaining clients are disconnected.
///
/// Requests carry the client's address as [`ConnectInfo`]. A failed accept is retried.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: impl Future<Output = ()>) {
    let mut stop = pin!(stop);
    let places = Arc::new(Semaphore::new(limits.connections.clamp(1, Semaphore::MAX_PERMITS)));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut builder = http1::Builder::new();
    // A client that has sent its request and then closes its side still gets a response.
    builder.timer(TokioTimer::new()).header_read_timeout(limits.head).half_close(true);
    let mut complained: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &places) => accepted,
            // Joined as they end: their results don't matter.
            Some(_) = connections.join_next() => continue,
        };
        let (permit, stream, peer) = match accepted {
            Ok(accepted) => accepted,
            // An error of one client, which is gone.
            Err(error) if is_about_the_client(&error) => continue,
            Err(error) => {
                if complained.is_none_or(|complained| complained.elapsed() >= COMPLAIN_EVERY) {
                    tracing::warn!(%error, "{}: connections can't be accepted; going on trying", limits.name);
                    complained = Some(Instant::now());
                }
                tokio::select! {
                    () = &mut stop => break,
                    () = sleep(ACCEPT_PAUSE) => continue,
                }
            }
        };
        // Responses are complete: waiting to fill a packet would only delay them.
        let _without = stream.set_nodelay(true);
        let connection = Connection::new(stream, limits.answer);
        let watched = connection.watch();
        let router = router.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            let answer = router.clone().call(request);
            let watched = watched.clone();
            async move { unless_gone(answer, || presence((*watched).as_ref())).await }
        });
        let connection = graceful.watch(builder.serve_connection(TokioIo::new(connection), service));
        connections.spawn(async move {
            // A client that goes away or is too slow is not worth a log line.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
            drop(permit);
        });
    }
    drop(listener);
    if timeout(limits.closing, graceful.shutdown()).await.is_err() {
        while connections.try_join_next().is_some() {}
        let (name, left) = (limits.name, connections.len());
        tracing::warn!(connections = left, "{name}: requests are still under way; they are cut off without an answer");
    }
    connections.shutdown().await;
}

/// The next connection, with its permit from the maximum.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(Option<OwnedSemaphorePermit>, TcpStream, SocketAddr)> {
    // The semaphore is never closed.
    let permit = Arc::clone(places).acquire_owned().await.ok();
    let (stream, peer) = listener.accept().await?;
    Ok((permit, stream, peer))
}

fn is_about_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// The state of a client, as far as its connection shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    /// It may send more.
    There,
    /// It has closed its sending side: it waits for its response, or is gone.
    Ended,
    /// The connection is closed.
    Gone,
}

fn presence(stream: &TcpStream) -> Presence {
    let interest = tokio::io::Interest::READABLE | tokio::io::Interest::WRITABLE;
    let ready = pin!(stream.ready(interest)).poll(&mut Context::from_waker(Waker::noop()));
    match ready {
        std::task::Poll::Ready(Ok(ready)) if ready.is_write_closed() => Presence::Gone,
        std::task::Poll::Ready(Ok(ready)) if ready.is_read_closed() => Presence::Ended,
        std::task::Poll::Ready(Err(_)) => Presence::Gone,
        std::task::Poll::Ready(Ok(_)) | std::task::Poll::Pending => Presence::There,
    }
}

/// The client went away before its response was ready.
#[derive(Debug, thiserror::Error)]
#[error("the client is gone")]
struct Gone;

/// The response, or that nobody waits for it any more.
async fn unless_gone(
    answer: impl Future<Output = Result<Response, Infallible>>,
    presence: impl Fn() -> Presence,
) -> Result<Response, Gone> {
    let mut answer = pin!(answer);
    let mut ended: Option<Instant> = None;
    loop {
        if let Ok(answer) = timeout(LOOK, Pin::as_mut(&mut answer)).await {
            return answer.map_err(|never| match never {});
        }
        match presence() {
            Presence::There => ended = None,
            Presence::Ended if ended.get_or_insert_with(Instant::now).elapsed() < AFTER_ITS_END => {}
            Presence::Ended | Presence::Gone => return Err(Gone),
        }
    }
}
