//! An HTTP client for the management port of a running instance.

use std::net::SocketAddr;

use http_body_util::{BodyExt as _, Full};
use hyper::{Request, StatusCode, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpStream;

use super::error::CliError;
use crate::{manage::ACCOUNTING_PATH, stream::accounting::Account};

/// Sends one request and waits for the response, without a timeout.
pub(super) async fn ask(address: SocketAddr, path: &str, question: &Value) -> Result<Value, CliError> {
    let question = Request::post(path)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(question.to_string())));
    let (status, body) = exchange(address, question).await?;
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    if status == StatusCode::OK {
        return Ok(answer);
    }
    let reason = answer.get("error").and_then(Value::as_str);
    Err(CliError::Desk { reason: reason.map_or_else(|| format!("it answered HTTP {status}"), str::to_owned) })
}

/// The stream's side of the accounting, as reported by the instance.
pub(super) async fn accounts(address: SocketAddr) -> Result<Vec<Account>, CliError> {
    #[derive(Deserialize)]
    struct Answer {
        accounts: Vec<Account>,
    }
    let (status, body) = exchange(address, Request::get(ACCOUNTING_PATH).body(Full::default())).await?;
    match serde_json::from_slice(&body) {
        Ok(Answer { accounts }) if status == StatusCode::OK => Ok(accounts),
        _ => Err(failed(format!("http://{address}{ACCOUNTING_PATH} answered HTTP {status}"))),
    }
}

async fn exchange(
    address: SocketAddr,
    request: Result<Request<Full<Bytes>>, hyper::http::Error>,
) -> Result<(StatusCode, Bytes), CliError> {
    let mut request = request.map_err(failed)?;
    if let Ok(host) = address.to_string().parse() {
        request.headers_mut().insert(header::HOST, host);
    }
    let stream = TcpStream::connect(address).await.map_err(failed)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(failed)?;
    let status = answer.status();
    let body = answer.into_body().collect().await.map_err(failed)?.to_bytes();
    connection.abort();
    Ok((status, body))
}

fn failed(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> CliError {
    CliError::System { action: "ask the running instance", source: std::io::Error::other(cause) }
}
