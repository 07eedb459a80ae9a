//! What the proxy remembers of a request, and how tests ask about it.

use std::{
    hash::{DefaultHasher, Hasher},
    time::{Duration, Instant},
};

use bytes::Bytes;
use hyper::{HeaderMap, Method, StatusCode, http::request::Parts};

use crate::http::percent_decoded;

/// Longest part of a statement that is kept when it came as the body.
const STATEMENT_LIMIT: usize = 4096;

/// One request as it came, and what became of it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Place in the order in which requests were complete, from 0.
    pub sequence: usize,
    /// Method of the request.
    pub method: Method,
    /// Path without the parameters.
    pub path: String,
    /// Parameters of the URL, decoded, in order.
    pub parameters: Vec<(String, String)>,
    /// Headers as they came.
    pub headers: HeaderMap,
    /// The SQL: the parameter `query`, or else the beginning of the body.
    pub statement: String,
    /// Bytes of the body.
    pub body_length: usize,
    /// A hash of the body: equal bytes have equal digests.
    pub body_digest: u64,
    /// The body itself, when the proxy was told to keep bodies.
    pub body: Option<Bytes>,
    /// When the head of the request was there.
    pub arrived: Instant,
    /// When its body was complete.
    pub complete: Instant,
    /// The fault that was made of it.
    pub fault: Option<&'static str>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Not answered yet.
    Open,
    /// An answer began to go back.
    Answered {
        /// Its status.
        status: StatusCode,
        /// When.
        at: Instant,
    },
    /// The connection ended without an answer, on whichever side.
    Closed {
        /// When.
        at: Instant,
    },
}

impl Recorded {
    pub(super) fn new(head: &Parts, body: &Bytes, keep_body: bool, arrived: Instant) -> Self {
        let parameters = parse_parameters(head.uri.query().unwrap_or_default());
        let statement = parameters.iter().find(|(name, _)| name == "query").map_or_else(
            || String::from_utf8_lossy(body.get(..STATEMENT_LIMIT).unwrap_or(body)).into_owned(),
            |(_, statement)| statement.clone(),
        );
        let mut hasher = DefaultHasher::new();
        hasher.write(body);
        Self {
            sequence: 0,
            method: head.method.clone(),
            path: head.uri.path().to_owned(),
            parameters,
            headers: head.headers.clone(),
            statement,
            body_length: body.len(),
            body_digest: hasher.finish(),
            body: keep_body.then(|| body.clone()),
            arrived,
            complete: Instant::now(),
            fault: None,
            outcome: Outcome::Open,
        }
    }

    /// Value of a URL parameter, empty where it is absent.
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
    }

    /// The deduplication token, empty where there is none.
    pub fn token(&self) -> &str {
        self.parameter("insert_deduplication_token")
    }

    /// The table that an `INSERT INTO` names, without its database and quotes.
    pub fn insert_table(&self) -> Option<&str> {
        let rest = strip_word(&self.statement, "INSERT")?;
        let rest = strip_word(rest, "INTO")?;
        let rest = strip_word(rest, "TABLE").unwrap_or(rest).trim_start();
        let end = rest.find(|character: char| character.is_whitespace() || character == '(').unwrap_or(rest.len());
        let name = rest.get(..end)?;
        Some(name.rsplit('.').next().unwrap_or(name).trim_matches(['`', '"']))
    }

    /// How long the answer took, from the complete request to the head of the answer.
    pub fn duration(&self) -> Option<Duration> {
        match self.outcome {
            Outcome::Answered { at, .. } => Some(at.duration_since(self.complete)),
            Outcome::Open | Outcome::Closed { .. } => None,
        }
    }

    /// The status of the answer, where there was one.
    pub fn status(&self) -> Option<StatusCode> {
        match self.outcome {
            Outcome::Answered { status, .. } => Some(status),
            Outcome::Open | Outcome::Closed { .. } => None,
        }
    }
}

/// Matches the INSERTs into a table.
pub fn insert_into(table: &str) -> impl Fn(&Recorded) -> bool + Send + Sync + 'static + use<> {
    let table = table.to_owned();
    move |request| request.insert_table() == Some(table.as_str())
}

/// Matches every request.
pub fn anything(_: &Recorded) -> bool {
    true
}

fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let text = text.trim_start();
    let (head, rest) = (text.get(..word.len())?, text.get(word.len()..)?);
    (head.eq_ignore_ascii_case(word) && rest.starts_with(char::is_whitespace)).then_some(rest)
}

fn parse_parameters(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decoded(name), percent_decoded(value))
        })
        .collect()
}
