//! Handles one ingest request: read, decode, append, respond.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::State as Shared,
    http::{HeaderMap, Method, Uri},
    response::{IntoResponse, Response},
};
use bytes::Bytes;

use super::{
    answer::{Outcome, Refusal, Unavailable},
    body::{self, Encoding, Format, Room},
    records::{self, Decoded},
    state::{Api, State},
};
use crate::{inlet::Appended, memory::BESIDE_A_BODY, stream::StreamError, telemetry::Reason};

/// Bodies above this are decoded off the async threads: about 100 µs of work.
const INLINE_BYTES: usize = 64 << 10;

/// Handles `POST /ingest/<name>`.
pub(super) async fn ingest(Shared(state): Shared<Arc<State>>, uri: Uri, headers: HeaderMap, body: Body) -> Response {
    let Some(api) = api_at(&state, &uri) else { return unknown(&state, &uri).into_response() };
    // Held until the response is built.
    let mut room = Room::new(&state.memory);
    match decoded(&state, api, &headers, body, &mut room).await {
        Ok(decoded) => store(&state, api, decoded).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// Any other method on an API's path.
pub(super) async fn method_not_allowed(Shared(state): Shared<Arc<State>>, method: Method, uri: Uri) -> Response {
    if api_at(&state, &uri).is_some() {
        Refusal::MethodNotAllowed { method: method.to_string() }.into_response()
    } else {
        unknown(&state, &uri).into_response()
    }
}

/// Any other path.
pub(super) async fn not_found(Shared(state): Shared<Arc<State>>, uri: Uri) -> Response {
    unknown(&state, &uri).into_response()
}

/// The API at a path. Names of APIs need no percent-encoding, so none is decoded.
fn api_at<'a>(state: &'a State, uri: &Uri) -> Option<&'a Arc<Api>> {
    state.apis.get(uri.path().strip_prefix("/ingest/")?)
}

fn unknown(state: &State, uri: &Uri) -> Refusal {
    let path = uri.path().chars().take(200).collect();
    Refusal::NotFound { path, known: state.apis.keys().cloned().collect() }
}

/// The request's records, decoded.
async fn decoded(
    state: &State,
    api: &Arc<Api>,
    headers: &HeaderMap,
    body: Body,
    room: &mut Room,
) -> Result<Decoded, Refusal> {
    let format = body::format(headers)?;
    let encoding = body::encoding(headers)?;
    let body = body::read(headers, body, state.http.max_body.as_u64(), state.body_pause, room).await?;
    let limit = state.http.max_decompressed.as_u64();
    if encoding == Encoding::Plain && body.len() <= INLINE_BYTES {
        return work(api, format, encoding, body, limit, room);
    }
    let api = Arc::clone(api);
    let mut held = room.take_over();
    let done = tokio::task::spawn_blocking(move || {
        let decoded = work(&api, format, encoding, body, limit, &mut held);
        (decoded, held)
    });
    let (decoded, held) = done.await.map_err(|error| {
        tracing::error!(%error, "decoding a request");
        Refusal::Internal
    })?;
    *room = held;
    decoded
}

fn work(
    api: &Api,
    format: Format,
    encoding: Encoding,
    body: Bytes,
    limit: u64,
    room: &mut Room,
) -> Result<Decoded, Refusal> {
    let body = body::decompress(body, encoding, limit, room)?;
    room.take(body.len() as u64 * BESIDE_A_BODY)?;
    Ok(records::decode(&api.inlet, format, &body))
}

/// Appends the valid records and responds once they are durable.
async fn store(state: &State, api: &Api, decoded: Decoded) -> Response {
    let Decoded { valid, rejected: invalid, errors, more } = decoded;
    let appended = api.inlet.append(valid).await;
    let Appended { accepted, rejected, unknown, failure } = appended;
    api.count(accepted, &invalid);
    let rejected = rejected + invalid.values().sum::<usize>();
    show(state, api, failure.as_ref());
    match failure {
        None => Outcome { accepted, rejected, errors, more }.into_response(),
        Some(error) => {
            if let Some(unsaid) = state.seldom.ask(&api.name, &error) {
                tracing::warn!(api = api.name, %error, unsaid, "records were not taken");
            }
            let (seconds, error) = match &error {
                // Space is freed by the next run of retention.
                StreamError::Full { .. } => (10, error.to_string()),
                // Reopening it is tried at least that often.
                StreamError::Paused { .. } => (5, error.to_string()),
                // May be over at any moment. Its message may contain addresses of machines, which clients must not see.
                _ => (1, "the stream is not available".to_owned()),
            };
            let retry_after = Duration::from_secs(seconds);
            Unavailable { accepted, rejected, unknown, errors, more, error, retry_after }.into_response()
        }
    }
}

/// Reports a stream that can't be written to health: nothing can be accepted, whatever the state of the tables. A full
/// stream is left out: it accepts records again once there is space, and nobody would send any to a process that is not
/// ready. So is a storage that recovers by itself: it reports its own failure, as long as that lasts.
fn show(state: &State, api: &Api, failure: Option<&StreamError>) {
    match failure {
        None => drop(state.health.recovered(&api.stream)),
        Some(error @ StreamError::Storage { .. }) => {
            state.health.failed(&api.stream, Reason::Stream, error.to_string());
        }
        Some(_) => {}
    }
}
