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

/// Timeout for responses of the brokers.
pub(super) const ANSWER: Duration = Duration::from_secs(10);

/// A confirmation means that every in-sync replica has the record, once.
const SAFE: [(&str, &str); 2] = [("enable.idempotence", "true"), ("acks", "all")];

/// The cluster, and how to talk to it.
#[derive(Clone)]
pub struct KafkaOptions {
    /// `host:port` of some brokers, separated by commas.
    pub brokers: String,
    /// The client id by which the brokers know the process.
    pub client_id: String,
    /// Replication factor of topics that are created; the brokers' default if `None`.
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
        // A broker that comes back, or a partition that was added, must be noticed soon.
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
            // A request with many records is one batch, and concurrent requests share one.
            ("linger.ms", "5"),
            // A record not confirmed by then is answered with 503; it may still be stored.
            ("message.timeout.ms", "30000"),
            // The limit of a record's size is the topic's own setting.
            ("message.max.bytes", "16777216"),
        ];
        self.client(&defaults, &SAFE)
    }

    /// For the client that appends dead letters. A record may have been received compressed, and brokers check the
    /// compressed size; so this compresses too, and has no limit of its own.
    pub(super) fn producer_of_letters(&self) -> ClientConfig {
        let mut config = self.client(&[("message.timeout.ms", "30000")], &SAFE);
        config.remove("compression.codec");
        config.set("compression.type", "zstd").set("message.max.bytes", "1000000000");
        config
    }

    /// For the client that creates topics.
    pub(super) fn admin(&self) -> ClientConfig {
        self.client(&[], &[])
    }

    /// For clients that read at positions of their own, in no group, with a prefetch of that many bytes per partition.
    pub(super) fn reader(&self, ahead: u64) -> ClientConfig {
        let queued = (ahead / 1024).max(1).to_string();
        // One more response may arrive on top of what is queued.
        let answer = (ahead / 4).clamp(16 << 10, 1 << 20).to_string();
        let defaults = [
            // Limited by bytes, for each partition; fetching resumes soon after there is space.
            ("queued.min.messages", "1000000"),
            ("queued.max.messages.kbytes", &queued),
            ("fetch.message.max.bytes", &answer),
            ("fetch.queue.backoff.ms", "20"),
            // A partition that is new to a client waits for a fetch already under way for the others.
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

/// Forwards librdkafka's log to ours.
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

/// The same, and remembers the brokers' failures: the last refusal, else the last failure.
#[derive(Debug, Default)]
pub(super) struct Troubles(Mutex<Option<(RDKafkaErrorCode, String)>>);

impl Troubles {
    /// Whether a broker is known to refuse us; later events add nothing to that.
    pub(super) fn is_refusal(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|(code, _)| is_refusal(*code))
    }

    /// Why no broker responds, as far as known.
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
        // "All brokers down" only follows from the failure of each.
        let Some(code) = error.rdkafka_error_code().filter(|code| *code != RDKafkaErrorCode::AllBrokersDown) else {
            return;
        };
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A connection that merely ended must not hide a refusal.
        if is_refusal(code) || !last.as_ref().is_some_and(|(code, _)| is_refusal(*code)) {
            *last = Some((code, reason.to_owned()));
        }
    }
}

/// Whether a broker refused us (authentication, authorisation), or we refused it (TLS).
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

/// Converts an error of librdkafka.
pub(super) fn failed(
    action: impl Into<String>,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StreamError {
    StreamError::Storage { action: action.into(), source: source.into() }
}

/// An error in a client's properties.
pub(super) fn not_made(error: &KafkaError) -> StreamError {
    let reason = match error {
        KafkaError::ClientConfig(_, reason, name, _) => format!("`kafka.properties.{name}`: {reason}"),
        other => other.to_string(),
    };
    StreamError::Settings { reason }
}

/// Whether the error means that brokers don't respond, or refuse to.
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

/// Runs a blocking call to the brokers off the async threads.
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

    /// The error reported after these events, in order.
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
