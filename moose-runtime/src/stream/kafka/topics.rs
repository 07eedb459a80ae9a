//! Topics: created where they are missing, given more partitions where they have too few; other differences are
//! reported.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rdkafka::{
    admin::{
        AdminClient, AdminOptions, ConfigResource, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
        TopicResult,
    },
    error::{KafkaError, RDKafkaErrorCode},
};

use super::{
    asker::Asker,
    client::{ANSWER, Context, KafkaOptions, blocking, failed, not_made},
    note::now,
    produce::Producer,
};
use crate::stream::{Bounds, Result, Retention, StreamError, TopicSpec};

/// How long a new topic may take to become visible.
const SEEN_WITHIN: Duration = Duration::from_secs(30);
/// How often partitions added by others are looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// How many ids of a topic that is created again and again are remembered.
const IDS: usize = 16;
/// Maximum overhead of a batch with one record, as we send it.
const BESIDE_A_RECORD: usize = 512;

/// The state of the topics in use.
pub(super) struct Topics {
    options: KafkaOptions,
    admin: AdminClient<Context>,
    asker: Asker,
    /// Must know partitions before records are sent to them.
    producer: Arc<Producer>,
    partitions: RwLock<HashMap<String, u16>>,
    /// The latest ids of each topic, and when each was seen.
    ids: RwLock<HashMap<String, Ids>>,
    max_record_bytes: AtomicUsize,
    /// Whether the brokers answer requests about topics; a mock cluster does not.
    answers: bool,
}

/// The settings for creating a topic.
pub(super) struct Settings<'a> {
    pub(super) cleanup: &'a str,
    pub(super) retention: Retention,
    /// The maximum record size, if it is not the brokers' default.
    pub(super) max_bytes: Option<u64>,
}

/// The ids under which a topic's name was seen.
#[derive(Default)]
struct Ids {
    now: u128,
    /// When each was last seen, in milliseconds since the Unix epoch; the newest few.
    seen: VecDeque<(u128, i64)>,
}

impl Ids {
    fn see(&mut self, id: u128, now: i64) {
        self.now = id;
        self.seen.retain(|(seen, _)| *seen != id);
        self.seen.push_back((id, now));
        if self.seen.len() > IDS {
            self.seen.pop_front();
        }
    }
}

impl Topics {
    pub(super) fn new(options: &KafkaOptions, producer: &Arc<Producer>) -> Result<Self> {
        let admin = options.admin().create_with_context(Context).map_err(|error| not_made(&error))?;
        let max = options.producer();
        let max = max.get("message.max.bytes").and_then(|bytes| bytes.parse().ok()).unwrap_or(1_000_000);
        Ok(Self {
            options: options.clone(),
            admin,
            asker: Asker::new(options)?,
            producer: Arc::clone(producer),
            partitions: RwLock::default(),
            ids: RwLock::default(),
            answers: true,
            max_record_bytes: AtomicUsize::new(usize::saturating_sub(max, BESIDE_A_RECORD)),
        })
    }

    /// The maximum record size that every topic in use accepts.
    pub(super) fn max_record_bytes(&self) -> usize {
        self.max_record_bytes.load(Ordering::Relaxed)
    }

    /// Checks that the brokers respond.
    pub(super) async fn reach(&self) -> Result<()> {
        self.asker.reach().await
    }

    /// Fails if the topic is not open or has no such partition.
    pub(super) fn known(&self, topic: &str, partition: u16) -> Result<()> {
        match self.count(topic) {
            None => Err(StreamError::UnknownTopic { topic: topic.to_owned() }),
            Some(count) if partition >= count => {
                Err(StreamError::UnknownPartition { topic: topic.to_owned(), partition })
            }
            Some(_) => Ok(()),
        }
    }

    pub(super) fn count(&self, topic: &str) -> Option<u16> {
        self.partitions.read().unwrap_or_else(PoisonError::into_inner).get(topic).copied()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.partitions.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// The same, but asks the brokers before it fails: partitions may have been added since the topic was opened.
    pub(super) async fn known_by_now(&self, topic: &str, partition: u16) -> Result<()> {
        if self.known(topic, partition).is_err() {
            self.look_for_more(topic).await?;
        }
        self.known(topic, partition)
    }

    async fn look_for_more(&self, topic: &str) -> Result<()> {
        let found = self.asker.look(topic).await?;
        if self.count(topic).is_some_and(|count| count < found) { self.note(topic, found).await } else { Ok(()) }
    }

    /// Sets the topic's number of partitions, once records can be sent to each of them.
    async fn note(&self, topic: &str, partitions: u16) -> Result<()> {
        let (producer, name) = (Arc::clone(&self.producer), topic.to_owned());
        blocking("learn about a topic", move || producer.learn(&name)).await?;
        let mut known = self.partitions.write().unwrap_or_else(PoisonError::into_inner);
        let before = known.insert(topic.to_owned(), partitions);
        if let Some(before) = before.filter(|before| *before != partitions) {
            tracing::info!(topic, from = before, to = partitions, "the topic has another number of partitions");
        }
        Ok(())
    }

    /// Creates the topic or adds partitions. Returns how many it has: at least those asked for.
    pub(super) async fn open(&self, spec: &TopicSpec, settings: Settings<'_>) -> Result<u16> {
        let wanted = spec.partitions.max(1);
        let mut found = self.asker.look(&spec.name).await?;
        if found == 0 {
            self.make(spec, &settings).await?;
        }
        if found != 0 && found < wanted {
            tracing::info!(topic = spec.name, from = found, to = wanted, "adding partitions");
            let grown = NewPartitions::new(&spec.name, usize::from(wanted));
            let results = self.admin.create_partitions([&grown], &admin_options()).await;
            self.look_at(results, &spec.name, "add partitions to")?;
        }
        let end = tokio::time::Instant::now() + SEEN_WITHIN;
        while found < wanted {
            if tokio::time::Instant::now() >= end {
                let action = format!("open topic `{}`", spec.name);
                return Err(failed(action, format!("{found} of its {wanted} partitions are there after 30 seconds")));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            found = self.asker.look(&spec.name).await?;
        }
        // Also for a new topic: its maximum record size may be the brokers' default.
        self.compare(spec, &settings).await;
        self.note(&spec.name, found).await?;
        Ok(found)
    }

    async fn make(&self, spec: &TopicSpec, settings: &Settings<'_>) -> Result<()> {
        let replication = self.options.replication.map_or(-1, i32::from);
        let partitions = i32::from(spec.partitions.max(1));
        let (age, bytes) = retention_texts(settings.retention);
        let max = settings.max_bytes.map(|bytes| bytes.to_string());
        let make = async |max: Option<&str>| {
            let mut new = NewTopic::new(&spec.name, partitions, TopicReplication::Fixed(replication))
                .set("cleanup.policy", settings.cleanup)
                // The lag and the retention follow the brokers' clock.
                .set("message.timestamp.type", "LogAppendTime")
                .set("retention.ms", &age)
                .set("retention.bytes", &bytes);
            if let Some(max) = max {
                new = new.set("max.message.bytes", max);
            }
            self.admin.create_topics([&new], &admin_options()).await
        };
        let mut results = make(max.as_deref()).await;
        let too_much = |result: &TopicResult| {
            matches!(result, Err((_, RDKafkaErrorCode::InvalidConfig | RDKafkaErrorCode::PolicyViolation)))
        };
        if max.is_some() && results.as_ref().is_ok_and(|results| results.iter().any(too_much)) {
            // Some services allow less.
            tracing::warn!(
                topic = spec.name,
                max,
                "the brokers refuse `max.message.bytes`; the topic is made without it"
            );
            results = make(None).await;
        }
        self.look_at(results, &spec.name, "make")
    }

    /// Whether it succeeded, or another process did it at the same time.
    fn look_at(&self, results: Result<Vec<TopicResult>, KafkaError>, topic: &str, what: &str) -> Result<()> {
        let action = || format!("{what} topic `{topic}` on {}", self.options.brokers);
        for result in results.map_err(|error| failed(action(), error))? {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists | RDKafkaErrorCode::InvalidPartitions)) => {}
                Err((_, code)) => return Err(failed(action(), code)),
            }
        }
        Ok(())
    }

    /// Logs where an existing topic differs from its declaration; nothing is changed.
    async fn compare(&self, spec: &TopicSpec, settings: &Settings<'_>) {
        let name = spec.name.as_str();
        if !self.answers {
            return;
        }
        let asked = self.admin.describe_configs([&ResourceSpecifier::Topic(name)], &admin_options()).await;
        let Ok(Some(Ok(found))) = asked.map(|mut found| found.pop()) else {
            tracing::debug!(topic = name, "the settings of the topic can't be asked for");
            return;
        };
        let (age, bytes) = retention_texts(settings.retention);
        for (key, wanted) in [("cleanup.policy", settings.cleanup), ("retention.ms", &age), ("retention.bytes", &bytes)]
        {
            let value = found.get(key).and_then(|entry| entry.value.as_deref());
            if let Some(value) = value.filter(|value| *value != wanted) {
                tracing::warn!(
                    topic = name,
                    setting = key,
                    value,
                    declared = wanted,
                    "the topic is set otherwise; left as it is"
                );
            }
        }
        // The stream must accept every record that the front door does.
        if let Some(max) = max_bytes(&found).filter(|_| settings.max_bytes.is_none()) {
            let max = usize::try_from(max).unwrap_or(usize::MAX).saturating_sub(BESIDE_A_RECORD);
            self.max_record_bytes.fetch_min(max, Ordering::Relaxed);
        }
    }

    /// The maximum size of a message that the topic accepts, compressed; `None` if that is unknown or there is no
    /// topic.
    pub(super) async fn max_bytes(&self, topic: &str) -> Result<Option<u64>> {
        if !self.answers {
            return Ok(None);
        }
        let action = || format!("ask for the settings of topic `{topic}`");
        let asked = self.admin.describe_configs([&ResourceSpecifier::Topic(topic)], &admin_options()).await;
        match asked.map_err(|error| failed(action(), error))?.pop() {
            Some(Ok(found)) => Ok(max_bytes(&found)),
            Some(Err(RDKafkaErrorCode::UnknownTopicOrPartition)) | None => Ok(None),
            Some(Err(code)) => Err(failed(action(), code)),
        }
    }

    /// Whether the topic exists.
    pub(super) async fn exists(&self, topic: &str) -> Result<bool> {
        Ok(self.asker.look(topic).await? > 0)
    }

    /// The offsets of a partition that a reader can see.
    pub(super) async fn bounds(&self, topic: &str, partition: u16) -> Result<Bounds> {
        self.known(topic, partition)?;
        self.asker.bounds(topic, partition).await
    }

    /// Whether the partition begins with records older than that time.
    pub(super) async fn begins_before(&self, topic: &str, partition: u16, time: i64) -> Result<bool> {
        self.known(topic, partition)?;
        self.asker.begins_before(topic, partition, time).await
    }

    /// The topic's id as assigned by the brokers, 0 if they assign none; and the one found the time before.
    pub(super) async fn id(&self, topic: &str) -> Result<(u128, Option<u128>)> {
        let id = if self.answers { self.asker.id(topic).await? } else { 0 };
        let known = self.ids.read().unwrap_or_else(PoisonError::into_inner).get(topic).map(|ids| ids.now);
        if known.is_some_and(|known| known != id) {
            // It may have fewer partitions than the one before.
            match self.asker.look(topic).await? {
                0 => return Err(StreamError::UnknownTopic { topic: topic.to_owned() }),
                found => self.note(topic, found).await?,
            }
        }
        let mut ids = self.ids.write().unwrap_or_else(PoisonError::into_inner);
        let before = ids.get(topic).map(|ids| ids.now);
        ids.entry(topic.to_owned()).or_default().see(id, now());
        Ok((id, before))
    }

    /// When this process last saw the topic with that id, in milliseconds since the Unix epoch.
    pub(super) fn last_seen(&self, topic: &str, id: u128) -> Option<i64> {
        let ids = self.ids.read().unwrap_or_else(PoisonError::into_inner);
        ids.get(topic)?.seen.iter().find(|(seen, _)| *seen == id).map(|(_, at)| *at)
    }

    /// Keeps looking for partitions that others add to the topics in use, until those are dropped.
    pub(super) fn keep_looking(topics: &Arc<Self>) {
        let topics = Arc::downgrade(topics);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK_AGAIN).await;
                let Some(topics) = topics.upgrade() else { return };
                for topic in topics.names() {
                    if let Err(error) = topics.look_for_more(&topic).await {
                        tracing::debug!(topic, %error, "can't look for added partitions");
                    }
                }
            }
        });
    }

    /// For a mock cluster, which does not answer requests about topics.
    #[cfg(any(test, feature = "fault-points"))]
    pub(super) fn of_mock(options: &KafkaOptions, producer: &Arc<Producer>) -> Result<Self> {
        Ok(Self { answers: false, ..Self::new(options, producer)? })
    }
}

fn max_bytes(settings: &ConfigResource) -> Option<u64> {
    settings.get("max.message.bytes")?.value.as_deref()?.parse().ok()
}

fn admin_options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ANSWER)).operation_timeout(Some(ANSWER))
}

fn retention_texts(retention: Retention) -> (String, String) {
    let age = retention.age.map_or_else(|| "-1".to_owned(), |age| age.as_millis().to_string());
    let bytes = retention.bytes.map_or_else(|| "-1".to_owned(), |bytes| bytes.to_string());
    (age, bytes)
}
