//! A storage failure: its cause, and how long to wait before the log is reopened.

use std::{
    error::Error,
    sync::{Mutex, Once, PoisonError},
    time::{Duration, SystemTime},
};

/// Minimum and maximum time between retries.
const PAUSES: std::ops::RangeInclusive<Duration> = Duration::from_millis(200)..=Duration::from_secs(5);

/// Why the log accepts nothing at present.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) since: SystemTime,
    /// The first failure.
    cause: String,
    /// The last failure to reopen the log, if it is another one.
    last: Option<String>,
}

impl Failure {
    /// A failure that begins now.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        Self { since: SystemTime::now(), cause: first_cause(error), last: None }
    }

    /// The first failure, without paths of this machine: clients see it.
    pub(super) fn cause(&self) -> String {
        self.cause.clone()
    }

    /// Records that the log could not be reopened.
    pub(super) fn tried(&mut self, error: &dyn std::fmt::Display) {
        let text = error.to_string();
        self.last = (!text.contains(&self.cause)).then_some(text);
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.last {
            Some(last) => write!(formatter, "{}; since then: {last}", self.cause),
            None => self.cause.fmt(formatter),
        }
    }
}

/// The times between retries: twice as long each time.
pub(super) struct Pauses(Duration);

impl Pauses {
    pub(super) fn new() -> Self {
        Self(*PAUSES.start())
    }

    pub(super) fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(*PAUSES.end());
        pause
    }
}

/// The root cause. If the database only reports an earlier failure, what its own threads have logged about that.
fn first_cause(error: &(dyn Error + 'static)) -> String {
    if is_poisoned(error) {
        return complaint().unwrap_or_else(|| "a thread of the database failed".to_owned());
    }
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

/// Whether a write was refused because of an earlier failure: nothing of it was written.
pub(super) fn is_poisoned(error: &(dyn Error + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(fjall::Error::Poisoned))
}

/// The last error in the database's log: its threads report failures in no other way.
static COMPLAINT: Mutex<Option<String>> = Mutex::new(None);

/// Starts listening to the database's log, unless another logger is installed.
pub(super) fn listen() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        if log::set_logger(&Listener).is_ok() {
            log::set_max_level(log::LevelFilter::Error);
        }
    });
}

fn complaint() -> Option<String> {
    COMPLAINT.lock().unwrap_or_else(PoisonError::into_inner).take()
}

struct Listener;

impl log::Log for Listener {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        let target = metadata.target();
        metadata.level() == log::Level::Error && (target.starts_with("fjall") || target.starts_with("lsm_tree"))
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let text = readable(&record.args().to_string());
            *COMPLAINT.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        }
    }

    fn flush(&self) {}
}

/// A readable form of a system error, from a text that contains its `Debug` form.
fn readable(text: &str) -> String {
    let between = |begin: &str, end: char| text.split_once(begin)?.1.split(end).next();
    match (between("code: ", ','), between("message: \"", '"')) {
        (Some(code), Some(message)) => format!("{message} (os error {code})"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tries_are_200_ms_apart_at_first_and_five_seconds_at_most() {
        let mut pauses = Pauses::new();
        let all: Vec<u128> = (0..8).map(|_| pauses.next().as_millis()).collect();
        assert_eq!(all, [200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000]);
    }

    #[test]
    fn the_cause_is_what_stands_at_the_bottom() {
        let full = || std::io::Error::from_raw_os_error(28);
        let error = fjall::Error::Storage(lsm_tree_error(full()));
        assert_eq!(Failure::of(&error).to_string(), full().to_string());
        assert_eq!(Failure::of(&fjall::Error::Io(full())).to_string(), full().to_string());
    }

    fn lsm_tree_error(error: std::io::Error) -> fjall::LsmError {
        fjall::LsmError::Io(error)
    }

    #[test]
    fn what_the_database_s_threads_say_is_made_readable() {
        let said =
            r#"Worker #0 crashed: Storage(Io(Os { code: 24, kind: Uncategorized, message: "Too many open files" }))"#;
        assert_eq!(readable(said), "Too many open files (os error 24)");
        assert_eq!(readable("Worker #0 crashed: Unrecoverable"), "Worker #0 crashed: Unrecoverable");
    }
}
