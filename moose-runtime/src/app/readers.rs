//! Answers requests to list, adopt and forget the readers of streams: one request in JSON, one response in JSON, as for
//! [dead letters](super::LetterDesk).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    clickhouse::Client,
    stream::{
        Backend, Reader,
        accounting::{Way, is_other},
    },
    sync::readers,
};

/// A request about readers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum ReaderCommand {
    /// All readers of all streams.
    List,
    /// Continue at the cursors of a reader that is this application under an earlier name.
    Adopt {
        /// `<application>`, or `<application>/<table>`.
        reader: String,
    },
    /// Delete a reader's cursors: no records are kept for it any more.
    Forget {
        /// `<application>`, or `<application>/<table>`.
        reader: String,
    },
}

/// Answers requests about readers.
#[derive(Clone)]
pub(crate) struct ReaderDesk {
    backend: Arc<dyn Backend>,
    /// Knows the tables; needed to adopt a reader, and for everything when the streams are on Kafka.
    client: Option<Client>,
    ways: Arc<[Way]>,
}

impl std::fmt::Debug for ReaderDesk {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ReaderDesk").field("ways", &self.ways).finish_non_exhaustive()
    }
}

impl ReaderDesk {
    /// Answers for the readers of the declared streams and tables in `ways`.
    pub(crate) fn new(backend: Arc<dyn Backend>, client: Option<Client>, ways: Vec<Way>) -> Self {
        Self { backend, client, ways: ways.into() }
    }

    /// Executes a command. The error is a text for the caller.
    pub(crate) async fn answer(&self, command: ReaderCommand) -> Result<Value, String> {
        let done = match command {
            ReaderCommand::List => return self.list().await,
            ReaderCommand::Adopt { reader } => (self.adopt(&reader).await?, "adopted", reader),
            ReaderCommand::Forget { reader } => (self.forget(&reader).await?, "forgotten", reader),
        };
        match done {
            (done, _, reader) if done.is_empty() => {
                Err(format!("there is no reader `{reader}` that this could be done with: see `readers list`"))
            }
            (done, word, _) => Ok(json!({ word: done })),
        }
    }

    fn topics(&self) -> Vec<&str> {
        let mut topics: Vec<&str> = self.ways.iter().map(|way| way.topic.as_str()).collect();
        topics.sort_unstable();
        topics.dedup();
        topics
    }

    async fn readers(&self, topic: &str) -> Result<Vec<Reader>, String> {
        let found = readers::readers(self.backend.as_ref(), self.client.as_ref(), topic, "").await;
        found.map_err(|error| error.to_string())
    }

    fn is_declared(&self, topic: &str, group: &str) -> bool {
        self.ways.iter().any(|way| way.topic == topic && way.group == group)
    }

    async fn list(&self) -> Result<Value, String> {
        let mut found = Vec::new();
        for topic in self.topics() {
            for Reader { group, partition, cursor } in self.readers(topic).await? {
                let bounds = self.backend.bounds(topic, partition).await.map_err(|error| error.to_string())?;
                let next = cursor.map_or(bounds.start, |cursor| cursor.next);
                found.push(json!({
                    "stream": topic,
                    "partition": partition,
                    "reader": group,
                    "declared": self.is_declared(topic, &group),
                    "next": next,
                    "end": bounds.end,
                    "lag": bounds.end.saturating_sub(next),
                }));
            }
        }
        Ok(json!({ "readers": found }))
    }

    async fn adopt(&self, wanted: &str) -> Result<Vec<Value>, String> {
        let client = self.client.as_ref().ok_or("there is no ClickHouse to ask for the tables")?;
        let mut done = Vec::new();
        for way in self.ways.iter() {
            let table = client.table(&way.table).await.map_err(|error| error.to_string())?.map(|table| table.uuid);
            let readers = self.readers(&way.topic).await?;
            let others =
                readers.iter().filter(|reader| is_meant(&reader.group, wanted) && is_other(way, table, reader));
            let mut groups: Vec<&str> = others.map(|reader| reader.group.as_str()).collect();
            groups.dedup();
            if let Some(group) = groups.iter().find(|group| self.is_declared(&way.topic, group)) {
                return Err(format!(
                    "`{group}` is declared, and fills a table of its own: were the two tables exchanged?"
                ));
            }
            if let [one, another, ..] = groups.as_slice() {
                return Err(format!("both `{one}` and `{another}` are meant: name one of them, and forget the other"));
            }
            for group in groups {
                let adopted = readers::adopt(self.backend.as_ref(), Some(client), &way.topic, group, &way.group).await;
                if adopted.map_err(|error| error.to_string())? {
                    tracing::info!(stream = way.topic, reader = group, heir = way.group, "adopted");
                    done.push(json!({ "stream": way.topic, "reader": group, "heir": way.group }));
                }
            }
        }
        Ok(done)
    }

    async fn forget(&self, wanted: &str) -> Result<Vec<Value>, String> {
        let mut done = Vec::new();
        for topic in self.topics() {
            let mut groups: Vec<String> = self.readers(topic).await?.into_iter().map(|reader| reader.group).collect();
            groups.sort_unstable();
            groups.dedup();
            for group in groups.into_iter().filter(|group| is_meant(group, wanted)) {
                if self.is_declared(topic, &group) {
                    return Err(format!(
                        "`{group}` is declared: without its place it would read stream `{topic}` anew"
                    ));
                }
                let forgotten = readers::forget(self.backend.as_ref(), self.client.as_ref(), topic, &group).await;
                if forgotten.map_err(|error| error.to_string())? {
                    tracing::info!(stream = topic, reader = group, "forgotten");
                    done.push(json!({ "stream": topic, "reader": group }));
                }
            }
        }
        Ok(done)
    }
}

/// Whether `wanted` names this group, or its application.
fn is_meant(group: &str, wanted: &str) -> bool {
    group == wanted || group.rsplit_once('/').is_some_and(|(application, _)| application == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_named_by_its_application_or_with_its_table() {
        assert!(is_meant("shop/events", "shop") && is_meant("shop/events", "shop/events"));
        assert!(!is_meant("shop/events", "events") && !is_meant("shop2/events", "shop"));
    }
}
