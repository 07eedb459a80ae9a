//! The wired model: which API feeds which stream, which stream fills which table, with the topics, consumer groups and
//! batches for that, and what stores the tables. Computed once, from the declarations and the configuration; everything
//! that needs any of that reads it here.

use std::{fmt, sync::Arc};

use crate::{
    config::Config,
    declare::{
        DeclarationErrors, Resource,
        model::{ApiModel, Model, StreamModel, TableModel},
    },
    record::BatchFactory,
    schema::{self, Storage},
    stream::{Retention, TopicSpec},
    sync::{self, Destination},
};

/// The wired model.
#[derive(Clone, Debug)]
pub struct Topology {
    /// The ingest APIs, by name.
    pub apis: Vec<ApiNode>,
    /// The streams, by name.
    pub streams: Vec<StreamNode>,
    /// The tables, by name.
    pub tables: Vec<TableNode>,
    /// Names of the tables that may be dropped, in order.
    pub dropped_tables: Vec<String>,
    /// What stores the tables: the configured server, or the embedded engine.
    pub(crate) storage: Storage,
}

/// An ingest API, and what it feeds.
#[derive(Clone)]
pub struct ApiNode {
    /// Name of the API.
    pub name: String,
    /// Topic of the stream that takes the records.
    pub topic: String,
    /// Batches of the stream's records, which know the record's key.
    pub(crate) new_batch: BatchFactory,
}

/// A stream, and what it fills.
#[derive(Clone, Debug)]
pub struct StreamNode {
    /// Its topic.
    pub topic: TopicSpec,
    /// The tables that it fills, in the order of the declaration.
    pub subscriptions: Vec<Subscription>,
}

/// A subscription: a stream fills a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Name of the table.
    pub table: String,
    /// The group that reads the stream for it.
    pub group: String,
}

/// A table, and what fills it.
#[derive(Clone, Debug)]
pub struct TableNode {
    /// The table, with the batches that are inserted into it.
    pub(crate) destination: Destination,
    /// Topics of the streams that fill it, by name; empty for a table that is filled by others.
    pub topics: Vec<String>,
}

impl fmt::Debug for ApiNode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ApiNode").field("name", &self.name).field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Topology {
    /// All declarations linked into the program, as configured.
    pub(crate) fn linked(config: &Config) -> Result<Self, DeclarationErrors> {
        Ok(Self::new(&Model::linked()?, config))
    }

    /// These declarations, as configured.
    pub(crate) fn new(model: &Model, config: &Config) -> Self {
        Self {
            apis: model.apis.iter().map(|api| ApiNode::new(api, model)).collect(),
            streams: model.streams.iter().map(|stream| StreamNode::new(stream, config)).collect(),
            tables: model.tables.iter().map(|table| TableNode::new(table, model)).collect(),
            dropped_tables: model.dropped_tables.clone(),
            storage: if config.clickhouse.url.is_some() { Storage::Server } else { Storage::Embedded },
        }
    }

    /// The tables that streams fill.
    pub fn filled(&self) -> impl Iterator<Item = &TableNode> {
        self.tables.iter().filter(|table| !table.topics.is_empty())
    }

    /// The declarations of the tables that streams fill.
    pub(crate) fn filled_tables(&self) -> impl Iterator<Item = &schema::Table> {
        self.filled().map(TableNode::table)
    }

    /// The declarations of all tables.
    pub(crate) fn declared_tables(&self) -> Vec<schema::Table> {
        self.tables.iter().map(|table| table.table().clone()).collect()
    }

    /// Possible destinations of dead letters: all tables, because a stream may once have filled any of them.
    pub(crate) fn destinations(&self) -> Vec<Destination> {
        self.tables.iter().map(|table| table.destination.clone()).collect()
    }

    /// The stream that has this topic.
    pub fn stream(&self, topic: &str) -> Option<&StreamNode> {
        self.streams.iter().find(|stream| stream.topic.name == topic)
    }
}

impl ApiNode {
    fn new(api: &ApiModel, model: &Model) -> Self {
        // An API's records are partitioned as the stream declares.
        let stream = model.streams.iter().find(|stream| stream.name == api.stream);
        let new_batch = batches(stream.map_or(api.record, |stream| stream.record));
        Self { name: api.name.clone(), topic: api.stream.clone(), new_batch }
    }
}

impl StreamNode {
    fn new(stream: &StreamModel, config: &Config) -> Self {
        let subscription =
            |table: &String| Subscription { table: table.clone(), group: sync::group(&config.app.name, table) };
        let retention =
            Retention { age: Some(stream.retention.unwrap_or(config.stream.retention)), bytes: stream.retention_bytes };
        Self {
            topic: TopicSpec { name: stream.name.clone(), partitions: stream.partitions, retention },
            subscriptions: stream.destinations.iter().map(subscription).collect(),
        }
    }

    /// Names of the tables that it fills.
    pub fn tables(&self) -> impl Iterator<Item = String> {
        self.subscriptions.iter().map(|subscription| subscription.table.clone())
    }
}

impl TableNode {
    fn new(table: &TableModel, model: &Model) -> Self {
        let streams = model.streams.iter().filter(|stream| stream.destinations.contains(&table.table.name));
        Self {
            destination: Destination { table: Arc::new(table.table.clone()), new_batch: batches(table.record) },
            topics: streams.map(|stream| stream.name.clone()).collect(),
        }
    }

    /// Name of the table.
    pub fn name(&self) -> &str {
        &self.destination.table.name
    }

    /// The table's declaration.
    pub(crate) fn table(&self) -> &schema::Table {
        &self.destination.table
    }
}

fn batches(record: &'static dyn Resource) -> BatchFactory {
    Arc::new(move || record.new_batch())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declare::{IngestApi, OlapTable, Stream};

    #[derive(crate::OlapRecord)]
    #[olap(crate = "crate")]
    struct Event {
        #[key]
        id: String,
        country: String,
    }

    static CURRENT: OlapTable<Event> = OlapTable::new("current");
    static HISTORY: OlapTable<Event> = OlapTable::new("history");
    static BY_HAND: OlapTable<Event> = OlapTable::new("by_hand");
    static EVENTS: Stream<Event> = Stream::new("events")
        .partitions(4)
        .record_key(&["country"])
        .retention_bytes(1_000)
        .destination(&HISTORY)
        .destination(&CURRENT);
    static CORRECTIONS: Stream<Event> = Stream::new("corrections").destination(&CURRENT);
    static DOOR: IngestApi<Event> = IngestApi::new("door").destination(&EVENTS);

    fn topology(adjust: impl FnOnce(&mut Config)) -> Topology {
        let mut config = Config::default();
        config.app.name = "shop".to_owned();
        adjust(&mut config);
        let model = Model::of(&[&CURRENT, &HISTORY, &BY_HAND, &EVENTS, &CORRECTIONS, &DOOR]).unwrap();
        Topology::new(&model, &config)
    }

    #[test]
    fn an_api_feeds_its_stream_whose_groups_fill_the_tables() {
        let topology = topology(|_| {});
        let [ApiNode { name, topic, .. }] = topology.apis.as_slice() else { panic!("{topology:?}") };
        assert_eq!((name.as_str(), topic.as_str()), ("door", "events"));
        let stream = topology.stream(topic).unwrap();
        let retention = Retention { age: Some(Config::default().stream.retention), bytes: Some(1_000) };
        assert_eq!(stream.topic, TopicSpec { name: "events".to_owned(), partitions: 4, retention });
        let fills = |table: &str| Subscription { table: table.to_owned(), group: format!("shop/{table}") };
        assert_eq!(stream.subscriptions, [fills("history"), fills("current")]);
        let filled: Vec<_> = topology.filled().map(|node| (node.table().name.as_str(), node.topics.clone())).collect();
        let (corrections, events) = ("corrections".to_owned(), "events".to_owned());
        assert_eq!(filled, [("current", vec![corrections, events.clone()]), ("history", vec![events])]);
    }

    #[test]
    fn a_table_that_no_stream_fills_is_declared_and_takes_dead_letters() {
        let topology = topology(|_| {});
        let names = |tables: Vec<schema::Table>| tables.into_iter().map(|table| table.name).collect::<Vec<_>>();
        assert_eq!(names(topology.declared_tables()), ["by_hand", "current", "history"]);
        assert_eq!(topology.destinations().len(), 3);
        assert_eq!(topology.filled_tables().count(), 2);
    }

    #[test]
    fn what_comes_through_an_api_is_spread_by_the_key_of_its_stream() {
        let batch = (topology(|_| {}).apis[0].new_batch)();
        let key = batch.record_key(br#"{"id":"1","country":"FR"}"#);
        assert_eq!(key.as_deref(), Some(b"FR".as_slice()), "not by the `#[key]` of the type");
    }

    #[test]
    fn the_tables_are_on_the_server_that_is_configured_else_in_the_embedded_engine() {
        assert_eq!(topology(|_| {}).storage, Storage::Embedded);
        let url = |config: &mut Config| config.clickhouse.url = Some("http://localhost:8123".to_owned());
        assert_eq!(topology(url).storage, Storage::Server);
    }
}
