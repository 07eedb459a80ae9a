//! Health: which components of the process are failing, each with its reason.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use super::Reason;

/// The delivery of a stream's partition into a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delivery {
    /// Name of the table.
    pub table: String,
    /// Name of the stream.
    pub stream: String,
    /// The partition.
    pub partition: u16,
    /// Number of partitions of the stream.
    pub partitions: u16,
}

impl Delivery {
    /// Whether it is the same delivery: partitions may have been added meanwhile.
    fn is_same(&self, other: &Self) -> bool {
        self.table == other.table && self.stream == other.stream && self.partition == other.partition
    }
}

/// By its table, and by what distinguishes it from others of the same table, such as a stream of another name.
impl fmt::Display for Delivery {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, stream, partition, partitions } = self;
        write!(formatter, "table `{table}`")?;
        if stream != table {
            write!(formatter, " from stream `{stream}`")?;
        }
        if *partitions > 1 {
            write!(formatter, " partition {partition}")?;
        }
        Ok(())
    }
}

/// A component that can fail and is retried. Its text form is its name in `/ready` and the log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// Commits of a delivery's cursor.
    Cursor {
        /// The group.
        group: String,
        /// The delivery.
        delivery: Delivery,
    },
    /// The drain of a table.
    Drain {
        /// Name of the table.
        table: String,
    },
    /// The storage of all streams.
    Storage,
    /// A stream, as the front door appends to it.
    Stream {
        /// Name of the stream.
        stream: String,
    },
    /// The stream's side of a delivery: reading its partition, and storing its dead letters.
    Partition(Delivery),
    /// The table's side of a delivery: its INSERTs.
    Table(Delivery),
    /// The decoding of what a delivery reads. INSERTs of what was read before go on.
    Reading(Delivery),
    /// The task of a delivery.
    Worker(Delivery),
}

/// When a failure makes the pipeline not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// At once: nothing can be accepted without it.
    AtOnce,
    /// If it lasts: records wait in the stream meanwhile.
    IfItLasts,
}

impl Component {
    /// When its failures count.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Storage | Self::Stream { .. } | Self::Partition(_) => Severity::AtOnce,
            Self::Cursor { .. } | Self::Drain { .. } | Self::Table(_) | Self::Reading(_) | Self::Worker(_) => {
                Severity::IfItLasts
            }
        }
    }

    /// The delivery that it belongs to.
    pub fn delivery(&self) -> Option<&Delivery> {
        match self {
            Self::Cursor { delivery, .. }
            | Self::Partition(delivery)
            | Self::Table(delivery)
            | Self::Reading(delivery)
            | Self::Worker(delivery) => Some(delivery),
            Self::Drain { .. } | Self::Storage | Self::Stream { .. } => None,
        }
    }

    /// The table that receives nothing while it fails.
    pub fn table(&self) -> Option<&str> {
        match self {
            Self::Drain { table } => Some(table),
            other => other.delivery().map(|delivery| delivery.table.as_str()),
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cursor { group, delivery } => {
                write!(formatter, "cursor of `{group}` partition {}", delivery.partition)
            }
            Self::Drain { table } => write!(formatter, "drain of table `{table}`"),
            Self::Storage => formatter.write_str("embedded log"),
            Self::Stream { stream } => write!(formatter, "stream `{stream}`"),
            Self::Partition(Delivery { stream, partition, .. }) => {
                write!(formatter, "stream `{stream}` partition {partition}")
            }
            Self::Table(delivery) => delivery.fmt(formatter),
            Self::Reading(delivery) => write!(formatter, "{delivery}, reading"),
            Self::Worker(delivery) => write!(formatter, "worker of {delivery}"),
        }
    }
}

/// A failure that is being retried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When it failed first.
    pub since: SystemTime,
    /// The reason, as a label.
    pub reason: Reason,
    /// ClickHouse's error code, if ClickHouse responded.
    pub code: Option<u32>,
    /// What failed, where, and what to do.
    pub message: String,
    /// Number of tries.
    pub attempts: u32,
}

/// Which components are failing. One that works again removes its entry.
#[derive(Debug, Default)]
pub struct Health {
    failures: Mutex<BTreeMap<Component, Failure>>,
}

impl Health {
    /// Records a failed try that was not ClickHouse's fault. `since` stays that of the first failure.
    pub(crate) fn failed(&self, component: &Component, reason: Reason, message: String) {
        self.failed_after(Duration::ZERO, component, reason, None, message);
    }

    /// Records a failed try after a wait: the failure began when the wait did.
    pub(crate) fn failed_after(
        &self,
        waited: Duration,
        component: &Component,
        reason: Reason,
        code: Option<u32>,
        message: String,
    ) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let failure = failures.entry(component.clone()).or_insert_with(|| Failure {
            since: SystemTime::now().checked_sub(waited).unwrap_or(SystemTime::UNIX_EPOCH),
            reason,
            code,
            message: String::new(),
            attempts: 0,
        });
        failure.reason = reason;
        failure.code = code;
        failure.message = message;
        failure.attempts = failure.attempts.saturating_add(1);
    }

    /// The component works again. Returns how long it had not.
    pub(crate) fn recovered(&self, component: &Component) -> Option<Duration> {
        let failure = self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(component)?;
        Some(failure.since.elapsed().unwrap_or_default())
    }

    /// Removes a delivery's failures: another process has it now.
    pub(crate) fn forget(&self, delivery: &Delivery) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|component, _| component.delivery().is_none_or(|other| !other.is_same(delivery)));
    }

    /// Everything that is failing.
    pub fn failures(&self) -> BTreeMap<Component, Failure> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(table: &str, stream: &str, partition: u16, partitions: u16) -> Delivery {
        Delivery { table: table.to_owned(), stream: stream.to_owned(), partition, partitions }
    }

    #[test]
    fn components_are_called_what_ready_has_always_called_them() {
        let plain = delivery("events", "events", 0, 1);
        let group = "shop/events".to_owned();
        let table = "events".to_owned();
        for (component, name) in [
            (Component::Table(plain.clone()), "table `events`"),
            (Component::Table(delivery("events", "events", 2, 4)), "table `events` partition 2"),
            (Component::Table(delivery("all", "events", 0, 1)), "table `all` from stream `events`"),
            (Component::Table(delivery("all", "events", 2, 4)), "table `all` from stream `events` partition 2"),
            (Component::Reading(plain.clone()), "table `events`, reading"),
            (Component::Worker(plain.clone()), "worker of table `events`"),
            (Component::Partition(plain.clone()), "stream `events` partition 0"),
            (Component::Stream { stream: "events".to_owned() }, "stream `events`"),
            (Component::Cursor { group, delivery: plain }, "cursor of `shop/events` partition 0"),
            (Component::Drain { table }, "drain of table `events`"),
            (Component::Storage, "embedded log"),
        ] {
            assert_eq!(component.to_string(), name);
        }
    }

    #[test]
    fn a_delivery_that_is_forgotten_takes_its_failures_along_and_no_others() {
        let health = Health::default();
        let (ours, other) = (delivery("events", "events", 0, 2), delivery("events", "events", 1, 2));
        let group = "shop/events".to_owned();
        for delivery in [&ours, &other] {
            let cursor = Component::Cursor { group: group.clone(), delivery: delivery.clone() };
            let of: [fn(Delivery) -> Component; 4] =
                [Component::Table, Component::Reading, Component::Worker, Component::Partition];
            for component in of.map(|of| of(delivery.clone())).into_iter().chain([cursor]) {
                health.failed(&component, Reason::Stream, "no".to_owned());
            }
        }
        let stream = Component::Stream { stream: "events".to_owned() };
        health.failed(&stream, Reason::Stream, "no".to_owned());
        health.forget(&Delivery { partitions: 3, ..ours.clone() });
        let left = health.failures();
        assert_eq!(left.len(), 6, "{left:?}");
        assert!(left.keys().all(|component| component.delivery() != Some(&ours)), "{left:?}");
    }

    #[test]
    fn two_tables_of_one_partition_fail_each_for_itself() {
        let health = Health::default();
        let [one, two] = ["one", "two"].map(|table| Component::Partition(delivery(table, "events", 0, 1)));
        health.failed(&one, Reason::Stream, "no".to_owned());
        assert!(health.recovered(&two).is_none());
        assert_eq!(health.failures().len(), 1, "that the other one reads says nothing about this one");
    }
}
