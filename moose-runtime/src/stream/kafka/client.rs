//! The common configuration of all Kafka clients: their properties, and where their log goes.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    consumer::ConsumerContext,
    error::{KafkaError, RDKafkaErrorCode},
};

use crate::stream::StreamError;

/// How long an answer of the brokers is waited for.
pub(super) const ANSWER: Duration = Duration::from_secs(10);

/// An answer means that every replica in sync has the record, once.
const SAFE: [(&str, &str); 2] = [("enable.idempotence", "true"), ("acks", "all")];

/// The cluster, and how to talk to it.
#[derive(Clone)]
pub struct KafkaOptions {
    /// `host:port` of some brokers, divided by commas.
    pub brokers: String,
    /// How the process is named at the brokers.
    pub client_id: String,
    /// How many brokers keep each topic that is made; what the brokers are set to where none is given.
    pub replication: Option<u16>,
    /// More properties of librdkafka, for every client.
    pub properties: BTreeMap<String, String>,
}

/// Shows names of properties, never their values: passwords are among them.
impl std::fmt::Debug for KafkaOptions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { brokers, client_id, replication, properties } = self;
        formatter
            .debug_struct("KafkaOptions")
            .field("brokers", brokers)
            .field("client_id", client_id)
            .field("replication", replication)
            .field("properties", &properties.keys())
            .finish()
    }
}

impl KafkaOptions {
    fn client(&self, defaults: &[(&str, &str)], fixed: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set_log_level(RDKafkaLogLevel::Warning);
        config.set("client.id", &self.client_id);
        config.set("socket.keepalive.enable", "true");
        // A broker that comes back is to be seen soon, and a partition that was added.
        config.set("reconnect.backoff.max.ms", "1000");
        config.set("topic.metadata.refresh.interval.ms", "10000");
        for (name, value) in defaults {
            config.set(*name, *value);
        }
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config.set("bootstrap.servers", &self.brokers);
        for (name, value) in fixed {
            config.set(*name, *value);
        }
        config
    }

    /// For the client that appends.
    pub(super) fn producer(&self) -> ClientConfig {
        let defaults = [
            // A request of many records is one batch, and those that come at once share it.
            ("linger.ms", "5"),
            // What is not taken by then is answered 503; it may still land.
            ("message.timeout.ms", "30000"),
            // What a topic takes is for its own settings to say.
            ("message.max.bytes", "16777216"),
        ];
        self.client(&defaults, &SAFE)
    }

    /// For the client that appends dead letters. A record may have come packed, and brokers count what is packed: so does
    /// this, and takes whatever it is given.
    pub(super) fn producer_of_letters(&self) -> ClientConfig {
        let mut config = self.client(&[("message.timeout.ms", "30000")], &SAFE);
        config.remove("compression.codec");
        config.set("compression.type", "zstd").set("message.max.bytes", "1000000000");
        config
    }

    /// For the client that makes topics.
    pub(super) fn admin(&self) -> ClientConfig {
        self.client(&[], &[])
    }

    /// For clients that read at positions of their own, in no group, and so many bytes ahead in each partition.
    pub(super) fn reader(&self, ahead: u64) -> ClientConfig {
        let queued = (ahead / 1024).max(1).to_string();
        // One answer may come on top of what is queued.
        let answer = (ahead / 4).clamp(16 << 10, 1 << 20).to_string();
        let defaults = [
            // Bounded by bytes, for each partition; asked for again soon after there is room.
            ("queued.min.messages", "1000000"),
            ("queued.max.messages.kbytes", &queued),
            ("fetch.message.max.bytes", &answer),
            ("fetch.queue.backoff.ms", "20"),
            // A partition that is new to a client waits for the answer that others wait for.
            ("fetch.wait.max.ms", "100"),
        ];
        let fixed = [
            ("isolation.level", "read_committed"),
            ("auto.offset.reset", "error"),
            ("enable.partition.eof", "true"),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
        ];
        self.client(&defaults, &fixed)
    }

    /// For the client that is a member of a group and commits, and reads nothing.
    pub(super) fn member(&self, group: &str) -> ClientConfig {
        let defaults = [("session.timeout.ms", "45000"), ("queued.max.messages.kbytes", "1024")];
        let fixed = [
            ("group.id", group),
            ("partition.assignment.strategy", "cooperative-sticky"),
            ("isolation.level", "read_committed"),
            ("auto.offset.reset", "error"),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
        ];
        self.client(&defaults, &fixed)
    }
}

/// Sends the library's log where all of it goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context;

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "moose::kafka", %error, reason);
    }
}

impl ConsumerContext for Context {}

/// The same, and remembers what went wrong with the brokers: the last refusal, else the last of all.
#[derive(Debug, Default)]
pub(super) struct Troubles(Mutex<Option<(RDKafkaErrorCode, String)>>);

impl Troubles {
    /// Whether a broker is known to refuse us; nothing that happens later tells more.
    pub(super) fn is_refusal(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|(code, _)| is_refusal(*code))
    }

    /// Why no broker answers, as far as it is known.
    pub(super) fn told(&self, brokers: String, error: &KafkaError) -> StreamError {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some((code, reason)) if is_refusal(code) => StreamError::Denied { brokers, reason },
            Some((_, reason)) => StreamError::Unreachable { brokers, reason },
            None => StreamError::Unreachable { brokers, reason: error.to_string() },
        }
    }
}

impl ClientContext for Troubles {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        Context.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        Context.error(error.clone(), reason);
        // That all brokers are down follows from what went wrong with each.
        let Some(code) = error.rdkafka_error_code().filter(|code| *code != RDKafkaErrorCode::AllBrokersDown) else {
            return;
        };
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A connection that just ended hides no refusal.
        if is_refusal(code) || !last.as_ref().is_some_and(|(code, _)| is_refusal(*code)) {
            *last = Some((code, reason.to_owned()));
        }
    }
}

/// Whether a broker let us know, or we let it, that we are not to talk to each other.
fn is_refusal(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SSL)
}

impl ConsumerContext for Troubles {}

pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    if (level as i32) <= (RDKafkaLogLevel::Error as i32) {
        tracing::warn!(target: "moose::kafka", facility, "{message}");
    } else {
        tracing::debug!(target: "moose::kafka", facility, "{message}");
    }
}

/// What failed, as the stream says it.
pub(super) fn failed(
    action: impl Into<String>,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StreamError {
    StreamError::Storage { action: action.into(), source: source.into() }
}

/// What is wrong with a client's properties.
pub(super) fn not_made(error: &KafkaError) -> StreamError {
    let reason = match error {
        KafkaError::ClientConfig(_, reason, name, _) => format!("`kafka.properties.{name}`: {reason}"),
        other => other.to_string(),
    };
    StreamError::Settings { reason }
}

/// Whether the error is about brokers that don't answer, or refuse to.
pub(super) fn is_unreachable(error: &KafkaError) -> bool {
    error.rdkafka_error_code().is_some_and(|code| {
        let silent = matches!(
            code,
            RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::Resolve
        );
        silent || is_refusal(code)
    })
}

/// Runs a call that waits for the brokers off the async threads.
pub(super) async fn blocking<T: Send + 'static>(
    action: &str,
    work: impl FnOnce() -> Result<T, StreamError> + Send + 'static,
) -> Result<T, StreamError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| failed(action, error))?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of brokers with which this went wrong, one after the other.
    fn told(troubles: &[(RDKafkaErrorCode, &str)]) -> String {
        let context = Troubles::default();
        for (code, reason) in troubles {
            context.error(KafkaError::Global(*code), reason);
        }
        context.told("host:1".to_owned(), &KafkaError::MetadataFetch(RDKafkaErrorCode::OperationTimedOut)).to_string()
    }

    #[test]
    fn a_refusal_is_told_whatever_else_went_wrong() {
        let lost = (RDKafkaErrorCode::BrokerTransportFailure, "disconnected");
        let down = (RDKafkaErrorCode::AllBrokersDown, "1/1 brokers are down");
        for refusal in [RDKafkaErrorCode::SSL, RDKafkaErrorCode::Authentication] {
            let refused = (refusal, "certificate verify failed");
            for troubles in [[refused, lost, down], [lost, refused, down], [lost, down, refused]] {
                let told = told(&troubles);
                assert!(told.contains("certificate verify failed; set `kafka.properties`"), "{told}");
            }
        }
        let gone = told(&[(RDKafkaErrorCode::Resolve, "no such host"), lost, down]);
        assert!(gone.contains("disconnected") && !gone.contains("kafka.properties"), "{gone}");
        assert!(told(&[down]).contains("OperationTimedOut"), "{}", told(&[down]));
    }
}
