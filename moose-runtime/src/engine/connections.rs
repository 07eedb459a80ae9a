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

/// Deadlines of the shutdown, counted from its beginning.
struct Pace {
    /// Requests under way may be read to their end until then.
    reading: Duration,
    /// Responses may be written until then.
    answering: Duration,
    /// Then the process exits, whatever still runs.
    last: Duration,
}

/// For a process that was asked to end. It has two seconds in all.
const TOLD: Pace = Pace {
    reading: Duration::from_millis(300),
    answering: Duration::from_millis(1200),
    last: Duration::from_millis(1600),
};
/// For a process whose parent is gone: the next start must not wait for it.
const ORPHANED: Pace = Pace {
    reading: Duration::from_millis(50),
    answering: Duration::from_millis(250),
    last: Duration::from_millis(500),
};

const PAUSE: Duration = Duration::from_millis(10);

/// Closes the connections of this process step by step during its shutdown, and reports when there is none left and
/// none can be opened; finally exits.
pub(super) fn close(is_orphaned: impl Fn() -> bool, none_left: impl Fn()) -> ! {
    let started = Instant::now();
    // A connection may be accepted behind the first look, just before the port is closed.
    let mut without = 0;
    loop {
        let pace = if is_orphaned() { ORPHANED } else { TOLD };
        let closing = match started.elapsed() {
            // Exiting here leaves the data as after any kill, which the next start can handle.
            since if since > pace.last => ffi::leave(0),
            since if since > pace.answering => Some(Close::Both),
            since if since > pace.reading => Some(Close::Reading),
            _ => None,
        };
        without = if look(closing) == Some(0) { without + 1 } else { 0 };
        if without == 2 {
            none_left();
        }
        thread::sleep(PAUSE);
    }
}

/// Counts the process's IP sockets, the listening one included, and closes the connections: the only ones that it has
/// are its clients'. None if they can't be listed.
fn look(closing: Option<Close>) -> Option<usize> {
    let mut found = 0;
    for entry in fs::read_dir("/proc/self/fd").ok()?.flatten() {
        if let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
            ffi::with_descriptor(number, |descriptor| {
                found += usize::from(sockets::is_over_ip(descriptor));
                if let Some(how) = closing {
                    sockets::close(descriptor, how);
                }
            });
        }
    }
    Some(found)
}
