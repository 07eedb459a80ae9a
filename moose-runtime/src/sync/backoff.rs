//! The delay before a retry: exponential, capped, with full jitter.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
/// Cap while the server is not reachable: its return must be noticed soon.
const CAP_UNREACHABLE: Duration = Duration::from_secs(1);
/// Cap while the server responds with errors: retries must not add to its load.
const CAP_ANSWERED: Duration = Duration::from_secs(10);

/// Counts the retries of one operation.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// A random delay up to a bound that doubles with each retry.
    pub(super) fn next(&mut self, unreachable: bool) -> Duration {
        let bound = self.bound(unreachable);
        self.tries = self.tries.saturating_add(1);
        bound.mul_f64(rand::random_range(0.1..=1.0))
    }

    fn bound(&self, unreachable: bool) -> Duration {
        let cap = if unreachable { CAP_UNREACHABLE } else { CAP_ANSWERED };
        FIRST.saturating_mul(1 << self.tries.min(10)).min(cap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_cap_and_never_beyond() {
        let mut backoff = Backoff::default();
        let bounds: Vec<Duration> = (0..12)
            .map(|_| {
                let bound = backoff.bound(false);
                assert!(backoff.next(false) <= bound);
                bound
            })
            .collect();
        assert!(bounds.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(bounds[11], CAP_ANSWERED);
        assert_eq!(backoff.bound(true), CAP_UNREACHABLE);
    }
}
