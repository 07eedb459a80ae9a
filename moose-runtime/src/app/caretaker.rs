//! Starts the embedded engine anew when its own answers say that it is broken.

use std::{sync::Arc, time::Duration};

use crate::{engine::Engine, shutdown::Shutdown, telemetry::Health};

/// Codes of answers after which the engine does not heal by itself; 49 is a logical error.
const BROKEN: [u32; 2] = [49, 734];
/// Once may be chance.
const REPEATED: u32 = 2;
/// How often the failures are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A restart that did not help is not repeated at once.
const REST: Duration = Duration::from_secs(10);

/// Watches until the stop.
pub(super) async fn watch(engine: Arc<Engine>, health: Arc<Health>, stop: Shutdown) {
    while stop.unless_signalled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
        if !says_broken(&health) {
            continue;
        }
        tracing::warn!("the embedded engine keeps answering that it is broken; it is started anew");
        match stop.unless_signalled(engine.restart()).await {
            Some(Ok(())) => tracing::info!("the embedded engine answers again"),
            Some(Err(error)) => tracing::error!(%error, "failed to start the embedded engine anew"),
            None => return,
        }
        stop.unless_signalled(tokio::time::sleep(REST)).await;
    }
}

fn says_broken(health: &Health) -> bool {
    health
        .failures()
        .values()
        .any(|failure| failure.attempts >= REPEATED && failure.code.is_some_and(|code| BROKEN.contains(&code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_engine_is_told_by_its_repeated_answer() {
        let health = Health::default();
        health.failed("table `a`", Some(60), "no such table".to_owned());
        health.failed("table `a`", Some(60), "no such table".to_owned());
        health.failed("table `b`", Some(49), "logical error".to_owned());
        assert!(!says_broken(&health), "once may be chance");
        health.failed("table `b`", Some(49), "logical error".to_owned());
        assert!(says_broken(&health));
        health.recovered("table `b`");
        assert!(!says_broken(&health));
    }
}
