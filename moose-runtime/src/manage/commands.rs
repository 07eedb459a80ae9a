//! `POST /dead-letters` and `/readers`: how the commands of these names reach a running instance, whose log is locked.
//!
//! Payloads are somebody's data and a drop can't be undone, so these paths answer only callers on the same machine, and
//! accept only JSON, with a host that is an IP address or `localhost`: a web page in a local browser can send neither.
//! What a proxy forwards comes from the same machine too, as far as can be seen, so requests with forwarding headers
//! are refused.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, StatusCode, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};

use crate::stream::BoxFuture;

/// The path of the command `dead-letters`.
pub const DEAD_LETTERS_PATH: &str = "/dead-letters";

/// The path of the command `readers`.
pub const READERS_PATH: &str = "/readers";

/// Headers that proxies add, by name and by prefix.
const PASSED_ON: [&str; 6] = ["forwarded", "via", "true-client-ip", "x-client-ip", "x-cluster-client-ip", "x-real-ip"];
const PASSED_ON_PREFIXES: [&str; 4] = ["cf-connecting-", "x-envoy-", "x-forwarded-", "x-original-"];

/// Answers the request of a command; the error is a text for the caller.
pub type AnswerCommand = Arc<dyn Fn(Value) -> BoxFuture<'static, Result<Value, String>> + Send + Sync>;

/// The route of a command, to be merged with those of the management port.
pub fn command(path: &'static str, answer: AnswerCommand) -> Router {
    let route = post(ask).fallback(wrong_method).layer(middleware::from_fn(only_from_here));
    Router::new().route(path, route).with_state(answer)
}

/// Refuses requests that do not come from a program on this machine.
async fn only_from_here(ConnectInfo(caller): ConnectInfo<SocketAddr>, request: Request, next: Next) -> Response {
    let refused = |error: String| (StatusCode::FORBIDDEN, Json(json!({ "error": error }))).into_response();
    if let Some(header) = passed_on_by(request.headers()) {
        let reason = "only callers on the same machine are answered here, and this request was passed on by a proxy";
        return refused(format!("{reason} (header `{header}`): run the command where the process runs"));
    }
    if !caller.ip().to_canonical().is_loopback() || !is_local_name(request.headers()) {
        return refused("only callers on the same machine are answered here".to_owned());
    }
    next.run(request).await
}

/// The header by which a proxy marks a forwarded request.
fn passed_on_by(headers: &HeaderMap) -> Option<&HeaderName> {
    headers.keys().find(|name| {
        let name = name.as_str();
        PASSED_ON.contains(&name) || PASSED_ON_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    })
}

async fn wrong_method() -> (StatusCode, Json<Value>) {
    (StatusCode::METHOD_NOT_ALLOWED, Json(json!({ "error": "a command is asked for with POST" })))
}

async fn ask(State(answer): State<AnswerCommand>, Json(question): Json<Value>) -> Response {
    match answer(question).await {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response(),
    }
}

/// Whether the request's host is an IP address or `localhost`: any other name may have been pointed here (DNS
/// rebinding).
fn is_local_name(headers: &HeaderMap) -> bool {
    let name = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Uri>().ok());
    name.is_some_and(|uri| {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok()
    })
}
