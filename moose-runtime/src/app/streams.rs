//! Opens the storage of the streams, the embedded log or Kafka, as the configuration chooses.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use super::{
    AppError,
    topology::{StreamNode, Subscription, Topology},
};
#[cfg(feature = "kafka")]
use crate::stream::kafka::{Kafka, KafkaOptions};
use crate::{
    config::Config,
    machine::private,
    stream::{
        self, Backend, Topic,
        accounting::Way,
        log::{Log, LogOptions},
    },
};

/// Whether the streams are on Kafka; otherwise they are in the embedded log.
pub(crate) fn on_brokers(config: &Config) -> bool {
    config.kafka.brokers.is_some()
}

/// Whether there may be streams already. Of those on Kafka only the brokers know.
pub(super) fn may_exist(config: &Config) -> bool {
    on_brokers(config) || log_directory(config).exists()
}

/// Opens the storage of the streams: Kafka where brokers are configured, else the embedded log.
pub(crate) async fn open(config: &Config) -> Result<Arc<dyn Backend>, AppError> {
    let directory = |source| AppError::DataDirectory { path: config.data_dir.clone(), source };
    private::data_directory(&config.data_dir).map_err(directory)?;
    if let Some(brokers) = &config.kafka.brokers {
        return on_kafka(config, brokers).await;
    }
    private::create(&log_directory(config)).map_err(directory)?;
    let options =
        LogOptions { disk_budget: config.stream.disk_budget.as_u64(), ..LogOptions::new(log_directory(config)) };
    Ok(Arc::new(Log::open(options)?))
}

#[cfg(feature = "kafka")]
async fn on_kafka(config: &Config, brokers: &str) -> Result<Arc<dyn Backend>, AppError> {
    let options = KafkaOptions {
        brokers: brokers.to_owned(),
        client_id: config.app.name.clone(),
        replication: u16::try_from(config.kafka.replication_factor).ok().filter(|replicas| *replicas > 0),
        properties: config.kafka.properties.clone(),
    };
    Ok(Arc::new(Kafka::connect(options).await?))
}

#[cfg(not(feature = "kafka"))]
async fn on_kafka(_config: &Config, _brokers: &str) -> Result<Arc<dyn Backend>, AppError> {
    std::future::ready(Err(AppError::NoKafka)).await
}

/// Where the embedded log lies.
fn log_directory(config: &Config) -> PathBuf {
    config.data_dir.join("stream")
}

/// Opens the topics of all streams: each by name, and the routes of their records.
pub(super) async fn open_topics(
    backend: &dyn Backend,
    topology: &Topology,
) -> stream::Result<(HashMap<String, Topic>, Vec<Way>)> {
    let (mut topics, mut ways) = (HashMap::new(), Vec::new());
    for StreamNode { topic, subscriptions } in &topology.streams {
        let opened = backend.open_topic(topic).await?;
        ways.extend(subscriptions.iter().map(|Subscription { table, group }| Way {
            topic: topic.name.clone(),
            epoch: opened.epoch,
            table: table.clone(),
            group: group.clone(),
        }));
        topics.insert(topic.name.clone(), opened);
    }
    Ok((topics, ways))
}
