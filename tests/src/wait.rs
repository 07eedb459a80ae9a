//! Waiting for something to become true: polling with a deadline, never a fixed sleep.

use std::{
    fmt::{Debug, Display},
    future::Future,
    time::{Duration, Instant},
};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks again and again until `look` gives `Ok`, for at most `deadline`. Answers what it gave.
///
/// # Panics
/// When the deadline has passed; the message is what the last look complained about.
#[track_caller]
pub fn eventually<T, E, Look, Looking>(deadline: Duration, mut look: Look) -> impl Future<Output = T>
where
    E: Display,
    Look: FnMut() -> Looking,
    Looking: Future<Output = Result<T, E>>,
{
    let caller = std::panic::Location::caller();
    async move {
        let end = Instant::now() + deadline;
        loop {
            match look().await {
                Ok(found) => return found,
                Err(complaint) if Instant::now() >= end => {
                    panic!("{caller}: still not so after {deadline:?}: {complaint}")
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

/// `Ok` when both are equal, otherwise a complaint that shows them: the usual last line of a look.
pub fn same<T: PartialEq + Debug>(found: T, wanted: &T) -> Result<T, String> {
    if found == *wanted { Ok(found) } else { Err(format!("found {found:?}, wanted {wanted:?}")) }
}
