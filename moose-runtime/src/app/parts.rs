//! The components of a running application, and the order in which they are stopped.

use std::{path::Path, sync::Arc, time::Duration};

use tokio::{
    sync::Mutex,
    task::{JoinHandle, JoinSet},
    time::{Instant, timeout_at},
};

use super::{Addresses, AppError};
#[cfg(feature = "embedded")]
use crate::engine::Engine;
use crate::{shutdown::Shutdown, stream::Backend, sync::Roster};

/// The part of the time for a stop that is reserved for the log and the engine.
const RESERVE: Duration = Duration::from_secs(5);

/// All components that were started.
pub(super) struct Parts {
    /// Servers that should never end by themselves: name and result.
    pub(super) servers: Mutex<JoinSet<(&'static str, std::io::Result<()>)>>,
    /// Closes the front door.
    pub(super) close_door: Shutdown,
    /// Resolves when the requests under way have ended.
    pub(super) door_closed: Shutdown,
    /// Drains the workers.
    pub(super) drain: Shutdown,
    /// Closes the management port and the background tasks.
    pub(super) close_rest: Shutdown,
    pub(super) rosters: Vec<Roster>,
    pub(super) housekeeping: JoinHandle<()>,
    pub(super) backend: Arc<dyn Backend>,
    #[cfg(feature = "embedded")]
    pub(super) engine: Option<Arc<Engine>>,
}

impl Parts {
    /// Resolves when a server ends that should not.
    pub(super) async fn failed(&self) -> AppError {
        let ended = self.servers.lock().await.join_next().await;
        let (part, reason) = match ended {
            Some(Ok((part, Ok(())))) => (part, "it ended by itself".to_owned()),
            Some(Ok((part, Err(error)))) => (part, error.to_string()),
            Some(Err(error)) => ("a server", error.to_string()),
            None => ("the application", "nothing runs any more".to_owned()),
        };
        AppError::Ended { part, reason }
    }

    /// The part of the time for a stop that requests under way may take: a slow client must not use up the time that
    /// the tables need.
    pub(super) fn for_door(deadline: Duration) -> Duration {
        deadline / 3
    }

    /// Stops everything in order, within `deadline`.
    pub(super) async fn stop(self, deadline: Duration, data_dir: &Path) -> Result<(), AppError> {
        let end = Instant::now() + deadline;
        let soon = end.checked_sub(RESERVE.min(deadline / 2)).unwrap_or(end);
        self.close_door.signal();
        // The port closes connections that take longer than this by itself.
        let _ = timeout_at(soon, self.door_closed.wait()).await;
        self.drain.signal();
        for mut roster in self.rosters {
            if timeout_at(soon, roster.ended()).await.is_err() {
                roster.abort();
                tracing::warn!(
                    "not everything could be synced in time; the rest stays in the stream for the next start"
                );
            }
        }
        self.close_rest.signal();
        // A task that was asked to end, or was aborted: neither has a result.
        let _ = timeout_at(end, self.housekeeping).await;
        self.servers.into_inner().shutdown().await;
        let closed = self.backend.close().await;
        #[cfg(feature = "embedded")]
        if let Some(engine) = self.engine
            && !engine.stop(end.saturating_duration_since(Instant::now()).max(Duration::from_secs(1))).await
        {
            tracing::warn!("the embedded engine did not end in order; its next start repairs what that left behind");
        }
        Addresses::remove(data_dir);
        Ok(closed?)
    }
}
