//! The responses: status and body of each. All of it is part of the HTTP contract.

use std::time::Duration;

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::record::FieldError;

/// What became of the records of a request.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Outcome {
    /// Durable.
    pub(super) accepted: usize,
    /// Not valid, not stored.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) rejected: usize,
    /// The errors of those, up to the limit of the list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) errors: Vec<RecordError>,
    /// Number of errors that are not listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) more: usize,
}

/// One error in one record.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct RecordError {
    /// Which record of the request, from 0.
    pub(super) index: usize,
    #[serde(flatten)]
    pub(super) error: FieldError,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(value: &usize) -> bool {
    *value == 0
}

/// Why a request was rejected.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// The path is not an API's.
    #[error("there is no {path}; the ingest APIs are {}", list(.known))]
    NotFound { path: String, known: Vec<String> },
    /// The path is an API's, but the method is not POST.
    #[error("an ingest API takes POST, not {method}")]
    MethodNotAllowed { method: String },
    /// The body came too slowly.
    #[error(
        "the body came too slowly: without a pause of {} s, and after these at {} KiB a second or more, is what is waited for",
        .pause.as_secs(),
        .rate >> 10
    )]
    Timeout { pause: Duration, rate: u64 },
    /// The connection broke during the body.
    #[error("the body could not be read to its end")]
    Unreadable,
    /// The body is too large.
    #[error("the body has more than {limit} bytes{state}: send the records in several requests")]
    TooLarge { limit: u64, state: &'static str },
    /// The content type is not JSON.
    #[error(
        "content type {found} is not taken: `application/json` is one object or an array, `application/x-ndjson` is one \
         object a line"
    )]
    ContentType { found: String },
    /// The content encoding is not known.
    #[error("content encoding {found} is not taken: gzip, zstd or none are")]
    ContentEncoding { found: String },
    /// The body can't be decompressed.
    #[error("the body is not whole {encoding}")]
    Compression { encoding: &'static str },
    /// The memory budget of requests is used up.
    #[error(
        "the requests that are being worked on take all the memory that they may, half of `memory.budget`: nothing of this \
         one was stored, send it again later"
    )]
    Memory,
    /// A fault that is not the client's.
    #[error("the request could not be worked on")]
    Internal,
}

fn list(known: &[String]) -> String {
    if known.is_empty() {
        return "none".to_owned();
    }
    known.iter().map(|name| format!("/ingest/{name}")).collect::<Vec<_>>().join(", ")
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Timeout { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::Unreadable | Self::Compression { .. } => StatusCode::BAD_REQUEST,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::ContentType { .. } | Self::ContentEncoding { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Memory => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

#[derive(Serialize)]
struct RefusalBody {
    error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<Vec<String>>,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, error) = (self.status(), self.to_string());
        let close = matches!(self, Self::Timeout { .. } | Self::TooLarge { .. } | Self::Memory);
        let allow = matches!(self, Self::MethodNotAllowed { .. });
        let mut response = match self {
            Self::Memory => Unavailable { error, ..Unavailable::default() }.into_response(),
            Self::NotFound { known, .. } => json(status, &RefusalBody { error, known: Some(known) }),
            _ => json(status, &RefusalBody { error, known: None }),
        };
        if close {
            // The rest of the body is not read.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if allow {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        response
    }
}

impl IntoResponse for Outcome {
    fn into_response(self) -> Response {
        let status = match (self.accepted, self.rejected) {
            (_, 0) => StatusCode::OK,
            (0, _) => StatusCode::BAD_REQUEST,
            _ => StatusCode::MULTI_STATUS,
        };
        json(status, &self)
    }
}

/// The stream did not accept all valid records.
#[derive(Debug, Default, Serialize)]
pub(super) struct Unavailable {
    /// Durable.
    pub(super) accepted: usize,
    /// Certainly not stored, including the invalid ones.
    pub(super) rejected: usize,
    /// May be stored, now or later.
    pub(super) unknown: usize,
    /// The errors of the invalid ones, up to the limit of the list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) errors: Vec<RecordError>,
    /// Number of errors that are not listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) more: usize,
    /// Why.
    pub(super) error: String,
    #[serde(skip)]
    pub(super) retry_after: Duration,
}

impl IntoResponse for Unavailable {
    fn into_response(self) -> Response {
        let mut response = json(StatusCode::SERVICE_UNAVAILABLE, &self);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(self.retry_after.as_secs().max(1)));
        response
    }
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    const JSON: (HeaderName, HeaderValue) = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // Serialising strings and numbers can't fail.
    let body = serde_json::to_vec(body).unwrap_or_else(|_| b"{\"error\":\"the answer could not be written\"}".to_vec());
    (status, [JSON], body).into_response()
}
