//! Runs the contract on librdkafka's mock cluster. That can't create topics or add partitions on request: topics are
//! made from outside, with as many partitions as they will ever have. Real brokers are used in the integration tests.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rdkafka::{
    mocking::{MockCluster, MockCoordinator},
    types::{RDKafkaApiKey, RDKafkaRespErr},
};

use super::{Kafka, KafkaOptions, is_new};
use crate::stream::{Backend as _, Bounds, Cursor, Pending, Result, contract};

fn options(brokers: String) -> KafkaOptions {
    KafkaOptions { brokers, client_id: "test".to_owned(), replication: None, properties: BTreeMap::new() }
}

#[tokio::test]
async fn the_mock_cluster_keeps_the_contract() {
    let cluster = MockCluster::new(1).unwrap();
    for (topic, partitions) in contract::TOPICS {
        cluster.create_topic(&format!("mock-{topic}"), i32::from(*partitions), 1).unwrap();
    }
    cluster.create_topic("t.dead-letters", 1, 1).unwrap();
    let kafka = Kafka::connect_to_mock(options(cluster.bootstrap_servers())).await.unwrap();
    contract::check(&kafka, "mock").await;
    kafka.close().await.unwrap();
}

/// Brokers that fail at everything now and then, a group whose coordinator moves, and a partition whose leader does.
#[tokio::test]
async fn errors_of_brokers_lose_nothing_and_read_nothing_twice() {
    use RDKafkaRespErr as Answer;
    const ROUNDS: u64 = 12;
    let cluster = MockCluster::new(3).unwrap();
    cluster.create_topic("shaky", 1, 3).unwrap();
    let kafka = Kafka::connect_to_mock(options(cluster.bootstrap_servers())).await.unwrap();
    kafka.open_topic(&contract::topic("shaky", 1)).await.unwrap();
    let mut assignments = kafka.assignments("shaky group", &["shaky".to_owned()]).await.unwrap();
    assignments.next().await.unwrap();
    let epoch = kafka.epoch("shaky group", "shaky", 0).await.unwrap();

    let mut next = 0;
    for round in 0..ROUNDS {
        let broker = i32::try_from(round % 3).unwrap() + 1;
        cluster.partition_leader("shaky", 0, Some(broker)).unwrap();
        cluster.coordinator(MockCoordinator::Group("shaky group".to_owned()), 4 - broker).unwrap();
        for (request, answers) in [
            (RDKafkaApiKey::Produce, Answer::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS),
            (RDKafkaApiKey::Produce, Answer::RD_KAFKA_RESP_ERR__TRANSPORT),
            (RDKafkaApiKey::Produce, Answer::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT),
            (RDKafkaApiKey::Fetch, Answer::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION),
            (RDKafkaApiKey::Fetch, Answer::RD_KAFKA_RESP_ERR__TRANSPORT),
            (RDKafkaApiKey::ListOffsets, Answer::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE),
            (RDKafkaApiKey::OffsetFetch, Answer::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS),
            (RDKafkaApiKey::OffsetCommit, Answer::RD_KAFKA_RESP_ERR_NOT_COORDINATOR),
            (RDKafkaApiKey::OffsetCommit, Answer::RD_KAFKA_RESP_ERR__TRANSPORT),
        ] {
            cluster.request_errors(request, &[answers]);
        }
        let texts: Vec<_> = (next..next + 5).map(|number| number.to_string()).collect();
        let records = contract::records(texts.iter().map(String::as_str));
        assert_eq!(kafka.append("shaky", 0, records).await.unwrap(), next, "appended once");
        let read = contract::read_all(&kafka, "shaky", 0, next, next + 5).await;
        assert!(read.iter().map(|record| &record.payload).eq(&texts), "{read:?}");
        next += 5;
        // The caller retries the commit until it succeeds.
        eventually(async || kafka.commit("shaky group", "shaky", 0, &contract::cursor(epoch, next)).await).await;
        let cursor = eventually(async || kafka.cursor("shaky group", "shaky", 0).await).await;
        assert_eq!(cursor, Some(contract::cursor(epoch, next)));
    }
    let all = contract::read_all(&kafka, "shaky", 0, 0, next).await;
    let numbers: Vec<_> = (0..next).map(|number| number.to_string()).collect();
    assert!(all.iter().map(|record| &record.payload).eq(&numbers), "{all:?}");
    drop(assignments);
    kafka.close().await.unwrap();
}

/// Retries until it succeeds.
async fn eventually<T>(mut work: impl AsyncFnMut() -> Result<T>) -> T {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        match work().await {
            Ok(done) => return done,
            Err(error) => assert!(Instant::now() < end, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn noted(next: u64, last: Option<u64>) -> Cursor {
    let range = |last| Pending::new(next, last, 0);
    let pending = last.map(range).into_iter().collect();
    Cursor { pending, ..Cursor::new(1, next) }
}

#[test]
fn a_topic_with_another_id_is_new_only_if_it_can_not_be_the_old_one() {
    let holds = |start, end| Bounds { start, end };
    let at_ten = noted(10, Some(19));
    for (bounds, here, older, expected) in [
        (holds(0, 5), false, false, true),
        (holds(0, 19), false, false, true),
        (holds(11, 30), false, false, true),
        // It has what the cursor needs, and nobody has seen it come.
        (holds(0, 20), false, false, false),
        (holds(10, 20), false, false, false),
        (holds(0, 20), true, false, true),
        // It has what was there before.
        (holds(0, 20), true, true, false),
        (holds(0, 5), false, true, false),
        (holds(11, 30), true, true, false),
    ] {
        assert_eq!(is_new(&at_ten, bounds, here, older), expected, "{bounds:?} {here} {older}");
    }
    assert!(!is_new(&noted(10, None), holds(0, 10), false, false));
}
