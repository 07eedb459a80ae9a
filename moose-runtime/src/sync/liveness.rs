//! Giving up an INSERT that will not be answered, while the server is alive.
//!
//! A connection can die without a word, and an INSERT on it would be waited for until the time-out. Once an INSERT has
//! been silent for longer than expected, the server is pinged each second on a connection of its own: if it answers
//! that, it would have answered the INSERT, which is given up and settled. A server that does not answer pings either is
//! waited for until the time-out.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// No INSERT is expected to be answered sooner than this.
const FLOOR: Duration = Duration::from_secs(10);
/// An INSERT may take so many times the slowest of the last ones.
const SLOWER: u32 = 4;
/// Beyond its expected time an INSERT may be silent for so long.
const GRACE: Duration = Duration::from_secs(2);
/// How often the server is pinged then.
const PING_EVERY: Duration = Duration::from_secs(1);

/// How long INSERTs of one worker are waited for.
#[derive(Debug)]
pub(super) struct Patience {
    expected: Mutex<Duration>,
    most: Duration,
}

impl Patience {
    /// Never more than `most`.
    pub(super) fn new(most: Duration) -> Self {
        Self { expected: Mutex::new(FLOOR), most }
    }

    /// How long an INSERT may be silent.
    pub(super) fn silence(&self) -> Duration {
        *self.expected.lock().unwrap_or_else(PoisonError::into_inner) + GRACE
    }

    /// An INSERT was answered. What is expected follows upwards at once, and downwards slowly.
    pub(super) fn answered(&self, took: Duration) {
        self.change(|expected| (took * SLOWER).max(expected.mul_f64(0.9)));
    }

    /// An INSERT was given up. If the server is only slow, the next one must have more time, or none would ever end.
    pub(super) fn given_up(&self) {
        self.change(|expected| expected * 2);
    }

    fn change(&self, change: impl FnOnce(Duration) -> Duration) {
        let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        *expected = change(*expected).clamp(FLOOR, self.most.max(FLOOR));
    }
}

/// The output of `work`; `None` when it is silent for longer than `silence` and a ping is answered.
pub(super) async fn unless_dead<T, Ping: Future<Output = bool>>(
    work: impl Future<Output = T>,
    silence: Duration,
    ping: impl Fn() -> Ping,
) -> Option<T> {
    let answers = async {
        tokio::time::sleep(silence).await;
        loop {
            // A ping that takes longer than a second is no answer.
            if tokio::time::timeout(PING_EVERY, ping()).await == Ok(true) {
                return;
            }
            tokio::time::sleep(PING_EVERY).await;
        }
    };
    tokio::select! {
        biased;
        output = work => Some(output),
        () = answers => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::time::{Instant, sleep};

    use super::*;

    const MOST: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn a_silent_insert_is_given_up_two_seconds_late_when_the_server_answers() {
        let started = Instant::now();
        let silence = Patience::new(MOST).silence();
        let given_up = unless_dead(std::future::pending::<()>(), silence, || async { true }).await;
        assert_eq!((given_up, started.elapsed().as_secs()), (None, 12));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_does_not_answer_pings_is_waited_for() {
        let pings = AtomicU32::new(0);
        let slow = async {
            sleep(Duration::from_secs(59)).await;
            7
        };
        let refused = || async {
            pings.fetch_add(1, Ordering::Relaxed);
            false
        };
        assert_eq!(unless_dead(slow, Duration::from_secs(12), refused).await, Some(7));
        assert_eq!(pings.load(Ordering::Relaxed), 47, "one each second");
        let hanging = || std::future::pending::<bool>();
        assert_eq!(unless_dead(sleep(Duration::from_secs(59)), Duration::from_secs(12), hanging).await, Some(()));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_pinged_while_an_insert_has_time() {
        let never = || async { panic!("no ping is due") };
        assert_eq!(unless_dead(sleep(Duration::from_secs(11)), Duration::from_secs(12), never).await, Some(()));
    }

    #[test]
    fn what_is_expected_follows_the_server() {
        let patience = Patience::new(MOST);
        patience.answered(Duration::from_millis(30));
        assert_eq!(patience.silence(), FLOOR + GRACE, "the floor");
        patience.answered(Duration::from_secs(5));
        assert_eq!(patience.silence(), Duration::from_secs(20) + GRACE);
        patience.answered(Duration::from_secs(1));
        assert_eq!(patience.silence(), Duration::from_secs(18) + GRACE);
        for _ in 0..5 {
            patience.given_up();
        }
        assert_eq!(patience.silence(), MOST + GRACE);
    }
}
