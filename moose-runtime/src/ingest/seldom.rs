//! Rate limit for log lines about records that were not accepted: one per cause and ten seconds, however many requests
//! there are.

use std::{
    collections::HashMap,
    mem::{Discriminant, discriminant},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::stream::StreamError;

/// Minimum time between two lines about one cause.
const EVERY: Duration = Duration::from_secs(10);

/// When each cause was last logged. It has as many entries as there are kinds of errors and APIs.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    told: Mutex<HashMap<(Discriminant<StreamError>, String), Told>>,
}

#[derive(Debug)]
struct Told {
    at: Instant,
    /// Requests since then.
    unsaid: u64,
}

impl Seldom {
    /// Whether to log this now, and for how many requests since the last line nothing was logged.
    pub(super) fn ask(&self, api: &str, error: &StreamError) -> Option<u64> {
        // A failure of the storage is one cause, whichever stream has it.
        let of_all = matches!(error, StreamError::Paused { .. } | StreamError::Unreachable { .. });
        let key = (discriminant(error), if of_all { String::new() } else { api.to_owned() });
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let Some(last) = told.get_mut(&key) else {
            told.insert(key, Told { at: now, unsaid: 0 });
            return Some(0);
        };
        if now.duration_since(last.at) < EVERY {
            last.unsaid += 1;
            return None;
        }
        last.at = now;
        Some(std::mem::take(&mut last.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_cause_is_told_once_in_ten_seconds() {
        let seldom = Seldom::default();
        let paused = || StreamError::Paused { cause: "no room".to_owned(), maybe_stored: false };
        let full = || StreamError::Full { topic: "t".to_owned(), reason: "no room".to_owned() };
        assert_eq!(seldom.ask("a", &paused()), Some(0));
        for _ in 0..5 {
            assert_eq!(seldom.ask("b", &paused()), None, "one cause for all streams");
        }
        assert_eq!([seldom.ask("a", &full()), seldom.ask("b", &full())], [Some(0), Some(0)], "one for each stream");
        tokio::time::advance(Duration::from_millis(9_999)).await;
        assert_eq!(seldom.ask("a", &paused()), None);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(seldom.ask("a", &paused()), Some(6));
        assert_eq!(seldom.ask("a", &paused()), None);
    }
}
