//! The contract, on librdkafka's mock cluster. It can't be told to make a topic, nor to add partitions: topics are made
//! from outside, with as many partitions as they will ever have. The real ones are asked in the integration tests.

use std::collections::BTreeMap;

use rdkafka::mocking::MockCluster;

use super::{Kafka, KafkaOptions};
use crate::stream::{Backend as _, contract};

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
    let kafka = Kafka::connect(options(cluster.bootstrap_servers())).await.unwrap();
    kafka.topics.of_mock();
    contract::check(&kafka, "mock").await;
    kafka.close().await.unwrap();
}
