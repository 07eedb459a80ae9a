//! Graceful shutdown: a [`Shutdown`] is requested once, and everything that holds a clone of it is notified.
//!
//! What a component does then (finish, leave work behind, close) is its own business; the application stops its
//! components one after another, each with a `Shutdown` of its own, under one deadline. [`requested`] waits for the
//! operator's signal.

use std::{future::Future, io, time::Duration};

use tokio::{sync::watch, time::timeout};

/// A request to stop, which is made once and can be waited for by many.
#[derive(Clone, Debug)]
pub struct Shutdown {
    asked: watch::Sender<bool>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { asked: watch::Sender::new(false) }
    }
}

impl Shutdown {
    /// Not requested yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Requests the stop. Repeating it changes nothing.
    pub fn signal(&self) {
        self.asked.send_replace(true);
    }

    /// Whether the stop was requested.
    pub fn is_signalled(&self) -> bool {
        *self.asked.borrow()
    }

    /// Resolves once the stop is requested; at once if it was already.
    pub async fn wait(&self) {
        // The channel can't close while `self` holds its sender.
        drop(self.asked.subscribe().wait_for(|asked| *asked).await);
    }

    /// The output of `work`, or `None` if the stop is requested first.
    pub async fn unless_signalled<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.wait() => None,
            output = work => Some(output),
        }
    }

    /// The output of `work`, or `None` if it is not ready `grace` after the stop was requested.
    pub async fn at_most_after<T>(&self, grace: Duration, work: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(work);
        tokio::select! {
            biased;
            output = &mut work => return Some(output),
            () = self.wait() => {}
        }
        timeout(grace, work).await.ok()
    }
}

/// How an operator asked the process to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM, as service managers send it.
    Terminate,
}

impl Request {
    /// The exit code that a shell reports for a process ended by this signal.
    const fn exit_code(self) -> i32 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// Resolves with the first Ctrl-C or SIGTERM after the first poll. The next one ends the process at once, so that
/// nobody has to wait for a graceful stop that hangs: every component is built to survive that.
pub async fn requested() -> io::Result<Request> {
    let mut signals = Signals::listen()?;
    let first = signals.next().await;
    tokio::spawn(async move {
        let second = signals.next().await;
        std::process::exit(second.exit_code());
    });
    Ok(first)
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> Request {
        tokio::select! {
            _ = self.interrupt.recv() => Request::Interrupt,
            _ = self.terminate.recv() => Request::Terminate,
        }
    }
}

#[cfg(windows)]
struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    terminate: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::windows::{ctrl_c, ctrl_shutdown};
        Ok(Self { interrupt: ctrl_c()?, terminate: ctrl_shutdown()? })
    }

    async fn next(&mut self) -> Request {
        tokio::select! {
            _ = self.interrupt.recv() => Request::Interrupt,
            _ = self.terminate.recv() => Request::Terminate,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn everyone_who_waits_hears_of_it_and_late_comers_too() {
        let shutdown = Shutdown::new();
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let shutdown = shutdown.clone();
                tokio::spawn(async move { shutdown.wait().await })
            })
            .collect();
        assert!(!shutdown.is_signalled());
        shutdown.clone().signal();
        for task in waiting {
            task.await.unwrap();
        }
        shutdown.wait().await;
        assert!(shutdown.is_signalled());
    }

    #[tokio::test]
    async fn work_is_dropped_when_the_stop_comes_first() {
        let shutdown = Shutdown::new();
        assert_eq!(shutdown.unless_signalled(async { 7 }).await, Some(7));
        shutdown.signal();
        assert_eq!(shutdown.unless_signalled(async { 7 }).await, None);
        assert_eq!(shutdown.unless_signalled(pending::<()>()).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_stop_work_gets_its_grace_and_no_more() {
        let shutdown = Shutdown::new();
        let grace = Duration::from_secs(2);
        let slow = |seconds| async move { tokio::time::sleep(Duration::from_secs(seconds)).await };
        // Not requested: it may take as long as it needs.
        assert_eq!(shutdown.at_most_after(grace, slow(60)).await, Some(()));
        shutdown.signal();
        assert_eq!(shutdown.at_most_after(grace, slow(1)).await, Some(()));
        assert_eq!(shutdown.at_most_after(grace, slow(3)).await, None);
    }
}
