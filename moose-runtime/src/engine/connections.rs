//! Closes connections when the engine's process shuts down.
//!
//! ClickHouse waits up to five seconds for its connections to end, idle ones included, and no setting shortens that.
//! Clients keep connections open, so every shutdown would take that long. Connections are first closed for reading,
//! which ends the idle ones at once and lets a response in progress finish; then completely.
//!
//! The library's own session is held until the last connection is closed and none can be opened: it is what keeps
//! others from logging in as its user.

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

const PAUSE: Duration = Duration::from_millis(10);

/// Closes the connections of this process step by step while it ends, and says when there is none left and none can come;
/// at last leaves.
pub(super) fn close(is_orphaned: impl Fn() -> bool, none_left: impl Fn()) -> ! {
    let started = Instant::now();
    loop {
        let pace = if is_orphaned() { ORPHANED } else { TOLD };
        let closing = match started.elapsed() {
            // Killed now, the data is as after any kill, which the next start is made for.
            since if since > pace.last => ffi::leave(0),
            since if since > pace.answering => Some(Close::Both),
            since if since > pace.reading => Some(Close::Reading),
            _ => None,
        };
        if look(closing) == 0 {
            none_left();
        }
        thread::sleep(PAUSE);
    }
}

/// Counts the process's sockets over IP, the one that listens among them, and closes the connections: it has none but those
/// of its clients.
fn look(closing: Option<Close>) -> usize {
    let mut found = 0;
    for entry in fs::read_dir("/proc/self/fd").into_iter().flatten().flatten() {
        if let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
            ffi::with_descriptor(number, |descriptor| {
                found += usize::from(sockets::is_over_ip(descriptor));
                if let Some(how) = closing {
                    sockets::close(descriptor, how);
                }
            });
        }
    }
    found
}
