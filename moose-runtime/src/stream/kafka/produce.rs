//! Appending: an idempotent producer whose delivery reports become the answer.
//!
//! All records of one append are handed to librdkafka at once and waited for together. A producer with a fatal error is
//! replaced before the next append.

use std::{
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, ClientContext, Message as _,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer},
};
use tokio::sync::oneshot;

use super::client::{ANSWER, failed, log, not_made};
use crate::stream::{Result, StreamError};

/// How long an append waits for space in the library's queue before it gives up the rest.
const WAIT_FOR_ROOM: Duration = Duration::from_secs(10);
/// Interval of checks for space.
const PAUSE: Duration = Duration::from_millis(5);
/// Appends to partitions with the same remainder are ordered by one lock.
const STRIPES: usize = 64;

type Sender = ThreadedProducer<Reports>;

/// The client that appends.
pub(super) struct Producer {
    config: ClientConfig,
    sender: RwLock<Arc<Sender>>,
    /// Held while the records of an append are queued, so that they stay together.
    order: Vec<tokio::sync::Mutex<()>>,
}

/// A record to send.
pub(super) struct Sent<'a> {
    /// `None` is not the same as an empty key.
    pub(super) key: Option<&'a [u8]>,
    pub(super) payload: &'a [u8],
    /// Name and value.
    pub(super) header: Option<(&'a str, &'a [u8])>,
}

/// What became of the records of one append.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    first: Option<i64>,
    accepted: usize,
    rejected: usize,
    unknown: usize,
    reason: Option<KafkaError>,
}

impl Outcome {
    /// Whether a record was larger than the topic accepts.
    pub(super) fn is_too_large(&self) -> bool {
        self.reason.as_ref().and_then(KafkaError::rdkafka_error_code) == Some(RDKafkaErrorCode::MessageSizeTooLarge)
    }

    /// The smallest offset, if all records were stored.
    pub(super) fn told(self, topic: &str, partition: u16) -> Result<u64> {
        let Self { first, accepted, rejected, unknown, reason } = self;
        match (first, reason) {
            (Some(first), None) => Ok(u64::try_from(first).unwrap_or(0)),
            (_, reason) => Err(StreamError::Partly {
                topic: topic.to_owned(),
                partition,
                accepted,
                rejected,
                unknown,
                reason: reason.map_or_else(|| "no record was sent".to_owned(), |error| error.to_string()),
            }),
        }
    }
}

/// An append whose records are on their way.
struct Append {
    waiting: AtomicUsize,
    outcome: Mutex<Outcome>,
    done: Mutex<Option<oneshot::Sender<()>>>,
}

impl Append {
    fn ended(&self, result: Result<i64, KafkaError>) {
        {
            let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
            match result {
                Ok(offset) => {
                    outcome.accepted += 1;
                    outcome.first = Some(outcome.first.map_or(offset, |first| first.min(offset)));
                }
                Err(error) => {
                    if is_surely_not_stored(&error) {
                        outcome.rejected += 1;
                    } else {
                        outcome.unknown += 1;
                    }
                    outcome.reason.get_or_insert(error);
                }
            }
        }
        if self.waiting.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(done) = self.done.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            // The receiver is gone if the request was cancelled.
            let _ = done.send(());
        }
    }
}

/// Errors after which a record is certainly not in the partition, and will not be.
fn is_surely_not_stored(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    let Some(code) = error.rdkafka_error_code() else { return false };
    matches!(
        code,
        Code::QueueFull
            | Code::MessageSizeTooLarge
            | Code::PurgeQueue
            | Code::TopicAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::UnknownTopic
            | Code::UnknownPartition
            | Code::UnknownTopicOrPartition
            | Code::InvalidRecord
            | Code::PolicyViolation
            | Code::InvalidTopic
    )
}

/// Handles the delivery reports.
struct Reports;

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "moose::kafka", %error, reason);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Arc<Append>;

    fn delivery(&self, result: &DeliveryResult<'_>, append: Arc<Append>) {
        append.ended(match result {
            Ok(message) => Ok(message.offset()),
            Err((error, _)) => Err(error.clone()),
        });
    }
}

fn make(config: &ClientConfig) -> Result<Arc<Sender>> {
    let sender = config.create_with_context(Reports).map_err(|error| not_made(&error))?;
    Ok(Arc::new(sender))
}

impl Producer {
    pub(super) fn new(config: ClientConfig) -> Result<Self> {
        let order = std::iter::repeat_with(tokio::sync::Mutex::default).take(STRIPES).collect();
        let sender = RwLock::new(make(&config)?);
        Ok(Self { config, sender, order })
    }

    /// The producer, or the one that replaces it after a fatal error.
    fn sender(&self) -> Result<Arc<Sender>> {
        let sender = Arc::clone(&self.sender.read().unwrap_or_else(PoisonError::into_inner));
        let Some((code, reason)) = sender.client().fatal_error() else { return Ok(sender) };
        let mut place = self.sender.write().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&place, &sender) {
            tracing::warn!(%code, reason, "the producer has failed for good and is replaced");
            *place = make(&self.config)?;
        }
        Ok(Arc::clone(&place))
    }

    /// Appends records, in order; returns the smallest offset.
    pub(super) async fn append(&self, topic: &str, partition: u16, records: &[Sent<'_>]) -> Result<u64> {
        self.send(topic, partition, records).await?.told(topic, partition)
    }

    /// The same, but returns the outcome.
    pub(super) async fn send(&self, topic: &str, partition: u16, records: &[Sent<'_>]) -> Result<Outcome> {
        let sender = self.sender()?;
        let (done, ended) = oneshot::channel();
        let append = Arc::new(Append {
            waiting: AtomicUsize::new(records.len()),
            outcome: Mutex::default(),
            done: Mutex::new(Some(done)),
        });
        if let Some(stripe) = self.order.get(usize::from(partition) % STRIPES) {
            let _in_order = stripe.lock().await;
            let give_up = Instant::now() + WAIT_FOR_ROOM;
            for record in records {
                hand_over(&sender, topic, partition, record, &append, give_up).await;
            }
        }
        // Never an error: the sender is in `append`, which is here.
        let _ = ended.await;
        let outcome = std::mem::take(&mut *append.outcome.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(outcome)
    }

    /// Fetches the topic's number of partitions. Blocks.
    pub(super) fn learn(&self, topic: &str) -> Result<()> {
        let asked = self.sender()?.client().fetch_metadata(Some(topic), ANSWER);
        asked.map(drop).map_err(|error| failed(format!("ask the brokers about topic `{topic}`"), error))
    }

    /// Waits for the delivery of queued records, up to the deadline. Blocks.
    pub(super) fn close(&self, deadline: Duration) {
        let sender = Arc::clone(&self.sender.read().unwrap_or_else(PoisonError::into_inner));
        if let Err(error) = sender.flush(deadline) {
            tracing::warn!(%error, "not every record that was sent has been answered");
        }
    }
}

/// Adds a record to the library's queue, waiting for space there.
async fn hand_over(
    sender: &Sender,
    topic: &str,
    partition: u16,
    sent: &Sent<'_>,
    append: &Arc<Append>,
    give_up: Instant,
) {
    loop {
        let mut record = BaseRecord::<[u8], [u8], Arc<Append>>::with_opaque_to(topic, Arc::clone(append))
            .partition(i32::from(partition))
            .payload(sent.payload);
        if let Some(key) = sent.key {
            record = record.key(key);
        }
        if let Some((name, value)) = sent.header {
            record =
                record.headers(OwnedHeaders::new_with_capacity(1).insert(Header { key: name, value: Some(value) }));
        }
        match sender.send(record) {
            Ok(()) => return,
            Err((error, _)) => {
                let full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
                if !full || Instant::now() >= give_up {
                    return append.ended(Err(error));
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
