//! Answers requests to list, show, replay and drop dead letters: one request in JSON, one response in JSON. A running
//! application serves them at its management port; the command `dead-letters` answers its own where nothing runs.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{sync::Mutex, time::Instant};

use crate::{
    clickhouse::Client,
    stream::{Backend, DeadLetter, DeadLetterKey, DeadLetterQuery, Ending},
    sync::{
        Destination, Reopen,
        replay::{Replayed, replay},
    },
    time::rfc3339,
};

/// Letters per page when many are processed.
const PAGE: usize = 100;

/// A request about dead letters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum LetterCommand {
    /// A page of dead letters, without their payloads.
    List {
        /// Only those of this table.
        table: Option<String>,
        /// Only those after this key.
        after: Option<String>,
        /// The maximum number.
        limit: usize,
    },
    /// One dead letter with its payload.
    Show {
        /// Its key.
        key: String,
    },
    /// Sends them to their destinations again.
    Replay(Selection),
    /// Drops them.
    Drop(Selection),
}

/// Which dead letters are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Selection {
    /// Those with these keys.
    Keys(Vec<String>),
    /// All of this table.
    Table(String),
    /// All.
    All,
}

/// Answers requests about dead letters.
#[derive(Clone)]
pub(crate) struct LetterDesk {
    backend: Arc<dyn Backend>,
    /// Needed for replays only.
    client: Option<Client>,
    destinations: Arc<[Destination]>,
    /// Restarts the embedded engine, if it is ours and stays running.
    reopen: Option<Arc<dyn Reopen>>,
    /// Two replays of one letter at once would both find its row missing.
    one_at_a_time: Arc<Mutex<()>>,
}

impl std::fmt::Debug for LetterDesk {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LetterDesk").field("destinations", &self.destinations).finish_non_exhaustive()
    }
}

impl LetterDesk {
    /// Answers for the letters of `backend`.
    pub(crate) fn new(backend: Arc<dyn Backend>, client: Option<Client>, destinations: Vec<Destination>) -> Self {
        Self { backend, client, destinations: destinations.into(), reopen: None, one_at_a_time: Arc::default() }
    }

    /// Restarts the embedded engine after a replay whose token may be used without its row being stored.
    #[must_use]
    pub(crate) fn reopening(self, reopen: Option<Arc<dyn Reopen>>) -> Self {
        Self { reopen, ..self }
    }

    /// Executes a command. The error is a text for the caller.
    pub(crate) async fn answer(&self, command: LetterCommand) -> Result<Value, String> {
        match command {
            LetterCommand::List { table, after, limit } => {
                let after = after.map(|after| key(&after)).transpose()?;
                let found = self.page(table, after, limit).await?;
                let next = (found.len() == limit).then(|| found.last().map(|letter| letter.key.to_string())).flatten();
                let letters: Vec<Value> = found.iter().map(|letter| shown(letter, false)).collect();
                Ok(json!({ "dead_letters": letters, "next": next }))
            }
            LetterCommand::Show { key: text } => {
                let found = self.backend.dead_letter(&key(&text)?).await.map_err(|error| error.to_string())?;
                found.map(|letter| shown(&letter, true)).ok_or_else(|| format!("there is no dead letter `{text}`"))
            }
            LetterCommand::Replay(selection) => self.replay(selection).await,
            LetterCommand::Drop(selection) => self.drop(selection).await,
        }
    }

    async fn page(
        &self,
        destination: Option<String>,
        after: Option<DeadLetterKey>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, String> {
        let query = DeadLetterQuery { destination, after, limit };
        self.backend.dead_letters(&query).await.map_err(|error| error.to_string())
    }

    async fn replay(&self, selection: Selection) -> Result<Value, String> {
        let client = self.client.as_ref().ok_or("there is no ClickHouse to replay to")?;
        let _one_at_a_time = self.one_at_a_time.lock().await;
        let (mut inserted, mut were_there, mut failed, mut burnt) = (0_u64, 0_u64, Vec::new(), false);
        let mut views_in_doubt = Vec::new();
        let mut letters = Selected::new(self, selection)?;
        while let Some(page) = letters.next().await? {
            for letter in page {
                let key = letter.key.to_string();
                match replay(self.backend.as_ref(), client, &self.destinations, letter).await {
                    Ok(Replayed::Inserted) => inserted += 1,
                    Ok(Replayed::WasThere { views_in_doubt: in_doubt }) => {
                        were_there += 1;
                        views_in_doubt.extend(in_doubt.then_some(key));
                    }
                    Err(error) => {
                        burnt |= error.calls_for_reopening();
                        failed.push(json!({ "key": key, "reason": error.to_string() }));
                    }
                }
            }
        }
        if let Some(database) = self.reopen.as_deref().filter(|_| burnt) {
            database.reopen(Instant::now()).await;
        }
        Ok(json!({
            "replayed": inserted,
            "already_stored": were_there,
            "views_may_lack": views_in_doubt,
            "failed": failed,
            "unknown": letters.unknown,
        }))
    }

    async fn drop(&self, selection: Selection) -> Result<Value, String> {
        let _one_at_a_time = self.one_at_a_time.lock().await;
        let mut dropped = 0;
        let mut letters = Selected::new(self, selection)?;
        while let Some(page) = letters.next().await? {
            let keys: Vec<DeadLetterKey> = page.into_iter().map(|letter| letter.key).collect();
            let ended = self.backend.end_dead_letters(&keys, Ending::Dropped).await;
            dropped += ended.map_err(|error| error.to_string())?;
        }
        Ok(json!({ "dropped": dropped, "unknown": letters.unknown }))
    }
}

/// Goes through the letters of a selection, page by page.
struct Selected<'a> {
    desk: &'a LetterDesk,
    rest: Rest,
    /// Keys that no letter has.
    unknown: Vec<String>,
}

enum Rest {
    Keys(std::vec::IntoIter<DeadLetterKey>),
    After { table: Option<String>, after: Option<DeadLetterKey> },
}

impl<'a> Selected<'a> {
    fn new(desk: &'a LetterDesk, selection: Selection) -> Result<Self, String> {
        let rest = match selection {
            Selection::Keys(keys) => {
                let keys = keys.iter().map(|text| key(text)).collect::<Result<Vec<_>, _>>()?;
                Rest::Keys(keys.into_iter())
            }
            Selection::Table(table) => Rest::After { table: Some(table), after: None },
            Selection::All => Rest::After { table: None, after: None },
        };
        Ok(Self { desk, rest, unknown: Vec::new() })
    }

    async fn next(&mut self) -> Result<Option<Vec<DeadLetter>>, String> {
        match &mut self.rest {
            Rest::Keys(keys) => {
                for key in keys {
                    match self.desk.backend.dead_letter(&key).await.map_err(|error| error.to_string())? {
                        Some(letter) => return Ok(Some(vec![letter])),
                        None => self.unknown.push(key.to_string()),
                    }
                }
                Ok(None)
            }
            Rest::After { table, after } => {
                let page = self.desk.page(table.clone(), after.clone(), PAGE).await?;
                let Some(last) = page.last() else { return Ok(None) };
                *after = Some(last.key.clone());
                Ok(Some(page))
            }
        }
    }
}

fn key(text: &str) -> Result<DeadLetterKey, String> {
    text.parse().map_err(|error| format!("`{text}` is {error}"))
}

/// A dead letter as it is shown.
fn shown(letter: &DeadLetter, payload: bool) -> Value {
    let DeadLetter { key, payload: bytes, details } = letter;
    let time = |milliseconds| DateTime::<Utc>::from_timestamp_millis(milliseconds).map(rfc3339);
    let mut shown = json!({
        "key": key.to_string(),
        "table": key.destination,
        "stream": key.topic,
        "partition": key.partition,
        "offset": key.offset,
        "accepted": time(details.timestamp),
        "since": time(details.since),
        "code": details.code,
        "reason": details.reason,
        "errors": details.errors,
        "maybe_stored": details.maybe_stored,
        "bytes": bytes.len(),
    });
    if payload && let Some(shown) = shown.as_object_mut() {
        shown.insert("payload".to_owned(), Value::from(String::from_utf8_lossy(bytes)));
    }
    shown
}
