//! Group membership and cursors: one client per group, which is a member, commits, and reads nothing.
//!
//! A thread of its own polls the client for ever, so that slow work on records never costs the membership. What the
//! group assigns to this process and revokes is sent to the holder of the [`Assignments`]; a revoked partition is given
//! up only once the holder has confirmed that its work on it is over.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
    types::RDKafkaRespErr,
};
use tokio::sync::{mpsc, oneshot};

use super::{
    client::{ANSWER, KafkaOptions, blocking, failed, log, not_made},
    ffi,
};
use crate::stream::{AssignmentEvent, Assignments, Result};

/// How long the thread waits for an event before it checks whether to end.
const POLL: Duration = Duration::from_millis(100);
/// How long workers have to finish after partitions are revoked; then the partitions are given up all the same, because
/// the group would soon go on without this process.
const LET_GO_WITHIN: Duration = Duration::from_mins(4);
/// The same when the process leaves the group: later answers are ignored.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// This process's membership in a group.
pub(super) struct Group {
    name: String,
    consumer: Arc<BaseConsumer<Member>>,
    stop: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Handles the events of the group.
struct Member {
    group: String,
    events: Mutex<Option<mpsc::UnboundedSender<AssignmentEvent>>>,
    /// The process leaves: its workers have ended or are being ended.
    closing: AtomicBool,
}

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "moose::kafka", group = self.group, %error, reason);
    }
}

impl ConsumerContext for Member {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, event: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let done = match event {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.take(consumer, list),
            _ => self.let_go(consumer, list),
        };
        if let Err(error) = done {
            tracing::error!(group = self.group, %error, "failed to follow the group");
        }
    }
}

impl Member {
    fn take(&self, consumer: &BaseConsumer<Self>, list: &mut TopicPartitionList) -> Result<(), KafkaError> {
        // At the end and paused: this client never reads.
        list.set_all_offsets(Offset::End)?;
        consumer.incremental_assign(list)?;
        if list.count() > 0 {
            consumer.pause(list)?;
        }
        for (topic, partition) in places(list) {
            tracing::info!(group = self.group, topic, partition, "assigned");
            self.tell(AssignmentEvent::Assigned { topic, partition });
        }
        Ok(())
    }

    fn let_go(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) -> Result<(), KafkaError> {
        let without_asking = consumer.assignment_lost();
        let mut waiting = Vec::new();
        for (topic, partition) in places(list) {
            tracing::info!(group = self.group, topic, partition, without_asking, "revoked");
            let (done, over) = oneshot::channel();
            self.tell(AssignmentEvent::Revoked { topic, partition, done });
            waiting.push(over);
        }
        let end = Instant::now() + LET_GO_WITHIN;
        let mut closing_since = None;
        for mut over in waiting {
            while !is_answered(&mut over) {
                let closing = self.closing.load(Ordering::Acquire);
                let closes_at = closing.then(|| *closing_since.get_or_insert_with(Instant::now) + CLOSE_WITHIN);
                if Instant::now() >= closes_at.unwrap_or(end).min(end) {
                    tracing::warn!(group = self.group, "nobody has said that the work on a partition is over");
                    break;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        consumer.incremental_unassign(list)
    }

    fn tell(&self, event: AssignmentEvent) {
        if let Some(events) = self.events.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            // The receiver may be gone while the process ends.
            let _ = events.send(event);
        }
    }
}

/// Whether the answer has arrived, or never will.
fn is_answered(over: &mut oneshot::Receiver<()>) -> bool {
    !matches!(over.try_recv(), Err(oneshot::error::TryRecvError::Empty))
}

fn places(list: &TopicPartitionList) -> Vec<(String, u16)> {
    let place = |topic: &str, partition: i32| Some((topic.to_owned(), u16::try_from(partition).ok()?));
    list.elements().iter().filter_map(|element| place(element.topic(), element.partition())).collect()
}

/// The committed offset of a group in a partition, with its metadata.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Committed {
    pub(super) offset: u64,
    pub(super) metadata: Vec<u8>,
}

impl Group {
    pub(super) fn open(options: &KafkaOptions, name: &str) -> Result<Self> {
        let member = Member { group: name.to_owned(), events: Mutex::default(), closing: AtomicBool::new(false) };
        let consumer: BaseConsumer<Member> =
            options.member(name).create_with_context(member).map_err(|error| not_made(&error))?;
        let (consumer, stop) = (Arc::new(consumer), Arc::new(AtomicBool::new(false)));
        let serve = {
            let (consumer, stop) = (Arc::clone(&consumer), Arc::clone(&stop));
            move || {
                while !stop.load(Ordering::Relaxed) {
                    // Nothing is read here; a record that slipped in before the pause is read elsewhere.
                    if let Some(Err(error)) = consumer.poll(POLL) {
                        tracing::debug!(target: "moose::kafka", %error, "membership");
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("kafka-member".to_owned()).spawn(serve);
        let thread = thread.map_err(|source| failed("start a thread for a Kafka client", source))?;
        Ok(Self { name: name.to_owned(), consumer, stop, thread: Mutex::new(Some(thread)) })
    }

    /// Joins the group and subscribes to these topics.
    pub(super) fn join(&self, topics: &[String]) -> Result<Assignments> {
        let (sender, receiver) = mpsc::unbounded_channel();
        *self.consumer.context().events.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        let joined = self.consumer.subscribe(&topics);
        joined.map_err(|error| failed(format!("join the group `{}`", self.name), error))?;
        Ok(Assignments::new(receiver))
    }

    /// The last commit for a partition.
    pub(super) async fn committed(&self, topic: &str, partition: u16) -> Result<Option<Committed>> {
        let action = format!("read the offset of `{}` on topic `{topic}` partition {partition}", self.name);
        let (consumer, topic) = (Arc::clone(&self.consumer), topic.to_owned());
        blocking("read an offset", move || {
            let mut list = TopicPartitionList::new();
            list.add_partition(&topic, i32::from(partition));
            let list = consumer.committed_offsets(list, ANSWER).map_err(|error| failed(action.clone(), error))?;
            let elements = list.elements();
            let Some(element) = elements.first() else { return Ok(None) };
            element.error().map_err(|error| failed(action, error))?;
            let Offset::Offset(offset) = element.offset() else { return Ok(None) };
            let metadata = ffi::metadata(&list);
            Ok(Some(Committed { offset: u64::try_from(offset).unwrap_or(0), metadata }))
        })
        .await
    }

    /// Commits; returns once the brokers have responded.
    pub(super) async fn commit(&self, topic: &str, partition: u16, offset: u64, metadata: String) -> Result<()> {
        let action = format!("commit the offset of `{}` on topic `{topic}` partition {partition}", self.name);
        let (consumer, topic) = (Arc::clone(&self.consumer), topic.to_owned());
        blocking("commit an offset", move || {
            let mut list = TopicPartitionList::new();
            let offset = i64::try_from(offset).map_err(|error| failed(action.clone(), error))?;
            let mut element = list.add_partition(&topic, i32::from(partition));
            element.set_offset(Offset::Offset(offset)).map_err(|error| failed(action.clone(), error))?;
            element.set_metadata(metadata);
            consumer.commit(&list, CommitMode::Sync).map_err(|error| match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::UnknownMemberId | RDKafkaErrorCode::IllegalGeneration) => {
                    failed(action, format!("another member of the group has the partition ({error})"))
                }
                _ => failed(action, error),
            })
        })
        .await
    }

    /// Leaves the group. Blocks.
    pub(super) fn close(&self) {
        self.consumer.context().closing.store(true, Ordering::Release);
        self.consumer.unsubscribe();
        // The thread runs until everything assigned is given up.
        let end = Instant::now() + ANSWER;
        while Instant::now() < end && self.consumer.assignment().is_ok_and(|list| list.count() > 0) {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // A thread that panicked has no result.
            let _ = thread.join();
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
