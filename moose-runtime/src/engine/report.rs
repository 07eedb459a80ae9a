//! Messages of the engine's process: lines for its parent, and lines for people.

use std::{
    fs::File,
    io::{self, Write as _},
    sync::OnceLock,
};

/// Prefix of a supervised engine's line for its parent: it is ready at this address.
pub(super) const READY: &str = "moose-engine ready ";
/// Prefix: it can't start, with the reason.
pub(super) const FAILED: &str = "moose-engine failed ";
/// Prefix: it is not ready yet, with what it waits for.
pub(super) const WAITING: &str = "moose-engine waiting ";

/// Where lines for the parent go, once ClickHouse has standard output.
pub(super) static OUTPUT: OnceLock<File> = OnceLock::new();

/// Writes a line for the parent, which may be gone.
pub(super) fn report(line: &str) {
    let line = format!("{line}\n");
    let _ = match OUTPUT.get() {
        Some(mut output) => output.write_all(line.as_bytes()),
        None => io::stdout().lock().write_all(line.as_bytes()),
    };
}

/// Writes a line for people.
pub(super) fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
