//! What operators and other clients do to topics, asked of the brokers within milliseconds: Kafka's own tools take seconds
//! to start, and in these a client may notice what it would else have missed.

use std::{
    ops::Range,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication},
    client::DefaultClientContext,
    producer::{FutureProducer, FutureRecord},
};
use tokio::time::Instant;

use crate::stage::{LATE, Stage};

/// What a topic that is deleted and made anew at once may be away.
const AT_ONCE: Duration = Duration::from_secs(1);

pub(crate) fn number(id: u64) -> String {
    format!("{{\"id\":{id},\"small\":{}}}", id % 256)
}

/// One record, to be there when this returns.
pub(crate) async fn send(producer: &FutureProducer, partition: i32, key: Option<&str>, id: u64) {
    let payload = number(id);
    let mut record = FutureRecord::<str, str>::to("numbers").partition(partition).payload(&payload);
    if let Some(key) = key {
        record = record.key(key);
    }
    producer.send(record, LATE).await.expect("the broker takes it");
}

fn patient() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(LATE)).operation_timeout(Some(LATE))
}

impl Stage {
    fn operator(&self) -> AdminClient<DefaultClientContext> {
        ClientConfig::new().set("bootstrap.servers", self.address()).create().expect("a client")
    }

    /// A client of another kind than ours.
    pub(crate) fn producer(&self, transactional: Option<&str>) -> FutureProducer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.address());
        if let Some(id) = transactional {
            config.set("transactional.id", id);
        }
        config.create().expect("a producer")
    }

    pub(crate) async fn make_topic(&self, topic: &str, partitions: i32) {
        self.make_topic_with(topic, partitions, 1, &[]).await;
    }

    /// With so many copies of it, and settings.
    pub(crate) async fn make_topic_with(&self, topic: &str, partitions: i32, copies: i32, settings: &[(&str, &str)]) {
        make(&self.operator(), topic, partitions, copies, settings).await;
    }

    pub(crate) async fn delete_topic(&self, topic: &str) {
        delete(&self.operator(), topic).await;
    }

    /// Deletes the topic of numbers and makes it anew before anybody can see it gone.
    pub(crate) async fn make_anew_at_once(&self, partitions: i32) {
        let operator = self.operator();
        // Connected before, so that nothing but the two lies between them.
        operator.inner().fetch_metadata(Some("numbers"), LATE).expect("the brokers answer");
        let started = Instant::now();
        delete(&operator, "numbers").await;
        make(&operator, "numbers", partitions, 1, &[]).await;
        let took = started.elapsed();
        assert!(took < AT_ONCE, "{took:?}: somebody may have seen it gone");
    }

    /// So many partitions from now on.
    pub(crate) async fn grow_topic(&self, topic: &str, partitions: usize) {
        let grown = self.operator().create_partitions([&NewPartitions::new(topic, partitions)], &patient()).await;
        grown.expect("the brokers answer").pop().expect("a result").expect("the topic grows");
    }

    /// Deletes the records of the first partition of numbers below `offset`, as retention would.
    pub(crate) async fn delete_below(&self, offset: i64) {
        let mut below = TopicPartitionList::new();
        below.add_partition_offset("numbers", 0, Offset::Offset(offset)).expect("an offset");
        let deleted = self.operator().delete_records(&below, &patient()).await.expect("the brokers answer");
        deleted.elements().iter().for_each(|element| element.error().expect("the records go"));
    }

    /// Gives the topic these settings, and no others.
    pub(crate) async fn set_topic(&self, topic: &str, settings: &[(&str, &str)]) {
        let new = AlterConfig::new(ResourceSpecifier::Topic(topic));
        let new = settings.iter().fold(new, |new, (key, value)| new.set(key, value));
        let set = self.operator().alter_configs([&new], &patient()).await;
        set.expect("the brokers answer").pop().expect("a result").expect("they are set");
    }

    /// Writes numbers into the first partition, as another client would.
    pub(crate) async fn write(&self, ids: Range<u64>) {
        self.write_at(ids, Duration::ZERO).await;
    }

    /// The same with times of an hour ago, as records have them that were copied from elsewhere.
    pub(crate) async fn write_from_before(&self, ids: Range<u64>) {
        self.write_at(ids, Duration::from_hours(1)).await;
    }

    async fn write_at(&self, ids: Range<u64>, ago: Duration) {
        let producer = self.producer(None);
        let payloads: Vec<_> = ids.map(number).collect();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
        let since_epoch = now.saturating_sub(ago);
        let time = i64::try_from(since_epoch.as_millis()).expect("a clock before the year 292,000,000");
        let record = |payload| FutureRecord::<str, str>::to("numbers").partition(0).payload(payload).timestamp(time);
        let sent = payloads.iter().map(|payload| producer.send_result(record(payload)).expect("there is room"));
        for sent in sent.collect::<Vec<_>>() {
            sent.await.expect("the producer lives").expect("the broker takes it");
        }
    }
}

async fn delete(operator: &AdminClient<DefaultClientContext>, topic: &str) {
    let deleted = operator.delete_topics(&[topic], &patient()).await;
    deleted.expect("the brokers answer").pop().expect("a result").expect("the topic goes");
}

async fn make(
    operator: &AdminClient<DefaultClientContext>,
    topic: &str,
    partitions: i32,
    copies: i32,
    settings: &[(&str, &str)],
) {
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(copies));
    let new = settings.iter().fold(new, |new, (key, value)| new.set(key, value));
    let made = operator.create_topics([&new], &patient()).await;
    made.expect("the brokers answer").pop().expect("a result").expect("the topic is made");
}
