//! The management port: `/metrics` (OpenMetrics), `/health` (the process is alive), `/ready` (nothing is stuck) and
//! `/accounting` (what became of the records, by the stream's counters).
//!
//! `/dead-letters` and `/readers` are for the commands of those names on the same machine.
//!
//! `/ready` is about what is stuck, not about a backlog that is being worked off. All other responses are JSON.

mod commands;
mod ready;
mod state;

use std::time::Duration;

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;
use tokio::net::TcpListener;

pub use commands::{AnswerCommand, DEAD_LETTERS_PATH, READERS_PATH, command};
pub use state::{FAILURE_GRACE, ManageState};

use crate::{
    port::{self, Limits},
    shutdown::Shutdown,
    stream::accounting::Undeclared,
};

/// The existing paths.
const PATHS: [&str; 6] = ["/metrics", "/health", "/ready", ACCOUNTING_PATH, DEAD_LETTERS_PATH, READERS_PATH];

/// The path of the stream's side of the accounting.
pub const ACCOUNTING_PATH: &str = "/accounting";

/// The content type of OpenMetrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How long requests under way may take once the port is asked to close. Scrapes take milliseconds; a client that holds
/// its connection must not delay the stop.
const CLOSE_GRACE: Duration = Duration::from_secs(2);

/// Timeout for the head of a request and for an idle connection: less than the interval of scrapes, so that clients
/// that only hold connections don't take them from those that monitor the process.
const HEAD: Duration = Duration::from_secs(10);

/// Write timeout of a response.
const ANSWER: Duration = Duration::from_secs(30);

/// The routes of the management port.
pub fn router(state: ManageState) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route(ACCOUNTING_PATH, get(accounting))
        .method_not_allowed_fallback(wrong_method)
        .fallback(unknown_path)
        .with_state(state)
}

/// Serves requests until shutdown, and then those under way; with a maximum number of connections.
pub async fn serve(listener: TcpListener, router: Router, connections: usize, stop: Shutdown) {
    let limits = Limits { name: "the management port", connections, head: HEAD, answer: ANSWER, closing: CLOSE_GRACE };
    port::serve(listener, router, limits, stop.wait()).await;
}

async fn metrics(State(state): State<ManageState>) -> Response {
    state.measure().await;
    match state.metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => {
            let body = json!({ "error": format!("failed to write the metrics: {error}") });
            (StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response()
        }
    }
}

async fn health() -> Json<serde_json::Value> {
    Json(json!({ "alive": true }))
}

/// The response of `/ready`.
#[derive(serde::Serialize)]
struct Ready {
    ready: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<ready::Reason>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    undeclared_readers: Vec<Undeclared>,
}

async fn ready(State(state): State<ManageState>) -> Response {
    let reasons = ready::reasons(&state);
    let is_ready = reasons.is_empty();
    // Undeclared readers block nothing yet: they keep records until the stream is full.
    let answer = Ready { ready: is_ready, reasons, undeclared_readers: state.undeclared().await };
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(answer)).into_response()
}

async fn accounting(State(state): State<ManageState>) -> Response {
    match state.accounting.accounts().await {
        Ok(accounts) => Json(json!({ "accounts": accounts })).into_response(),
        Err(error) => {
            let body = json!({ "error": format!("failed to read the accounts: {error}") });
            (StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response()
        }
    }
}

async fn unknown_path() -> (StatusCode, Json<serde_json::Value>) {
    (StatusCode::NOT_FOUND, Json(json!({ "error": "there is nothing at this path", "paths": PATHS })))
}

async fn wrong_method() -> (StatusCode, Json<serde_json::Value>) {
    (StatusCode::METHOD_NOT_ALLOWED, Json(json!({ "error": "only GET and HEAD are answered here", "paths": PATHS })))
}

#[cfg(test)]
mod tests;
