//! Shuts the engine's process down in order: what keeps ClickHouse running, who requests the shutdown, and what is
//! released then.

use std::{
    fs::File,
    io::{self, BufReader, PipeReader, PipeWriter},
    os::{fd::OwnedFd, unix::process::parent_id},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

use tokio::signal::unix::{SignalKind, signal};

use super::{connections, ffi};

/// What keeps ClickHouse serving, and what keeps its session open after that.
pub(super) static SERVING: Hold = Hold(Mutex::new(None));
pub(super) static ENDING: Hold = Hold(Mutex::new(None));

/// Whether ClickHouse has reported its port: from then on it closes the port itself when it is released.
pub(super) static LISTENS: AtomicBool = AtomicBool::new(false);

/// Our end of ClickHouse's terminal: after the statements it reads from there, and exits when this is closed.
pub(super) static TERMINAL: Mutex<Option<OwnedFd>> = Mutex::new(None);

/// A pipe that a statement reads to its end.
pub(super) struct Hold(Mutex<Option<PipeWriter>>);

impl Hold {
    /// The end that the statement reads.
    pub(super) fn begin(&self) -> io::Result<PipeReader> {
        let (reader, writer) = io::pipe()?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(writer);
        Ok(reader)
    }

    /// Releases the statement; returns whether it was held.
    pub(super) fn let_go(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }
}

/// Shuts ClickHouse down when the process is asked to end: by a signal or, under a parent, when its input is closed.
pub(super) fn watch_for_end(input: Option<BufReader<File>>) -> io::Result<()> {
    let parent = input.is_some().then(parent_id);
    // A thread with a runtime of its own: the caller may be inside one already.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (ready, is_ready) = mpsc::channel();
    thread::Builder::new().name("engine-signals".to_owned()).spawn(move || {
        runtime.block_on(async move {
            let signals = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
            let [Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)] = signals else { return };
            let _ = ready.send(());
            loop {
                let from_terminal = tokio::select! {
                    _ = terminate.recv() => false,
                    _ = interrupt.recv() => true,
                    _ = hangup.recv() => true,
                };
                // Ctrl-C and a closed terminal are for the parent to handle.
                if !(from_terminal && parent.is_some()) {
                    end(parent);
                }
            }
        });
    })?;
    is_ready.recv().map_err(io::Error::other)?;
    if let Some(mut input) = input {
        thread::Builder::new().name("engine-parent".to_owned()).spawn(move || {
            // The parent writes nothing more: the end of its output is the signal.
            let _ = io::copy(&mut input, &mut io::sink());
            end(parent);
        })?;
    }
    Ok(())
}

/// Ends the process in order: ClickHouse first. `parent` is the process id of the parent at the start.
fn end(parent: Option<u32>) {
    if !LISTENS.load(Ordering::SeqCst) {
        // Released now, it would still open its port, and its session could be over before the port is closed again: then
        // anybody could log in as its user. What it leaves behind is as after a kill.
        ffi::leave(0);
    }
    if SERVING.let_go() {
        let is_orphaned = move || parent.is_some_and(|parent| parent != parent_id());
        let none_left = || {
            TERMINAL.lock().unwrap_or_else(PoisonError::into_inner).take();
            ENDING.let_go();
        };
        let close = move || connections::close(is_orphaned, none_left);
        let _ = thread::Builder::new().name("engine-end".to_owned()).spawn(close);
    }
}
