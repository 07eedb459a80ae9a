//! Asking the management port of a running instance.

use std::net::SocketAddr;

use http_body_util::{BodyExt as _, Full};
use hyper::{Request, StatusCode, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::error::CliError;
use crate::manage::DEAD_LETTERS_PATH;

/// One question, one answer, however long that takes.
pub(super) async fn ask(address: SocketAddr, question: &Value) -> Result<Value, CliError> {
    let (status, body) = exchange(address, question.to_string()).await.map_err(|source| CliError::System {
        action: "ask the running instance",
        source: std::io::Error::other(source),
    })?;
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    if status == StatusCode::OK {
        return Ok(answer);
    }
    let reason = answer.get("error").and_then(Value::as_str);
    Err(CliError::DeadLetters { reason: reason.map_or_else(|| format!("it answered HTTP {status}"), str::to_owned) })
}

async fn exchange(
    address: SocketAddr,
    question: String,
) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let request = Request::post(DEAD_LETTERS_PATH)
        .header(header::HOST, address.to_string())
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(question)))?;
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    connection.abort();
    Ok((status, body))
}
