//! Restarts the embedded engine: when its own answers keep saying that it is broken, and whenever the sync asks for it.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Mutex,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    clickhouse::Client,
    engine::Engine,
    shutdown::Shutdown,
    stream::BoxFuture,
    sync::Reopen,
    telemetry::{Health, Reason},
};

/// A restart takes this many failures in a row: a single one may be transient.
const REPEATED: u32 = 2;
/// How often the failures are checked.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The least time between restarts: one that did not help (a disk that stays full) is not repeated at once.
const REST: Duration = Duration::from_secs(10);

/// Restarts the embedded engine when needed.
pub(super) struct Caretaker {
    engine: Arc<Engine>,
    /// Runs statements on the engine.
    client: Client,
    /// When it was last restarted. Locked during a restart.
    opened: Arc<Mutex<Option<Instant>>>,
}

impl Caretaker {
    pub(super) fn new(engine: Arc<Engine>, client: Client) -> Self {
        Self { engine, client, opened: Arc::default() }
    }

    /// Watches the failures until shutdown.
    pub(super) async fn watch(&self, health: Arc<Health>, stop: Shutdown) {
        while stop.unless_signalled(sleep(LOOK_EVERY)).await.is_some() {
            if says_broken(&health) {
                tracing::warn!("the embedded engine keeps answering that it is broken");
                stop.unless_signalled(self.reopen(Instant::now())).await;
                // Until the next retries, the failures are still those from before the restart.
                stop.unless_signalled(sleep(REST)).await;
            }
        }
    }
}

impl Reopen for Caretaker {
    fn reopen(&self, since: Instant) -> BoxFuture<'_, ()> {
        let (engine, client, opened) = (Arc::clone(&self.engine), self.client.clone(), Arc::clone(&self.opened));
        // A task of its own: if the caller went away in the middle, merges would stay stopped.
        let restart = tokio::spawn(async move {
            let mut opened = opened.lock().await;
            if opened.is_some_and(|at| at > since) {
                return;
            }
            // A merge of the parts around a lost block would hide that it is lost. Stopped until the engine is open
            // again; if the engine does not answer, it is hardly about to merge.
            if let Err(error) = client.execute("SYSTEM STOP MERGES").await {
                tracing::debug!(%error, "the embedded engine did not stop its merges");
            }
            if let Some(end) = opened.map(|at| at + REST).filter(|end| *end > Instant::now()) {
                tracing::warn!("the embedded engine was opened a moment ago; it is given a rest before it is again");
                sleep_until(end).await;
            }
            tracing::warn!("the embedded engine is closed and opened again");
            match engine.restart().await {
                Ok(()) => tracing::info!("the embedded engine answers again"),
                Err(error) => tracing::error!(%error, "failed to start the embedded engine anew"),
            }
            *opened = Some(Instant::now());
        });
        Box::pin(async move {
            // It ends unfinished only where the runtime does.
            let _ = restart.await;
        })
    }
}

fn says_broken(health: &Health) -> bool {
    health.failures().values().any(|failure| failure.attempts >= REPEATED && failure.reason == Reason::Broken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{Component, Delivery};

    #[test]
    fn a_broken_engine_is_told_by_its_repeated_answer() {
        let health = Health::default();
        let table = |name: &str| {
            Component::Table(Delivery { table: name.to_owned(), stream: name.to_owned(), partition: 0, partitions: 1 })
        };
        health.failed(&table("a"), Reason::Table, "no such table".to_owned());
        health.failed(&table("a"), Reason::Table, "no such table".to_owned());
        health.failed(&table("b"), Reason::Broken, "logical error".to_owned());
        assert!(!says_broken(&health), "once may be chance");
        health.failed(&table("b"), Reason::Broken, "logical error".to_owned());
        assert!(says_broken(&health));
        health.recovered(&table("b"));
        assert!(!says_broken(&health));
    }
}
