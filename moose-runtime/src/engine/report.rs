//! Messages of the engine's process: lines for its parent, and lines for people.

use std::{
    fs::File,
    io::{self, Write as _},
    sync::OnceLock,
};

/// How a supervised engine begins a line that is for its parent.
pub(super) const READY: &str = "moose-engine ready ";
/// It can't start; the reason follows.
pub(super) const FAILED: &str = "moose-engine failed ";
/// It is not ready yet; what it waits for follows.
pub(super) const WAITING: &str = "moose-engine waiting ";

/// Where the lines for the parent go, once standard output is ClickHouse's.
pub(super) static OUTPUT: OnceLock<File> = OnceLock::new();

/// A line for the parent. One that is gone notices nothing.
pub(super) fn report(line: &str) {
    let line = format!("{line}\n");
    let _ = match OUTPUT.get() {
        Some(mut output) => output.write_all(line.as_bytes()),
        None => io::stdout().lock().write_all(line.as_bytes()),
    };
}

/// A line for people.
pub(super) fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
