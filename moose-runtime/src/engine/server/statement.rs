//! Running one statement on a connection of its own, on a blocking thread.
//!
//! Every request opens a connection and closes it again (0.3 ms): its settings, its `USE` and its temporary tables
//! are gone with it, so no request can see another's, whatever it did.
//!
//! A result is written by the engine itself into a pipe (`INTO OUTFILE '/dev/fd/N'`). The library's own streaming
//! call would give every chunk as a document of its own, header and footer included; through the pipe each format
//! comes out once and whole, memory stays flat, and a slow reader slows the query down.

use std::{
    io::PipeWriter,
    os::fd::AsRawFd as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::request::Session;
use crate::{
    engine::{
        exception::Exception,
        ffi::{Answer, Connection, Database, QueryClass},
        sql::{self, Statement},
    },
    fault::{self, Point},
};

/// Handed to the library at a time.
const APPEND: usize = 1 << 20;

/// An INSERT's data.
pub(super) struct Data {
    /// All of it, or as much as is read before any is stored. A sender that is gone cancels the INSERT.
    pub(super) head: oneshot::Receiver<Vec<Bytes>>,
    pub(super) rest: mpsc::Receiver<Piece>,
}

/// A piece of an INSERT's data.
pub(super) enum Piece {
    /// Bytes in the INSERT's format.
    Data(Bytes),
    /// All of it was sent. A sender that is gone without saying so cancels the INSERT.
    End,
}

/// Marks a request's statement in `system.processes`, so that it can be cancelled.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    text: String,
    /// Only reading is cancelled when its client goes: what writes is finished, as ClickHouse does.
    cancellable: Arc<AtomicBool>,
}

impl Mark {
    /// A mark that no other request has.
    pub(super) fn new(number: u64) -> Self {
        Self { text: format!("moose-request-{number}"), cancellable: Arc::default() }
    }

    /// Whether the statement may be cancelled.
    pub(super) fn is_cancellable(&self) -> bool {
        self.cancellable.load(Ordering::Acquire)
    }

    /// Cancels the statement if it still runs.
    pub(super) fn cancel(&self, database: &Database) {
        let Ok(mut connection) = database.connect() else { return };
        let condition = format!("endsWith(Settings['log_comment'], {})", sql::quote(&self.text));
        // Nothing is lost if this fails: the statement then ends by itself.
        let _ = connection.execute(format!("KILL QUERY WHERE {condition} ASYNC").as_bytes(), "Null", &[]);
    }
}

/// A connection in the state that the request asks for.
fn open(database: &Database, session: &Session, mark: &Mark) -> Result<Connection, Exception> {
    let mut connection =
        database.connect().map_err(|error| Exception::new(210, "NETWORK_ERROR", &error.to_string()))?;
    let mut run =
        |sql: String| connection.execute(sql.as_bytes(), "Null", &[]).map_err(|error| Exception::from_engine(&error));
    run(format!("USE {}", sql::quote_name(&session.database)))?;
    // The library reads a bare expression as a SELECT, a server does not.
    let mut settings = "SET implicit_select = 0".to_owned();
    let mut comment = String::new();
    let mut read_only = session.reads_only.then_some("2");
    for (name, value) in &session.settings {
        match name.as_str() {
            "log_comment" => comment = format!("{value} "),
            "readonly" if value != "0" => read_only = Some(value),
            "readonly" => {}
            _ if is_setting_name(name) => settings.extend([", ", name, " = ", &sql::quote(value)]),
            _ => return Err(Exception::new(115, "UNKNOWN_SETTING", &format!("Unknown setting '{name}'"))),
        }
    }
    settings.extend([", log_comment = ", &sql::quote(&(comment + &mark.text))]);
    run(settings)?;
    // Last: nothing can be set after it.
    if let Some(value) = read_only {
        run(format!("SET readonly = {}", sql::quote(value)))?;
    }
    Ok(connection)
}

fn is_setting_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
        && !name.starts_with(|first: char| first.is_ascii_digit())
}

/// Runs a statement that takes no data. Its result goes into `output` as far as the engine can write it there; the
/// rest is in the answer.
pub(super) fn run(
    database: &Database,
    session: &Session,
    mark: &Mark,
    text: &[u8],
    output: &PipeWriter,
) -> Result<Answer, Exception> {
    let mut connection = open(database, session, mark)?;
    let analysis = connection.analyse(text);
    if analysis.statements > 1 {
        return Err(Exception::new(62, "SYNTAX_ERROR", "Syntax error (Multi-statements are not allowed)"));
    }
    let mut sql = text;
    let piped;
    if let Statement::Other { output: position, writes_file, .. } = sql::read(text) {
        if writes_file {
            return Err(Exception::new(358, "INTO_OUTFILE_NOT_ALLOWED", "INTO OUTFILE is not allowed"));
        }
        piped = into_pipe(text, position, output);
        // A text that this reading of it broke is run as it came.
        if analysis.class == QueryClass::ReadOnly && connection.analyse(&piped).class != QueryClass::Unknown {
            mark.cancellable.store(true, Ordering::Release);
            sql = &piped;
        }
    }
    connection.execute(sql, &session.format, &session.parameters).map_err(|error| Exception::from_engine(&error))
}

/// `text` with its result going into the pipe.
fn into_pipe(text: &[u8], position: usize, output: &PipeWriter) -> Vec<u8> {
    let clause = format!("\nINTO OUTFILE '/dev/fd/{}' APPEND COMPRESSION 'none'\n", output.as_raw_fd());
    let (head, tail) = text.split_at(position.min(text.len()));
    [head, clause.as_bytes(), tail].concat()
}

/// Runs an INSERT. It is opened while its data is on the way, and nothing of it is stored before `head` is there.
pub(super) fn insert(
    database: &Database,
    session: &Session,
    mark: &Mark,
    statement: &[u8],
    format: &str,
    mut data: Data,
) -> Result<Answer, Exception> {
    let engine = |error: String| Exception::from_engine(&error);
    // The stream is dropped on the way out, which cancels it.
    let cut_off = || Exception::new(394, "QUERY_WAS_CANCELLED", "The INSERT was cut off by its client");
    let mut connection = open(database, session, mark)?;
    // The library writes its own FORMAT behind the statement: a comment at its end must not swallow it.
    let statement = [statement, b"\n"].concat();
    let mut stream = connection.insert(&statement, format, &session.parameters).map_err(engine)?;
    let mut append = |data: &[u8]| data.chunks(APPEND).try_for_each(|data| stream.append(data));
    let head = data.head.blocking_recv().map_err(|_gone| cut_off())?;
    fault::point(Point::EngineInsertReceived);
    for piece in head {
        append(&piece).map_err(engine)?;
    }
    loop {
        match data.rest.blocking_recv() {
            Some(Piece::Data(piece)) => append(&piece).map_err(engine)?,
            Some(Piece::End) => break,
            None => return Err(cut_off()),
        }
    }
    stream.finish().map_err(engine)
}
