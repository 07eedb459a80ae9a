//! ClickHouse's HTTP interface in front of the library: the part of it that clients use.
//!
//! `GET` and `POST /` run a statement, `GET /ping` says that the process answers. Statements run on blocking threads,
//! each on its own connection, so a slow one holds up nobody. What is not here: sessions, users, external tables.

mod answer;
mod blocks;
mod body;
mod coding;
mod form;
mod frames;
mod plan;
mod request;
mod statement;

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, Method, Request as HttpRequest, Response, StatusCode, header, request::Parts},
};
use tokio::{
    net::{TcpListener, unix::pipe},
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::timeout,
};

use self::{
    answer::Identity,
    body::BodyReader,
    plan::{Insert, Work},
    request::{DEFAULT_DATABASE, Request, header_text},
    statement::{Data, Mark, Piece},
};
use super::{
    error::OpenError,
    exception::Exception,
    ffi::{Answer, Database},
    sql::{self, Statement},
};
use crate::{
    fault::{self, Point},
    port::{self, Limits},
};

/// How many statements may run at once; ClickHouse's own default. One more is refused with code 202.
const STATEMENTS: u32 = 100;

/// An INSERT's body is read up to here before any of it is stored: cut off until then, it stores nothing whatever
/// its blocks. A longer one streams, and is stored block by block as in ClickHouse.
const WHOLE_BODY: usize = 64 << 20;

/// How long a client has to take its answer once the engine ends.
const CLIENT_PATIENCE: Duration = Duration::from_secs(2);

/// How long a connection may be idle; ClickHouse's own bound.
const IDLE: Duration = Duration::from_secs(30);

/// How often, and how long apart, a statement whose reader is gone is told to stop.
const CANCEL_TRIES: usize = 20;
const CANCEL_PAUSE: Duration = Duration::from_millis(250);

/// The engine behind its HTTP interface.
pub(super) struct Server {
    database: Arc<Database>,
    identity: Identity,
    statements: Arc<Semaphore>,
    numbers: AtomicU64,
    /// Who may call from a web page; `None` where the listener is open to other machines anyway.
    local_only: bool,
}

impl Server {
    /// Prepares `database` for requests to `address`.
    pub(super) fn new(database: Database, address: SocketAddr) -> Result<Self, OpenError> {
        let prepare = |reason| OpenError::Prepare { reason };
        let mut connection = database.connect()?;
        let create = format!("CREATE DATABASE IF NOT EXISTS {DEFAULT_DATABASE} ENGINE = Atomic");
        connection.execute(create.as_bytes(), "Null", &[]).map_err(prepare)?;
        let mut ask = |sql: &str| {
            let answer = connection.execute(sql.as_bytes(), "TSVRaw", &[]).map_err(prepare)?;
            Ok(String::from_utf8_lossy(&answer.data).trim().to_owned())
        };
        let identity = Identity { name: ask("SELECT hostName()")?, timezone: ask("SELECT timezone()")? };
        Ok(Self {
            database: Arc::new(database),
            identity,
            statements: Arc::new(Semaphore::new(usize::try_from(STATEMENTS).unwrap_or(usize::MAX))),
            numbers: AtomicU64::new(1),
            local_only: address.ip().is_loopback(),
        })
    }

    /// Serves, with so many connections at once, until `stop` ends; then takes no new request, lets statements run on for as long as `patience`, and
    /// cancels those that are left.
    pub(super) async fn serve(
        self: &Arc<Self>,
        listener: TcpListener,
        connections: usize,
        stop: impl Future<Output = ()>,
        patience: Duration,
    ) {
        let router = Router::new().fallback(route).with_state(Arc::clone(self));
        let limits = Limits {
            name: "the engine's port",
            connections,
            head: IDLE,
            // A result is streamed for as long as the client reads.
            answer: None,
            // A client that goes away cancels its statement at once.
            half_close: false,
            closing: patience * 2 + CLIENT_PATIENCE,
        };
        let (told, is_told) = oneshot::channel();
        let stop = async move {
            stop.await;
            let _ = told.send(());
        };
        let serving = port::serve(listener, router, limits, stop);
        let losing_patience = async {
            let _ = is_told.await;
            self.settle(patience).await;
            // What is left are clients that do not take their answer.
            tokio::time::sleep(CLIENT_PATIENCE).await;
        };
        tokio::select! {
            () = serving => {}
            () = losing_patience => {}
        }
    }

    /// Waits for running statements, then cancels them and waits again.
    async fn settle(&self, patience: Duration) {
        let all = || Arc::clone(&self.statements).acquire_many_owned(STATEMENTS);
        if timeout(patience, all()).await.is_err() {
            let database = Arc::clone(&self.database);
            let cancel = move || {
                let mut connection = database.connect().ok()?;
                connection.execute(b"KILL QUERY WHERE 1 ASYNC", "Null", &[]).ok()
            };
            let _ = tokio::task::spawn_blocking(cancel).await;
            let _ = timeout(patience, all()).await;
        }
    }

    /// Ends the engine. Says whether it ended in order: nothing may use it any more.
    pub(super) async fn close(self: Arc<Self>) -> bool {
        let Some(server) = Arc::into_inner(self) else { return false };
        match Arc::into_inner(server.database) {
            Some(database) => tokio::task::spawn_blocking(|| database.shutdown()).await.unwrap_or(false),
            None => false,
        }
    }

    /// Runs `work` on a blocking thread.
    fn run(
        self: &Arc<Self>,
        permit: OwnedSemaphorePermit,
        work: impl FnOnce(&Database, &Mark) -> Result<Answer, Exception> + Send + 'static,
    ) -> Running {
        let (sender, outcome) = oneshot::channel();
        let database = Arc::clone(&self.database);
        let mark = Mark::new(self.numbers.fetch_add(1, Ordering::Relaxed));
        let running_mark = mark.clone();
        tokio::task::spawn_blocking(move || {
            let result = work(&database, &running_mark);
            drop(database);
            drop(permit);
            // The request may be gone; the statement has had its effect all the same.
            let _ = sender.send(result);
        });
        Running { outcome: Some(outcome), mark, started: Instant::now(), database: Arc::clone(&self.database) }
    }
}

/// A statement on its thread. Dropped before its end, it is cancelled if it only reads.
struct Running {
    outcome: Option<oneshot::Receiver<Result<Answer, Exception>>>,
    mark: Mark,
    started: Instant,
    database: Arc<Database>,
}

impl Running {
    async fn outcome(&mut self) -> Result<Answer, Exception> {
        let lost = || Exception::new(1002, "UNKNOWN_EXCEPTION", "The statement's thread ended without a result");
        let Some(outcome) = &mut self.outcome else { return Err(lost()) };
        let result = outcome.await.unwrap_or_else(|_| Err(lost()));
        self.outcome = None;
        result
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(mut outcome) = self.outcome.take().filter(|_| self.mark.is_cancellable()) else { return };
        let (mark, database) = (self.mark.clone(), Arc::clone(&self.database));
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            // It may not have begun when it is cancelled for the first time.
            for _ in 0..CANCEL_TRIES {
                let (mark, database) = (mark.clone(), Arc::clone(&database));
                let _ = tokio::task::spawn_blocking(move || mark.cancel(&database)).await;
                if timeout(CANCEL_PAUSE, &mut outcome).await.is_ok() {
                    return;
                }
            }
        });
    }
}

async fn route(State(server): State<Arc<Server>>, request: HttpRequest<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let plain = |status, text: String| {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain; charset=UTF-8"));
        answer::response(status, headers, Body::from(text))
    };
    if server.local_only && comes_from_a_web_page(&parts.headers) {
        let reason = "requests of web pages are refused: this engine is for programs of this machine\n";
        return plain(StatusCode::FORBIDDEN, reason.to_owned());
    }
    match (parts.uri.path(), parts.method.clone()) {
        ("/ping" | "/replicas_status", _) => return plain(StatusCode::OK, "Ok.\n".to_owned()),
        ("/", Method::GET | Method::HEAD | Method::POST) => {}
        ("/", method) => return plain(StatusCode::METHOD_NOT_ALLOWED, format!("{method} is not supported\n")),
        (path, _) => {
            let text = format!("There is no handle {path}\n\nUse / or /ping for health checks.\n");
            return plain(StatusCode::NOT_FOUND, text);
        }
    }
    let request = Request::read(&parts);
    answer_request(&server, &parts, request, body).await
}

/// A page in a browser of this machine could reach a loopback port, under its own name or a borrowed one.
fn comes_from_a_web_page(headers: &HeaderMap) -> bool {
    let host_of = |text: &str| {
        let authority = text.split_once("://").map_or(text, |(_, rest)| rest);
        authority.parse::<axum::http::uri::Authority>().map(|authority| authority.host().to_owned()).ok()
    };
    let is_local = |host: &str| {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
    };
    ["host", "origin"].iter().any(|name| {
        let Some(value) = headers.get(*name) else { return false };
        !value.to_str().ok().and_then(host_of).is_some_and(|host| is_local(&host))
    })
}

/// Answers a request whose head was understood.
async fn answer_request(server: &Arc<Server>, parts: &Parts, mut request: Request, body: Body) -> Response<Body> {
    let outcome = match understand(parts, &mut request, body).await {
        Ok((work, body)) => run_request(server, &request, work, body).await,
        Err(exception) => Err(exception),
    };
    let headers = answer::headers(&server.identity, &request.query_id);
    outcome.unwrap_or_else(|exception| answer::exception(headers, &exception))
}

/// Reads as much of the body as it takes to know what is to be done.
async fn understand(parts: &Parts, request: &mut Request, body: Body) -> Result<(Work, BodyReader), Exception> {
    let mut body = BodyReader::new(body, request.coding, request.decompress)?;
    let content_type = header_text(&parts.headers, "content-type").unwrap_or_default();
    if let Some(boundary) = form::boundary(&content_type) {
        let mut text = Vec::new();
        body.append_text(&mut text).await?;
        let pairs = form::multipart_pairs(&text, boundary);
        request.add_pairs(pairs.map_err(|reason| Exception::new(36, "BAD_ARGUMENTS", &reason))?);
    }
    request.admit()?;
    let work = plan::plan(request, &mut body).await?;
    Ok((work, body))
}

async fn run_request(
    server: &Arc<Server>,
    request: &Request,
    work: Work,
    body: BodyReader,
) -> Result<Response<Body>, Exception> {
    let headers = answer::headers(&server.identity, &request.query_id);
    let permit = Arc::clone(&server.statements).try_acquire_owned().map_err(|_| {
        let reason = format!("Too many simultaneous queries. Maximum: {STATEMENTS}");
        Exception::new(202, "TOO_MANY_SIMULTANEOUS_QUERIES", &reason)
    })?;
    match work {
        Work::Greet => Ok(answer::response(StatusCode::OK, headers, Body::from("Ok.\n"))),
        Work::Run { text } => run_text(server, request, headers, permit, text).await,
        Work::Insert(insert) => run_insert(server, request, headers, permit, insert, body).await,
    }
}

async fn run_text(
    server: &Arc<Server>,
    request: &Request,
    mut headers: HeaderMap,
    permit: OwnedSemaphorePermit,
    text: Vec<u8>,
) -> Result<Response<Body>, Exception> {
    let failed = |error: std::io::Error| Exception::new(298, "CANNOT_PIPE", &format!("Cannot make a pipe: {error}"));
    let format = match sql::read(&text) {
        Statement::Other { format: Some(format), .. } => format,
        _ => request.session.format.clone(),
    };
    answer::describe_result(&mut headers, request, &format);
    let (reader, writer) = std::io::pipe().map_err(failed)?;
    let reader = pipe::Receiver::from_owned_fd(reader.into()).map_err(failed)?;
    let session = request.session.clone();
    let running = server.run(permit, move |database, mark| {
        // Dropping the writer, after the statement, is the end of the result.
        statement::run(database, &session, mark, &text, &writer)
    });
    answer::stream(headers, request, reader, running).await
}

async fn run_insert(
    server: &Arc<Server>,
    request: &Request,
    mut headers: HeaderMap,
    permit: OwnedSemaphorePermit,
    insert: Insert,
    mut body: BodyReader,
) -> Result<Response<Body>, Exception> {
    let (head_sender, head) = oneshot::channel();
    let (sender, rest) = mpsc::channel(4);
    let session = request.session.clone();
    let mut running = server.run(permit, move |database, mark| {
        let data = Data { head, rest };
        let answer = statement::insert(database, &session, mark, &insert.statement, &insert.format, data);
        fault::point(Point::EngineInsertExecuted);
        answer
    });
    let (mut pieces, ended) = body.read_up_to(WHOLE_BODY).await?;
    pieces.insert(0, insert.head);
    // A closed channel means that the INSERT has failed already; its outcome says why.
    let mut open = head_sender.send(pieces).is_ok();
    while open && !ended {
        let Some(data) = body.next().await? else { break };
        open = sender.send(Piece::Data(data)).await.is_ok();
    }
    let _ = sender.send(Piece::End).await;
    let answer = running.outcome().await?;
    headers.insert("x-clickhouse-summary", answer::summary(&answer.counts, running.elapsed()));
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain; charset=UTF-8"));
    Ok(answer::response(StatusCode::OK, headers, Body::empty()))
}
