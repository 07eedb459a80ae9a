//! `POST /dead-letters`: the way of the command `dead-letters` into a running instance, whose log nobody else can open.
//!
//! Payloads are somebody's data and a drop is for good, so this path answers only callers on the same machine, and only
//! JSON under an address or `localhost`: a web page that is open in a browser here can send neither.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    extract::{ConnectInfo, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};

use crate::stream::BoxFuture;

/// The path.
pub const DEAD_LETTERS_PATH: &str = "/dead-letters";

/// The path of the command `readers`, under the same rules.
pub const READERS_PATH: &str = "/readers";

/// Answers a question about dead letters or readers; the error is a text for whoever asked.
pub type AnswerLetters = Arc<dyn Fn(Value) -> BoxFuture<'static, Result<Value, String>> + Send + Sync>;

/// The route, to be merged with those of the management port.
pub fn dead_letters(answer: AnswerLetters) -> Router {
    Router::new().route(DEAD_LETTERS_PATH, post(ask)).with_state(answer)
}

/// The route of the command `readers`.
pub fn readers(answer: AnswerLetters) -> Router {
    Router::new().route(READERS_PATH, post(ask)).with_state(answer)
}

async fn ask(
    State(answer): State<AnswerLetters>,
    ConnectInfo(caller): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Json(question): Json<Value>,
) -> Response {
    if !caller.ip().to_canonical().is_loopback() || !is_local_name(&headers) {
        let body = json!({ "error": "only callers on the same machine are answered here" });
        return (StatusCode::FORBIDDEN, Json(body)).into_response();
    }
    match answer(question).await {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response(),
    }
}

/// Whether the caller calls this server by an address: a foreign name may have been pointed here.
fn is_local_name(headers: &HeaderMap) -> bool {
    let name = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Uri>().ok());
    name.is_some_and(|uri| {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok()
    })
}
