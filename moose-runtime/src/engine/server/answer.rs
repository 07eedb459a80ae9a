//! Responses: ClickHouse's headers, its errors, and results that begin before the statement has ended.
//!
//! Up to [`BUFFER`] bytes of a result are held back, so that an error until then is a clean error with its status.
//! After that the status is sent; an error then comes inside the body, in the block that ClickHouse's clients know
//! (`X-ClickHouse-Exception-Tag`), and the body is broken off, so that no client takes it for whole.

use std::{io, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header},
};
use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use tokio::{io::AsyncReadExt as _, net::unix::pipe};

use super::{Running, coding::Encoder, request::Request};
use crate::engine::{
    exception::Exception,
    ffi::{Answer, Counts},
};

/// How much of a result is held back at most; ClickHouse's own bound.
const BUFFER: usize = 1 << 20;

/// Read from the pipe at a time.
const PIECE: usize = 1 << 16;

/// How long a client gets to take an error that comes after its result has begun, before the body is broken off.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// What every answer says of the server.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    /// The host.
    pub(super) name: String,
    /// Where its clocks are.
    pub(super) timezone: String,
}

/// Headers of an answer, whatever it is.
pub(super) fn headers(identity: &Identity, query_id: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("x-clickhouse-server-display-name", &identity.name);
    set("x-clickhouse-timezone", &identity.timezone);
    set("x-clickhouse-query-id", query_id);
    headers
}

/// An error before anything of a result was sent.
pub(super) fn exception(mut headers: HeaderMap, exception: &Exception) -> Response<Body> {
    headers.insert("x-clickhouse-exception-code", HeaderValue::from(exception.code));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
    if exception.status() == 401 {
        let challenge = HeaderValue::from_static("Basic realm=\"ClickHouse server HTTP API\"");
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    let status = StatusCode::from_u16(exception.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response(status, headers, Body::from(format!("{exception}\n")))
}

/// A response of these parts.
pub(super) fn response(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// `X-ClickHouse-Summary`
pub(super) fn summary(counts: &Counts, elapsed: Duration) -> HeaderValue {
    let text = format!(
        "{{\"read_rows\":\"{}\",\"read_bytes\":\"{}\",\"written_rows\":\"{}\",\"written_bytes\":\"{}\",\
         \"total_rows_to_read\":\"0\",\"result_rows\":\"{}\",\"result_bytes\":\"{}\",\"elapsed_ns\":\"{}\"}}",
        counts.read_rows,
        counts.read_bytes,
        counts.written_rows,
        counts.written_bytes,
        counts.result_rows,
        counts.result_bytes,
        elapsed.as_nanos()
    );
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("{}"))
}

/// The headers that describe a result in `format`.
pub(super) fn describe_result(headers: &mut HeaderMap, request: &Request, format: &str) {
    if let Ok(value) = HeaderValue::from_str(format) {
        headers.insert("x-clickhouse-format", value);
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(format)));
    if let Some(coding) = request.accepted.filter(|_| !request.compress) {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    }
}

fn content_type(format: &str) -> &'static str {
    match format {
        _ if format.starts_with("JSON") && format.contains("EachRow") => "application/x-ndjson; charset=UTF-8",
        _ if format.starts_with("JSON") => "application/json; charset=UTF-8",
        _ if format.starts_with("TabSeparated") || format.starts_with("TSV") => {
            "text/tab-separated-values; charset=UTF-8"
        }
        _ if format.starts_with("CSV") => "text/csv; charset=UTF-8; header=absent",
        "RowBinary"
        | "RowBinaryWithNames"
        | "RowBinaryWithNamesAndTypes"
        | "Native"
        | "Parquet"
        | "Arrow"
        | "ORC"
        | "ArrowStream"
        | "Avro" => "application/octet-stream",
        _ => "text/plain; charset=UTF-8",
    }
}

/// Answers with the result that comes out of `pipe`, and then what `running` ends with.
pub(super) async fn stream(
    mut headers: HeaderMap,
    request: &Request,
    mut pipe: pipe::Receiver,
    mut running: Running,
) -> Result<Response<Body>, Exception> {
    let limit = if request.wait_for_end { usize::MAX } else { BUFFER };
    let failed = |error: io::Error| Exception::new(75, "CANNOT_WRITE_TO_FILE_DESCRIPTOR", &error.to_string());
    let mut encoder = Encoder::new(request.accepted, request.compress).map_err(failed)?;
    let mut held = Vec::with_capacity(PIECE);
    while held.len() < limit {
        held.reserve(PIECE);
        if pipe.read_buf(&mut held).await.map_err(failed)? == 0 {
            let answer = running.outcome().await?;
            held.extend_from_slice(&answer.data);
            headers.insert("x-clickhouse-summary", summary(&answer.counts, running.elapsed()));
            let mut body = encoder.push(&held).map_err(failed)?;
            // Not even the frame of an empty result where there is none, as after DDL.
            if !held.is_empty() || !body.is_empty() {
                body.extend(encoder.finish().map_err(failed)?);
            } else {
                headers.remove(header::CONTENT_ENCODING);
            }
            return Ok(response(StatusCode::OK, headers, Body::from(body)));
        }
    }
    let tag = exception_tag();
    if let Ok(value) = HeaderValue::from_str(&tag) {
        headers.insert("x-clickhouse-exception-tag", value);
    }
    headers.insert("x-clickhouse-summary", summary(&Counts::default(), running.elapsed()));
    let (sender, body) = Channel::<Bytes, io::Error>::new(2);
    tokio::spawn(async move {
        let mut rest = Rest { sender, encoder, tag };
        match rest.pump(&held, &mut pipe, &mut running).await {
            Ok(()) => rest.sender_end().await,
            // The client is gone; dropping `running` cancels the statement.
            Err(Stop::ClientGone) => {}
            Err(Stop::Failed(exception)) => rest.break_off(&exception).await,
        }
    });
    Ok(response(StatusCode::OK, headers, Body::new(body)))
}

/// Why a result that had begun did not come to its end.
enum Stop {
    ClientGone,
    Failed(Exception),
}

/// The part of a result that follows after its status was sent.
struct Rest {
    sender: Sender<Bytes, io::Error>,
    encoder: Encoder,
    tag: String,
}

impl Rest {
    async fn pump(&mut self, held: &[u8], pipe: &mut pipe::Receiver, running: &mut Running) -> Result<(), Stop> {
        let failed =
            |error: io::Error| Stop::Failed(Exception::new(75, "CANNOT_WRITE_TO_FILE_DESCRIPTOR", &error.to_string()));
        self.send(held).await?;
        let mut piece = Vec::with_capacity(PIECE);
        while pipe.read_buf(&mut piece).await.map_err(failed)? > 0 {
            self.send(&piece).await?;
            piece.clear();
        }
        let Answer { data, .. } = running.outcome().await.map_err(Stop::Failed)?;
        self.send(&data).await
    }

    async fn send(&mut self, data: &[u8]) -> Result<(), Stop> {
        let encoded = self
            .encoder
            .push(data)
            .map_err(|error| Stop::Failed(Exception::new(270, "CANNOT_COMPRESS", &error.to_string())))?;
        if encoded.is_empty() {
            return Ok(());
        }
        self.sender.send_data(Bytes::from(encoded)).await.map_err(|_gone| Stop::ClientGone)
    }

    /// Ends the body as whole.
    async fn sender_end(mut self) {
        if let Ok(end) = self.encoder.finish()
            && !end.is_empty()
        {
            let _ = self.sender.send_data(Bytes::from(end)).await;
        }
    }

    /// Ends the body with an error, visibly not whole.
    async fn break_off(mut self, exception: &Exception) {
        let tag = &self.tag;
        let message = format!("{exception}\n");
        let block = format!("\r\n__exception__\r\n{tag}\r\n{message}{} {tag}\r\n__exception__\r\n", message.len());
        let mut bytes = self.encoder.push(block.as_bytes()).unwrap_or_default();
        bytes.extend(self.encoder.finish().unwrap_or_default());
        if self.sender.send_data(Bytes::from(bytes)).await.is_ok() {
            // Breaking off throws away what the connection has not yet sent.
            tokio::time::sleep(LAST_WORDS).await;
            self.sender.abort(io::Error::other("the statement failed"));
        }
    }
}

/// Sixteen random lower-case letters.
fn exception_tag() -> String {
    (0..16).map(|_| char::from(b'a' + rand::random::<u8>() % 26)).collect()
}
