//! Timeouts: decides when to stop waiting for a response. Every request to the server is guarded by it.
//!
//! A connection can break unnoticed, and a server can accept connections and never respond. So while a statement has
//! had no response for a second, the server is pinged every second, on separate connections. If a ping is not answered
//! and a later one is, the server was away and is back, and earlier requests are given up at once: they will never be
//! answered. Otherwise a request is given up [`GRACE`] after its expected duration, which follows from earlier
//! statements of its kind. After that it is unknown whether the statement took effect; it is never sent again here.
//!
//! So the return of a server is noticed within [`PING_EVERY`], however it was away.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper_util::client::legacy::{Client as HttpClient, connect::HttpConnector};
use tokio::time::Instant;

use super::ClickHouseError;

/// Minimum of the expected duration.
const FLOOR: Duration = Duration::from_secs(10);
/// Maximum of the expected duration, however slow the server.
const MOST: Duration = Duration::from_mins(1);
/// The expected duration as a multiple of the slowest recent one.
const SLOWER: u32 = 4;
/// Added to the expected duration before a statement is given up.
const GRACE: Duration = Duration::from_secs(2);
/// Interval of pings during a statement without a response. A ping that takes longer counts as unanswered.
const PING_EVERY: Duration = Duration::from_secs(1);

/// The timeout for statements of one kind.
#[derive(Debug)]
pub struct Patience {
    expected: Mutex<Duration>,
    /// No timeout as long as pings are answered.
    endless: bool,
}

impl Default for Patience {
    /// Adapts to the server's speed: at least 10 seconds, at most a minute, and two seconds more.
    fn default() -> Self {
        Self { expected: Mutex::new(FLOOR), endless: false }
    }
}

impl Patience {
    /// For statements that may run for hours: given up only if the server does not answer pings either.
    pub fn endless() -> Self {
        Self { endless: true, ..Self::default() }
    }

    /// How long a statement may go without a response.
    fn silence(&self) -> Duration {
        *self.expected.lock().unwrap_or_else(PoisonError::into_inner) + GRACE
    }

    /// A statement was answered. The expected duration rises at once, and falls slowly.
    fn answered(&self, took: Duration) {
        self.change(|expected| (took * SLOWER).max(expected.mul_f64(0.9)));
    }

    /// A statement was given up. If the server is only slow, the next one needs more time, or none would ever finish.
    fn given_up(&self) {
        self.change(|expected| expected * 2);
    }

    fn change(&self, change: impl FnOnce(Duration) -> Duration) {
        let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        *expected = change(*expected).clamp(FLOOR, MOST);
    }
}

/// Guards the statements of one client. Cheap to clone.
#[derive(Clone)]
pub(super) struct Watch {
    /// Separate connections: a ping queued behind a hanging statement would prove nothing.
    pings: HttpClient<HttpConnector, Full<Bytes>>,
    url: String,
    /// The server did not answer when last asked: the next statement is guarded from its first moment, because it may
    /// have been sent just before the server came back.
    away: Arc<AtomicBool>,
}

impl Watch {
    pub(super) fn new(pings: HttpClient<HttpConnector, Full<Bytes>>, url: &str) -> Self {
        Self { pings, url: url.to_owned(), away: Arc::default() }
    }

    /// The response to a statement, or an error once there will be none.
    pub(super) async fn over<T>(
        &self,
        patience: &Patience,
        statement: impl Future<Output = Result<T, ClickHouseError>>,
    ) -> Result<T, ClickHouseError> {
        let started = Instant::now();
        let waited = unless_silent(statement, patience, &self.away, || self.ping()).await;
        let took = started.elapsed();
        let url = || self.url.clone();
        let answer = match waited {
            Ok(answer) => answer,
            Err(GivenUp::Late) => {
                patience.given_up();
                return Err(ClickHouseError::Silent { url: url(), waited: took });
            }
            Err(GivenUp::Returned) => return Err(ClickHouseError::Returned { url: url(), waited: took }),
        };
        self.away.store(answer.as_ref().is_err_and(ClickHouseError::is_unreachable), Ordering::Relaxed);
        if answer.is_ok() {
            patience.answered(took);
        }
        answer
    }

    /// Whether the server answers. A proxy's report that the server is away does not count.
    async fn ping(&self) -> bool {
        let Ok(request) = Request::get(format!("{}/ping", self.url)).body(Full::default()) else { return false };
        self.pings.request(request).await.is_ok_and(|response| !response.status().is_server_error())
    }
}

/// Why a statement was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GivenUp {
    /// Timeout.
    Late,
    /// The server was away meanwhile.
    Returned,
}

/// The output of `statement`, unless it times out or the server was away and is back.
async fn unless_silent<T, Ping: Future<Output = bool>>(
    statement: impl Future<Output = T>,
    patience: &Patience,
    away: &AtomicBool,
    ping: impl Fn() -> Ping,
) -> Result<T, GivenUp> {
    let silence = async {
        let mut silent_since = Instant::now();
        let mut next = silent_since;
        if !away.load(Ordering::Relaxed) {
            next += PING_EVERY;
        }
        let mut missed = false;
        loop {
            tokio::time::sleep_until(next).await;
            next += PING_EVERY;
            if tokio::time::timeout_at(next, ping()).await == Ok(true) {
                away.store(false, Ordering::Relaxed);
                if missed {
                    return GivenUp::Returned;
                }
                if patience.endless {
                    silent_since = Instant::now();
                }
            } else {
                away.store(true, Ordering::Relaxed);
                missed = true;
            }
            if silent_since.elapsed() >= patience.silence() {
                return GivenUp::Late;
            }
        }
    };
    tokio::select! {
        biased;
        output = statement => Ok(output),
        given_up = silence => Err(given_up),
    }
}

#[cfg(test)]
#[path = "liveness_tests.rs"]
mod tests;
