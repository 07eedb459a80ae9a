//! The stream contract on Apache Kafka, and what only Kafka can do to it.

use std::{collections::BTreeMap, io::Write as _, time::Duration};

use bytes::Bytes;
use moose_runtime::internal::stream::{
    Backend as _, Bounds, StreamError,
    contract::{self, records, topic},
    kafka::{Kafka, KafkaOptions},
};
use moose_tests::{
    kafka::{Broker, is_there},
    wait::{eventually, same},
};
use rdkafka::{
    ClientConfig,
    mocking::MockCluster,
    producer::{FutureProducer, FutureRecord, Producer as _},
};

use crate::broker;

const DEADLINE: Duration = Duration::from_secs(30);

fn options(brokers: String, properties: &[(&str, &str)]) -> KafkaOptions {
    let properties: BTreeMap<_, _> =
        properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    KafkaOptions { brokers, client_id: "test".to_owned(), replication: None, properties }
}

pub(crate) async fn connect(broker: &Broker, properties: &[(&str, &str)]) -> Kafka {
    Kafka::connect(options(broker.address(), properties)).await.expect("the broker runs")
}

/// Where Apache Kafka can't be had, the library's mock cluster stands in for it.
#[tokio::test]
async fn apache_kafka_keeps_the_contract() {
    let mock;
    let kafka = if let Some(broker) = broker() {
        connect(broker, &[]).await
    } else {
        mock = MockCluster::new(1).expect("a mock cluster");
        for (topic, partitions) in contract::TOPICS {
            mock.create_topic(&format!("contract-{topic}"), i32::from(*partitions), 1).expect("a topic");
        }
        mock.create_topic("t.dead-letters", 1, 1).expect("a topic");
        // Past what captures the output of tests.
        let _ = writeln!(std::io::stderr(), "a mock cluster keeps the contract in its place");
        Kafka::connect_to_mock(options(mock.bootstrap_servers(), &[])).await.expect("the mock cluster runs")
    };
    contract::check(&kafka, "contract").await;
    kafka.close().await.expect("it closes");
}

#[tokio::test]
async fn no_broker_is_an_error_that_says_so() {
    let brokers = "127.0.0.3:9".to_owned();
    let (client_id, properties) = ("test".to_owned(), BTreeMap::new());
    let error = Kafka::connect(KafkaOptions { brokers, client_id, replication: None, properties }).await.unwrap_err();
    assert!(matches!(&error, StreamError::Unreachable { brokers, .. } if brokers == "127.0.0.3:9"), "{error}");
}

#[tokio::test]
async fn a_property_that_does_not_exist_is_an_error_that_names_it() {
    let properties = BTreeMap::from([("seccurity.protocol".to_owned(), "ssl".to_owned())]);
    let brokers = "127.0.0.3:9".to_owned();
    let options = KafkaOptions { brokers, client_id: "t".to_owned(), replication: None, properties };
    let error = Kafka::connect(options).await.unwrap_err().to_string();
    assert!(error.contains("kafka.properties.seccurity.protocol"), "{error}");
}

/// Transactions leave markers, and what was aborted is not to be seen: a range ends all the same.
#[tokio::test]
async fn a_range_ends_behind_aborted_transactions_and_markers() {
    let Some(broker) = broker() else { return };
    let kafka = connect(broker, &[]).await;
    kafka.open_topic(&topic("gaps", 1)).await.unwrap();
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", broker.address())
        .set("transactional.id", "gaps")
        .create()
        .unwrap();
    let send = async |text: &str| {
        let record = FutureRecord::<(), str>::to("gaps").partition(0).payload(text);
        producer.send(record, DEADLINE).await.unwrap();
    };
    let producer = producer.clone();
    producer.init_transactions(DEADLINE).unwrap();
    for (text, keep) in [("a", true), ("lost", false), ("b", true), ("lost", false)] {
        producer.begin_transaction().unwrap();
        send(text).await;
        if keep { producer.commit_transaction(DEADLINE) } else { producer.abort_transaction(DEADLINE) }.unwrap();
    }
    // Four records and four markers; the last of those is written after the producer has its answer.
    eventually(DEADLINE, || async { same(kafka.bounds("gaps", 0).await.unwrap(), &Bounds { start: 0, end: 8 }) }).await;
    let texts = |found: Vec<moose_runtime::internal::stream::Record>| -> Vec<(u64, Bytes)> {
        found.into_iter().map(|record| (record.offset, record.payload)).collect()
    };
    let expected = [(0, Bytes::from("a")), (4, Bytes::from("b"))];
    assert_eq!(texts(kafka.read_range("gaps", 0, 0, 7).await.unwrap()), expected);
    assert_eq!(texts(kafka.read_range("gaps", 0, 1, 3).await.unwrap()), []);
    assert_eq!(texts(kafka.read_range("gaps", 0, 5, 7).await.unwrap()), [], "a tail of what nobody sees");
    assert_eq!(texts(kafka.read("gaps", 0, 0, 1 << 20).await.unwrap()), expected);
    let waiting = tokio::time::timeout(Duration::from_millis(300), kafka.read("gaps", 0, 5, 1 << 20)).await;
    assert!(waiting.is_err(), "there is nothing more");
    kafka.close().await.unwrap();
}

/// What an append was answered for is there after the broker was killed, and while it is away the answer comes in time.
#[tokio::test]
async fn a_killed_broker_loses_nothing_and_is_waited_for_no_longer_than_told() {
    if !is_there() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut broker = Broker::start(&directory.path().join("broker"));
    let kafka = connect(&broker, &[("message.timeout.ms", "3000")]).await;
    kafka.open_topic(&topic("killed", 1)).await.unwrap();
    kafka.append("killed", 0, records(["before"])).await.unwrap();
    broker.kill();
    let started = std::time::Instant::now();
    match kafka.append("killed", 0, records(["meanwhile", "too"])).await {
        Err(StreamError::Partly { accepted: 0, rejected: 0, unknown: 2, .. }) => {}
        other => panic!("{other:?}"),
    }
    assert!(started.elapsed() < DEADLINE, "{:?}", started.elapsed());
    broker.restart();
    kafka.append("killed", 0, records(["after"])).await.unwrap();
    let bounds = kafka.bounds("killed", 0).await.unwrap();
    let found = contract::read_all(&kafka, "killed", 0, 0, bounds.end).await;
    let texts: Vec<_> = found.iter().map(|record| record.payload.clone()).collect();
    assert_eq!((texts.first(), texts.last()), (Some(&Bytes::from("before")), Some(&Bytes::from("after"))));
    kafka.close().await.unwrap();
}

/// What fails at the start fails at once, and its log says why.
#[test]
fn a_broker_that_ends_at_its_start_is_not_waited_for() {
    if !is_there() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let started = std::time::Instant::now();
    let broken = || Broker::start_with(&directory.path().join("broker"), &["authorizer.class.name=moose.Missing"]);
    let said = std::panic::catch_unwind(broken).unwrap_err();
    let said = said.downcast_ref::<String>().cloned().unwrap_or_default();
    assert!(said.contains("moose.Missing") && said.contains("ended before it served"), "{said}");
    assert!(started.elapsed() < Duration::from_mins(1), "{:?}", started.elapsed());
}
