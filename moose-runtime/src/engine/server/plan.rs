//! What a request wants done: where its query ends and its data begins.
//!
//! The query is in the address, in the body, or begun in one and ended in the other; the data of an INSERT follows it.

use bytes::Bytes;

use super::{body::BodyReader, request::Request};
use crate::engine::{
    exception::Exception,
    sql::{self, InsertData, Statement},
};

/// How far a body is read to find out where its query ends and its data begins.
const QUERY_HEAD: usize = 1 << 20;

/// What a request wants done.
pub(super) enum Work {
    /// Nothing: a GET without a query.
    Greet,
    /// A statement without data.
    Run {
        /// Its text.
        text: Vec<u8>,
    },
    /// An INSERT with data.
    Insert(Insert),
}

/// An INSERT whose data begins with `head` and goes on in the rest of the body.
pub(super) struct Insert {
    /// The statement without `FORMAT` or `VALUES`.
    pub(super) statement: Vec<u8>,
    /// The format of the data.
    pub(super) format: String,
    /// What of the data came with the query.
    pub(super) head: Bytes,
}

/// Tells query and data apart. Refuses a GET that inserts: the engine itself would let it insert into a function.
pub(super) async fn plan(request: &mut Request, body: &mut BodyReader) -> Result<Work, Exception> {
    let work = tell_apart(request, body).await?;
    let inserts = match &work {
        Work::Greet => false,
        Work::Insert(_) => true,
        Work::Run { text } => match sql::read(text) {
            Statement::InsertSelect { reads_data: true } => {
                // The library says that it worked, and stores nothing.
                let reason = "INSERT … SELECT FROM input() is not supported by the embedded engine";
                return Err(Exception::new(48, "NOT_IMPLEMENTED", reason));
            }
            Statement::Other { .. } => false,
            _ => true,
        },
    };
    if inserts && request.session.reads_only {
        return Err(Exception::new(164, "READONLY", "default: Cannot execute query in readonly mode"));
    }
    Ok(work)
}

async fn tell_apart(request: &mut Request, body: &mut BodyReader) -> Result<Work, Exception> {
    let Some(query) = request.query.take().filter(|query| !query.trim().is_empty()) else {
        let (pieces, ended) = body.read_up_to(QUERY_HEAD).await?;
        let mut text = pieces.concat();
        if request.session.reads_only && ended && text.is_empty() {
            return Ok(Work::Greet);
        }
        if let Statement::InsertData(found) = sql::read(&text) {
            return Ok(Work::Insert(insert_of(&text, &found, false)));
        }
        body.append_text(&mut text).await?;
        return run_work(text);
    };
    let mut text = query.into_bytes();
    match sql::read(&text) {
        Statement::InsertData(found) => Ok(Work::Insert(insert_of(&text, &found, true))),
        Statement::InsertOpen if request.input_format.is_some() => {
            let format = request.input_format.clone().unwrap_or_default();
            Ok(Work::Insert(Insert { statement: text, format, head: Bytes::new() }))
        }
        open => {
            let length = text.len();
            text.push(b'\n');
            body.append_text(&mut text).await?;
            if text.len() == length + 1 {
                text.truncate(length);
            }
            match sql::read(&text) {
                Statement::InsertData(found) if open == Statement::InsertOpen => {
                    Ok(Work::Insert(insert_of(&text, &found, false)))
                }
                _ => run_work(text),
            }
        }
    }
}

fn run_work(text: Vec<u8>) -> Result<Work, Exception> {
    if text.iter().all(|byte| byte.is_ascii_whitespace() || *byte == b';') {
        return Err(Exception::new(
            62,
            "SYNTAX_ERROR",
            "Syntax error: failed at position 1 (end of query): empty query",
        ));
    }
    Ok(Work::Run { text })
}

/// The INSERT in `text`. Data there is a part of its own, set off by a line end, where more follows in the body.
fn insert_of(text: &[u8], found: &InsertData, more_follows: bool) -> Insert {
    let statement = text.get(found.statement.clone()).unwrap_or_default().to_vec();
    let mut head = text.get(found.data..).unwrap_or_default().to_vec();
    if more_follows && !head.is_empty() {
        head.push(b'\n');
    }
    Insert { statement, format: found.format.clone(), head: Bytes::from(head) }
}
