//! Metadata requests to the brokers, about topics and their partitions; nothing is cached here.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::RDKafkaErrorCode,
};

use super::{
    client::{ANSWER, KafkaOptions, Troubles, blocking, failed, is_unreachable, not_made},
    ffi,
};
use crate::stream::{Bounds, Result};

/// How long events about failures of the brokers are collected, and how long to wait for the next one.
const TROUBLES: Duration = Duration::from_secs(1);
const TROUBLE: Duration = Duration::from_millis(100);
/// The client for metadata requests; a member of no group.
pub(super) struct Asker {
    consumer: Arc<BaseConsumer<Troubles>>,
    brokers: String,
}

impl Asker {
    pub(super) fn new(options: &KafkaOptions) -> Result<Self> {
        let consumer = options.reader(1 << 20).create_with_context(Troubles::default());
        let consumer: BaseConsumer<Troubles> = consumer.map_err(|error| not_made(&error))?;
        Ok(Self { consumer: Arc::new(consumer), brokers: options.brokers.clone() })
    }

    /// Checks that the brokers respond.
    pub(super) async fn reach(&self) -> Result<()> {
        let (consumer, brokers) = (Arc::clone(&self.consumer), self.brokers.clone());
        blocking("ask the brokers", move || {
            let Err(error) = consumer.fetch_metadata(Some("__consumer_offsets"), ANSWER) else { return Ok(()) };
            if !is_unreachable(&error) {
                return Err(failed("ask the brokers for their topics", error));
            }
            // The error only reports a timeout; the causes are in events that wait to be polled, one by one.
            let end = Instant::now() + TROUBLES;
            while consumer.poll(TROUBLE).is_some() && !consumer.context().is_refusal() && Instant::now() < end {}
            Err(consumer.context().told(brokers, &error))
        })
        .await
    }

    /// The number of partitions that the brokers know; 0 if there is no such topic.
    pub(super) async fn look(&self, topic: &str) -> Result<u16> {
        let (consumer, name) = (Arc::clone(&self.consumer), topic.to_owned());
        blocking("look at a topic", move || {
            let metadata = consumer
                .fetch_metadata(Some(&name), ANSWER)
                .map_err(|error| failed(format!("ask the brokers about topic `{name}`"), error))?;
            let Some(found) = metadata.topics().iter().find(|found| found.name() == name) else { return Ok(0) };
            match found.error().map(RDKafkaErrorCode::from) {
                None => Ok(u16::try_from(found.partitions().len()).unwrap_or(u16::MAX)),
                Some(
                    RDKafkaErrorCode::UnknownTopicOrPartition
                    | RDKafkaErrorCode::UnknownTopic
                    | RDKafkaErrorCode::LeaderNotAvailable,
                ) => Ok(0),
                Some(code) => Err(failed(format!("ask the brokers about topic `{name}`"), code)),
            }
        })
        .await
    }

    /// The offsets of a partition that a reader can see.
    pub(super) async fn bounds(&self, topic: &str, partition: u16) -> Result<Bounds> {
        let (consumer, topic) = (Arc::clone(&self.consumer), topic.to_owned());
        blocking("ask for the bounds of a partition", move || {
            let found = consumer.fetch_watermarks(&topic, i32::from(partition), ANSWER);
            let action = || format!("ask for the bounds of topic `{topic}` partition {partition}");
            let (start, end) = found.map_err(|error| failed(action(), error))?;
            Ok(Bounds { start: u64::try_from(start).unwrap_or(0), end: u64::try_from(end).unwrap_or(0) })
        })
        .await
    }

    /// Whether the partition begins with records older than that time.
    pub(super) async fn begins_before(&self, topic: &str, partition: u16, time: i64) -> Result<bool> {
        let Bounds { start, end } = self.bounds(topic, partition).await?;
        let (consumer, topic) = (Arc::clone(&self.consumer), topic.to_owned());
        blocking("ask for the age of a partition", move || {
            let action = || format!("ask for the age of topic `{topic}` partition {partition}");
            let mut list = TopicPartitionList::new();
            let added = list.add_partition_offset(&topic, i32::from(partition), Offset::Offset(time.max(0)));
            added.map_err(|error| failed(action(), error))?;
            let found = consumer.offsets_for_times(list, ANSWER).map_err(|error| failed(action(), error))?;
            let elements = found.elements();
            let Some(element) = elements.first() else { return Ok(false) };
            element.error().map_err(|error| failed(action(), error))?;
            // The first record that is not older; the end if all of them are.
            Ok(match element.offset() {
                Offset::Offset(first) => u64::try_from(first).unwrap_or(0) > start,
                _ => end > start,
            })
        })
        .await
    }

    /// The topic's id as assigned by the brokers, 0 if they assign none.
    pub(super) async fn id(&self, topic: &str) -> Result<u128> {
        let (consumer, topic) = (Arc::clone(&self.consumer), topic.to_owned());
        blocking("ask for the id of a topic", move || {
            let id = ffi::topic_id(&consumer, &topic, ANSWER);
            Ok(id.map_err(|code| failed(format!("ask for the id of topic `{topic}`"), code))?.unwrap_or(0))
        })
        .await
    }
}
