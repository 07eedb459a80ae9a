//! Readiness: whether the pipeline makes progress, and if not, why.
//!
//! Two things count. A failure that is being retried, once it is older than [`FAILURE_GRACE`](super::FAILURE_GRACE);
//! for a stream at once, because nothing can be accepted without it. And a lag above its bound, if the table has
//! received no record for as long.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use serde::Serialize;

use super::state::{ManageState, counts};
use crate::{
    stream::Trouble,
    telemetry::{Component, Failure, LagLabel, Metrics, TableLabel},
    time::rfc3339,
};

/// Why the pipeline is not ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Reason {
    /// The component, such as ``table `events` ``.
    part: String,
    /// Since when, RFC 3339.
    since: String,
    /// ClickHouse's error code, if ClickHouse responded.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u32>,
    /// What fails and what to do.
    message: String,
    /// Number of tries; 0 if nothing fails but nothing moves.
    attempts: u32,
}

/// Everything that is stuck now.
pub(super) fn reasons(state: &ManageState) -> Vec<Reason> {
    let failures = state.health.failures();
    let mut reasons = failing(&failures, SystemTime::now());
    // A storage counts at once, and is asked directly: nobody sends records to a process that is not ready, so no
    // request would show that it accepts them again.
    reasons.extend(state.accounting.trouble().map(|Trouble { since, message }| Reason {
        part: Component::Storage.to_string(),
        since: rfc3339(since),
        code: None,
        message,
        attempts: 0,
    }));
    reasons.extend(stalls(state.lags(), state.lag_bound, &state.metrics, SystemTime::now()));
    reasons
}

fn failing(failures: &BTreeMap<Component, Failure>, now: SystemTime) -> Vec<Reason> {
    failures
        .iter()
        .filter(|(component, failure)| counts(component, failure, now))
        .map(|(component, failure)| Reason {
            part: component.to_string(),
            since: rfc3339(failure.since),
            code: failure.code,
            message: failure.message.clone(),
            attempts: failure.attempts,
        })
        .collect()
}

/// The lags above the bound, of tables that have received nothing for as long.
fn stalls(
    lags: impl IntoIterator<Item = LagLabel>,
    bound: Duration,
    metrics: &Metrics,
    now: SystemTime,
) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for label in lags {
        let table = TableLabel { table: label.table.clone() };
        let flushed = seconds(metrics.last_flush_timestamp_seconds.get_or_create(&table).get());
        let still = now.duration_since(SystemTime::UNIX_EPOCH + flushed).unwrap_or_default();
        let lag = seconds(metrics.lag_seconds.get_or_create(&label).get());
        if lag > bound && still > bound {
            reasons.push(stall(&label, lag, bound));
        }
    }
    reasons
}

fn seconds(gauge: f64) -> Duration {
    Duration::try_from_secs_f64(gauge).unwrap_or_default()
}

fn stall(label: &LagLabel, lag: Duration, bound: Duration) -> Reason {
    let LagLabel { stream, table, partition } = label;
    Reason {
        part: format!("table `{table}`"),
        since: rfc3339(SystemTime::now().checked_sub(lag).unwrap_or(SystemTime::UNIX_EPOCH)),
        code: None,
        message: format!(
            "stream `{stream}` partition {partition}: the oldest record waits for {}s, above the bound of {}s, and the table takes none",
            lag.as_secs(),
            bound.as_secs()
        ),
        attempts: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{self, Delivery};

    fn failure(age: u64, now: SystemTime) -> Failure {
        Failure {
            since: now.checked_sub(Duration::from_secs(age)).unwrap(),
            reason: telemetry::Reason::Busy,
            code: Some(241),
            message: "no memory".to_owned(),
            attempts: 3,
        }
    }

    #[test]
    fn a_failure_counts_once_it_is_older_than_the_grace_and_that_of_a_stream_at_once() {
        let now = SystemTime::now();
        let of = |name: &str| Delivery { table: name.to_owned(), stream: name.to_owned(), partition: 0, partitions: 1 };
        let young = (Component::Table(of("a")), failure(9, now));
        let old = (Component::Table(of("b")), failure(11, now));
        let stream = (Component::Stream { stream: "c".to_owned() }, failure(0, now));
        let read = (Component::Partition(of("d")), failure(0, now));
        let parts: Vec<_> =
            failing(&[young, old, stream, read].into(), now).into_iter().map(|reason| reason.part).collect();
        assert_eq!(parts, ["stream `c`", "stream `d` partition 0", "table `b`"]);
    }

    #[test]
    fn times_are_rfc_3339_in_utc() {
        assert_eq!(rfc3339(SystemTime::UNIX_EPOCH + Duration::from_millis(1_500)), "1970-01-01T00:00:01.500Z");
    }

    #[test]
    fn a_lag_counts_only_while_the_table_takes_nothing() {
        let metrics = Metrics::default();
        let label = LagLabel { stream: "events".to_owned(), table: "events".to_owned(), partition: 0 };
        metrics.flushed("events");
        metrics.lag_seconds.get_or_create(&label).set(300.0);
        let flushed = SystemTime::now();
        let bound = Duration::from_mins(1);
        let stalls = |age| stalls([label.clone()], bound, &metrics, flushed + Duration::from_secs(age));
        assert!(stalls(59).is_empty(), "a backlog that is worked off");
        let found = stalls(61);
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("300s"), "{}", found[0].message);
        metrics.lag_seconds.get_or_create(&label).set(59.0);
        assert!(stalls(200).is_empty(), "within the bound");
    }
}
