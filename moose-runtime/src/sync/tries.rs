//! State kept between the retries of a range: the last log line, the refusals so far, attempts that may have ended the
//! process.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{
    Prepared, SyncError,
    failure::{Verdict, blames_the_encoder, verdict},
};

/// How many times in a row a definite answer must be given to count.
const GIVEN: u32 = 2;
/// A trial that found no single rows at fault is repeated only after this long: it may have been many statements.
const TRIAL_AGAIN: Duration = Duration::from_mins(1);
/// A failure that lasts is logged again after this time.
const SAY_AGAIN: Duration = Duration::from_secs(10);

/// The last log line of a failure that is retried, to avoid repeating it.
#[derive(Debug, Default)]
pub(super) struct Said(Option<(String, Instant)>);

impl Said {
    /// Whether to log this: its text is new, or the last one was a while ago.
    pub(super) fn is_news(&mut self, error: &SyncError) -> bool {
        let text = error.to_string();
        let news = self.0.as_ref().is_none_or(|(last, at)| *last != text || at.elapsed() >= SAY_AGAIN);
        if news {
            self.0 = Some((text, Instant::now()));
        }
        news
    }
}

/// How many times in a row a definite answer was given, and when the last trial was.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    code: Option<u32>,
    count: u32,
    rests_until: Option<Instant>,
}

impl Refusals {
    /// Whether this failure, after those before, calls for a trial of the rows.
    pub(super) fn call_for_a_trial(&mut self, error: &SyncError) -> bool {
        let code = if verdict(error) == Verdict::Trial { error.code() } else { None };
        self.count = if code.is_some() && code == self.code { self.count.saturating_add(1) } else { 1 };
        self.code = code;
        code.is_some() && self.count >= GIVEN && self.rests_until.is_none_or(|until| Instant::now() >= until)
    }

    /// A trial has ended with this error: the next one must wait, unless the error was only an outage of the server.
    pub(super) fn rest(&mut self, error: SyncError) -> SyncError {
        let passes = verdict(&error) == Verdict::Retry;
        let rest = if passes || !matches!(error, SyncError::Trial { .. }) { SAY_AGAIN } else { TRIAL_AGAIN };
        self.rests_until = (!error.is_unreachable()).then(|| Instant::now() + rest);
        error
    }
}

/// Logs that a try has failed.
pub(super) fn tell(part: &str, range: &Prepared, error: &SyncError) {
    let (first, last) = (range.first, range.last);
    if blames_the_encoder(error) {
        tracing::error!(part, first, last, %error, "ClickHouse can't read what was sent: a mistake of this program, please report it; the range is held");
    } else if verdict(error) == Verdict::Retry {
        tracing::warn!(part, first, last, %error, "not delivered yet; will be tried again");
    } else {
        tracing::warn!(part, first, last, %error, "refused; held until it is taken");
    }
}

/// The last failed INSERT of rows that a burnt token lost: up to that number the tokens may be burnt too.
#[derive(Debug, Default)]
pub(super) struct FailedAgain(Mutex<(u64, u32)>);

impl FailedAgain {
    /// The number of the last failed INSERT for the range that begins there; 0 if there is none.
    pub(super) fn of(&self, first: u64) -> u32 {
        let (range, number) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if range == first { number } else { 0 }
    }

    pub(super) fn note(&self, first: u64, number: u32) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (first, number);
    }
}

/// The state of a range's recovery.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Attempt {
    /// There is nothing to recover.
    #[default]
    None,
    /// One attempt at the range that begins there is written down, and has neither ended nor failed yet.
    WrittenDown(u64),
    /// The last attempt failed, and was removed.
    Survived(u64),
}
