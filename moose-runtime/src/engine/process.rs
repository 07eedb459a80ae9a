//! Child processes: waiting for their exit or killing them, and reading their output.

use std::{
    io::{self, BufRead as _, BufReader, Read},
    process::{Child, ExitStatus},
    thread,
    time::{Duration, Instant},
};

/// Asks a process to end by closing its input; kills it after `deadline`. Returns whether it ended by itself.
pub(super) fn end(child: &mut Child, deadline: Duration) -> bool {
    drop(child.stdin.take());
    wait(child, deadline).is_some_and(|status| status.success())
}

/// Waits for a process; kills it after `deadline` and returns `None`.
pub(super) fn wait(child: &mut Child, deadline: Duration) -> Option<ExitStatus> {
    let until = Instant::now() + deadline;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < until => thread::sleep(Duration::from_millis(10)),
            Ok(None) | Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    }
}

/// Reads lines on a separate thread until the end (`None`) or until the receiver is gone.
pub(super) fn read_lines(
    source: impl Read + Send + 'static,
    mut take: impl FnMut(Option<String>) -> bool + Send + 'static,
) -> io::Result<()> {
    let read = move || {
        let mut source = BufReader::new(source);
        let mut line = Vec::new();
        // Lossy: the library's output need not be UTF-8.
        while matches!(source.read_until(b'\n', &mut line), Ok(length) if length > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            if !take(Some(text)) {
                return;
            }
        }
        take(None);
    };
    thread::Builder::new().name("engine-output".to_owned()).spawn(read).map(|_thread| ())
}
