//! Connections at the end of the engine's process.
//!
//! ClickHouse waits up to five seconds for its connections to end, those on which nothing happens included, and no setting
//! shortens that. Clients keep theirs open, so every end would take that long. Who has stopped listening reads no more
//! requests: connections are closed for reading, which ends the idle ones at once and lets an answer that is on its way go
//! on; then altogether.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use super::ffi;
use crate::machine::sockets::{self, Close};

/// How long after the beginning of the end what is done.
struct Pace {
    /// What is being read of a request is read to its end until then.
    reading: Duration,
    /// Answers are written until then.
    answering: Duration,
    /// Then the process leaves, whatever still runs.
    last: Duration,
}

/// Of one that was told to end. All of it has two seconds.
const TOLD: Pace = Pace {
    reading: Duration::from_millis(300),
    answering: Duration::from_millis(1200),
    last: Duration::from_millis(1600),
};
/// Of one whose parent is gone: the next start is not to wait for it.
const ORPHANED: Pace = Pace {
    reading: Duration::from_millis(50),
    answering: Duration::from_millis(250),
    last: Duration::from_millis(500),
};

const PAUSE: Duration = Duration::from_millis(25);

/// Closes the connections of this process step by step while it ends, and at last leaves.
pub(super) fn close(is_orphaned: impl Fn() -> bool) -> ! {
    let started = Instant::now();
    loop {
        let pace = if is_orphaned() { ORPHANED } else { TOLD };
        match started.elapsed() {
            // Killed now, the data is as after any kill, which the next start is made for.
            since if since > pace.last => ffi::leave(0),
            since if since > pace.answering => close_all(Close::Both),
            since if since > pace.reading => close_all(Close::Reading),
            _ => {}
        }
        thread::sleep(PAUSE);
    }
}

/// Closes every TCP connection of the process: it has none but those of its clients.
fn close_all(how: Close) {
    for entry in fs::read_dir("/proc/self/fd").into_iter().flatten().flatten() {
        if let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
            ffi::with_descriptor(number, |descriptor| sockets::close(descriptor, how));
        }
    }
}
