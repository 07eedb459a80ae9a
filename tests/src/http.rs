//! A small HTTP client for tests: one connection for each request, bytes in, bytes out, no retry, no hidden header.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Method, Request, StatusCode, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status of the answer.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, complete.
    pub body: Bytes,
}

impl Answer {
    /// The body as text; what is not UTF-8 is shown as �.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON; the message shows the whole answer.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("the answer is not JSON ({error}): {} {}", self.status, self.text()),
        }
    }

    /// A header as text, empty where it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Why there is no answer.
pub type NoAnswer = Box<dyn std::error::Error + Send + Sync>;

/// Longest time that a request may take: far above what a test expects, so that a hang becomes a failure with a place.
const PATIENCE: Duration = Duration::from_mins(1);

/// Sends one request to `url` (`http://address:port/path?query`) and reads the whole answer.
pub async fn send(
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Result<Answer, NoAnswer> {
    let (authority, path) = split(url)?;
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, authority);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body.into()))?;
    let exchange = async {
        let stream = TcpStream::connect(resolve(authority).await?).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let answer = sender.send_request(request).await?;
        let (parts, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        connection.abort();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    };
    match tokio::time::timeout(PATIENCE, exchange).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer from {url} within {PATIENCE:?}").into()),
    }
}

/// `POST` of `body` as `content_type`.
///
/// # Panics
/// When there is no answer.
pub async fn post(url: &str, content_type: &str, body: impl Into<Bytes>) -> Answer {
    match send(Method::POST, url, &[("content-type", content_type)], body).await {
        Ok(answer) => answer,
        Err(error) => panic!("POST {url} was not answered: {error}"),
    }
}

/// `POST` of a JSON text.
///
/// # Panics
/// When there is no answer.
pub async fn post_json(url: &str, body: impl Into<Bytes>) -> Answer {
    post(url, "application/json", body).await
}

/// `GET` of a URL.
///
/// # Panics
/// When there is no answer.
pub async fn get(url: &str) -> Answer {
    match send(Method::GET, url, &[], Bytes::new()).await {
        Ok(answer) => answer,
        Err(error) => panic!("GET {url} was not answered: {error}"),
    }
}

/// Sends a statement to a ClickHouse and answers whatever comes, errors included.
///
/// # Panics
/// When there is no answer at all.
pub async fn try_sql(clickhouse: &str, statement: &str) -> Answer {
    let url = if clickhouse.contains('?') { clickhouse.to_owned() } else { format!("{clickhouse}/") };
    match send(Method::POST, &url, &[], statement.to_owned()).await {
        Ok(answer) => answer,
        Err(error) => panic!("`{statement}` was not answered by {url}: {error}"),
    }
}

/// Runs a statement on a ClickHouse and answers its output without the last line break.
///
/// # Panics
/// When ClickHouse doesn't answer 200; the message is ClickHouse's.
pub async fn sql(clickhouse: &str, statement: &str) -> String {
    let answer = try_sql(clickhouse, statement).await;
    assert_eq!(answer.status, StatusCode::OK, "`{statement}`: {}", answer.text());
    let mut text = answer.text();
    if text.ends_with('\n') {
        text.pop();
    }
    text
}

/// `text` as it stands in a query string.
pub fn percent_encoded(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// The text that a query string stands for; `+` is a space, as in forms.
pub fn percent_decoded(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => decoded.push(b' '),
            b'%' => {
                let digits = [bytes.next().unwrap_or_default(), bytes.next().unwrap_or_default()];
                let byte = std::str::from_utf8(&digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok());
                decoded.push(byte.unwrap_or(b'?'));
            }
            other => decoded.push(other),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn split(url: &str) -> Result<(&str, &str), NoAnswer> {
    let rest = url.strip_prefix("http://").ok_or_else(|| format!("`{url}` doesn't start with http://"))?;
    let path = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(path);
    Ok((authority, if path.is_empty() { "/" } else { path }))
}

async fn resolve(authority: &str) -> Result<SocketAddr, NoAnswer> {
    let mut addresses = tokio::net::lookup_host(authority).await?;
    addresses.next().ok_or_else(|| format!("`{authority}` has no address").into())
}
