//! The HTTP client for INSERTs: sends one body with its length, and returns everything that the response says.
//!
//! An INSERT counts as done only with HTTP 200, one of ClickHouse's own headers, none that reports an exception, and an
//! empty body: ClickHouse can respond with 200 and then write an exception into the body, and any proxy can respond
//! with 200 without having asked ClickHouse. Everything else is an error, and after an error it is unknown whether the
//! rows are stored: the delivery protocol settles that.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::{HeaderMap, Request, StatusCode, Uri, header};
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::sync::Semaphore;

use super::{
    ClickHouseError, Patience,
    body::InsertBody,
    error::{beginning, chain, code_in},
    liveness::Watch,
};
use crate::{config::ClickHouseConfig, schema::quote_identifier};

/// A server that accepts no connection for this long is not reachable. The system resends the first packet after a
/// second, so one may be lost; and a host that dropped packets is noticed within this time, or at the next try, when it
/// comes back.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1500);
/// ClickHouse closes idle connections after three seconds by default; we close ours before.
const IDLE_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum bytes read of a response: exceptions with stack traces are far shorter.
const MAX_ANSWER: usize = 1 << 20;

/// Maximum number of INSERTs of a process that wait for their turn: each uses one of the statements that the server
/// runs at once, and where many partitions are being synced, the server is busy without them.
const MOST_AHEAD: usize = 4;

/// Prefix of the headers of which every response of ClickHouse has one.
const OWN_HEADERS: &str = "x-clickhouse-";
/// The header that reports an exception.
const EXCEPTION_CODE: &str = "x-clickhouse-exception-code";

/// One INSERT: table, settings, token, and the encoded rows.
#[derive(Clone, Debug)]
pub struct Insert<'a> {
    /// Name of the table in the client's database.
    pub table: &'a str,
    /// Names of the columns, in the order of the block.
    pub columns: &'a [String],
    /// Settings of this INSERT, as URL parameters.
    pub settings: &'a [(String, String)],
    /// `insert_deduplication_token`, if the server supports tokens.
    pub token: Option<&'a str>,
    /// Exactly one Native block.
    pub body: Bytes,
}

/// Sends INSERTs. Cheap to clone; connections are kept and shared.
#[derive(Clone)]
pub struct InsertClient {
    http: HttpClient<HttpConnector, InsertBody>,
    watch: Watch,
    /// Limits the INSERTs that wait for their turn.
    ahead: Arc<Semaphore>,
    url: String,
    database: String,
    user: String,
    password: String,
}

impl InsertClient {
    pub(super) fn new(url: &str, config: &ClickHouseConfig) -> Result<Self, ClickHouseError> {
        let address = |reason: String| ClickHouseError::Address { url: url.to_owned(), reason };
        let uri: Uri = url.parse().map_err(|error: hyper::http::uri::InvalidUri| address(error.to_string()))?;
        if uri.scheme_str() != Some("http") {
            return Err(address("only http:// is supported at present".to_owned()));
        }
        if uri.host().is_none() {
            return Err(address("it names no host".to_owned()));
        }
        for (what, text) in [("clickhouse.user", &config.user), ("clickhouse.password", &config.password)] {
            if header::HeaderValue::from_str(text).is_err() {
                return Err(address(format!("{what} holds characters that an HTTP header can't carry")));
            }
        }
        Ok(Self {
            http: http_client(),
            watch: Watch::new(http_client(), url),
            ahead: Arc::new(Semaphore::new(MOST_AHEAD)),
            url: url.to_owned(),
            database: config.database.clone(),
            user: config.user.clone(),
            password: config.password.clone(),
        })
    }

    /// Sends one INSERT and waits for the response, for as long as `patience` allows. `Ok` means that ClickHouse has
    /// confirmed it.
    pub async fn send(&self, insert: &Insert<'_>, patience: &Patience) -> Result<(), ClickHouseError> {
        let request = self.request(insert, InsertBody::whole(insert.body.clone()))?;
        self.watch.over(patience, self.exchange(request)).await
    }

    /// The guard over all statements to this server.
    pub(super) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// The limit of INSERTs that wait for their turn.
    pub(super) fn ahead(&self) -> &Arc<Semaphore> {
        &self.ahead
    }

    pub(super) fn request(
        &self,
        insert: &Insert<'_>,
        body: InsertBody,
    ) -> Result<Request<InsertBody>, ClickHouseError> {
        Request::post(self.uri(insert))
            .header("X-ClickHouse-User", &self.user)
            .header("X-ClickHouse-Key", &self.password)
            .header(header::CONTENT_LENGTH, insert.body.len())
            .body(body)
            .map_err(|error| ClickHouseError::Address { url: self.url.clone(), reason: error.to_string() })
    }

    pub(super) async fn exchange(&self, request: Request<InsertBody>) -> Result<(), ClickHouseError> {
        let response = self.http.request(request).await.map_err(|error| self.unreachable(&chain(&error)))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = Limited::new(response.into_body(), MAX_ANSWER)
            .collect()
            .await
            .map_err(|error| self.unreachable(&chain(error.as_ref())))?
            .to_bytes();
        self.judge(status, &headers, &String::from_utf8_lossy(&body))
    }

    pub(super) fn unreachable(&self, reason: &str) -> ClickHouseError {
        ClickHouseError::Unreachable { url: self.url.clone(), reason: reason.to_owned() }
    }

    fn judge(&self, status: StatusCode, headers: &HeaderMap, body: &str) -> Result<(), ClickHouseError> {
        let header_code = headers.get(EXCEPTION_CODE).and_then(|code| code.to_str().ok()?.parse().ok());
        if let Some(code) = header_code.or_else(|| code_in(body)) {
            return Err(ClickHouseError::Exception { code, text: beginning(body) });
        }
        let from_clickhouse = headers.keys().any(|name| name.as_str().starts_with(OWN_HEADERS));
        if status == StatusCode::OK && body.is_empty() && from_clickhouse && !headers.contains_key(EXCEPTION_CODE) {
            return Ok(());
        }
        Err(ClickHouseError::NotClickHouse { url: self.url.clone(), status: status.as_u16(), text: beginning(body) })
    }

    fn uri(&self, insert: &Insert<'_>) -> String {
        let columns: Vec<String> = insert.columns.iter().map(|name| quote_identifier(name)).collect();
        let query = format!("INSERT INTO {} ({}) FORMAT Native", quote_identifier(insert.table), columns.join(", "));
        let mut parameters = form_urlencoded::Serializer::new(String::new());
        parameters.append_pair("query", &query).append_pair("database", &self.database);
        for (name, value) in insert.settings {
            parameters.append_pair(name, value);
        }
        if let Some(token) = insert.token {
            parameters.append_pair("insert_deduplication_token", token);
        }
        format!("{}/?{}", self.url, parameters.finish())
    }
}

/// Connections to a server, kept open while in use.
pub(super) fn http_client<B>() -> HttpClient<HttpConnector, B>
where
    B: hyper::body::Body + Send,
    B::Data: Send,
{
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector.set_nodelay(true);
    HttpClient::builder(TokioExecutor::new()).pool_idle_timeout(IDLE_TIMEOUT).build(connector)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(url: &str) -> Result<InsertClient, ClickHouseError> {
        InsertClient::new(url, &crate::config::Config::default().clickhouse)
    }

    #[test]
    fn only_an_empty_200_is_a_confirmation() {
        let client = client("http://localhost:1").unwrap();
        let with = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-clickhouse-query-id", header::HeaderValue::from_static("1"));
            headers.insert(name, header::HeaderValue::from_static(value));
            headers
        };
        let own = with("x-clickhouse-timezone", "UTC");
        assert!(client.judge(StatusCode::OK, &own, "").is_ok());
        let exception = client.judge(StatusCode::OK, &own, "Code: 241. DB::Exception: Memory limit").unwrap_err();
        assert_eq!(exception.code(), Some(241));
        assert_eq!(client.judge(StatusCode::OK, &with(EXCEPTION_CODE, "159"), "").unwrap_err().code(), Some(159));
        for (status, headers, body) in [
            (StatusCode::OK, own.clone(), "hello"),
            (StatusCode::OK, HeaderMap::new(), ""),
            (StatusCode::OK, with(EXCEPTION_CODE, "what"), ""),
            (StatusCode::BAD_GATEWAY, own, ""),
        ] {
            let judged = client.judge(status, &headers, body);
            assert!(matches!(judged, Err(ClickHouseError::NotClickHouse { .. })), "{status} {headers:?} {body}");
        }
    }

    #[test]
    fn an_address_that_can_not_work_is_refused_at_once() {
        for url in ["https://host:8443", "host:8123", "http://", "nonsense"] {
            assert!(matches!(client(url), Err(ClickHouseError::Address { .. })), "{url}");
        }
    }

    #[test]
    fn names_and_tokens_are_quoted_into_the_address() {
        let insert = Insert {
            table: "a`b",
            columns: &["x y".to_owned()],
            settings: &[("async_insert".to_owned(), "0".to_owned())],
            token: Some("t/s/1/0/0-9"),
            body: Bytes::new(),
        };
        let uri = client("http://localhost:1").unwrap().uri(&insert);
        assert_eq!(
            uri,
            "http://localhost:1/?query=INSERT+INTO+%60a%5C%60b%60+%28%60x+y%60%29+FORMAT+Native&database=moose\
             &async_insert=0&insert_deduplication_token=t%2Fs%2F1%2F0%2F0-9"
        );
    }
}
