//! Output for the operator: results on standard output, everything else on standard error.

use std::{
    error::Error,
    fmt,
    io::{self, IsTerminal as _, Write as _},
    time::SystemTime,
};

use tracing_subscriber::{
    EnvFilter,
    fmt::{format::Writer, time::FormatTime},
};

use crate::time::rfc3339;

/// What is logged where `RUST_LOG` says nothing: our own parts, and from below them only what is wrong.
const LOGGED: &str = "info,fjall=warn,lsm_tree=warn,hyper=warn,hyper_util=warn";

/// Writes a result. A reader that has gone away (`… | head`) is not an error.
pub(super) fn print(text: &[u8]) -> io::Result<()> {
    let mut output = io::stdout().lock();
    match output.write_all(text).and_then(|()| output.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Tells the operator something that is no result. If standard error is closed, nobody wanted to know.
pub(super) fn tell(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Asks the operator, if there is one at a terminal; nobody, and anything but a yes, is a no.
pub(super) fn confirm(question: &str) -> bool {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return false;
    }
    let asked = write!(io::stderr().lock(), "{question} [y/N] ").and_then(|()| io::stderr().flush());
    let mut answer = String::new();
    asked.is_ok() && io::stdin().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

/// An error with its causes in one line. A cause that a text already tells is not told twice.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// Logs to standard error, in colour on a terminal. An application that has set up tracing before keeps its own.
pub(super) fn start_logging() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOGGED));
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let started = tracing_subscriber::fmt()
        .compact()
        .with_env_filter(filter)
        .with_target(false)
        .with_timer(Milliseconds)
        .with_writer(io::stderr)
        .with_ansi(colour)
        // A line that can't be written is lost. Said on standard error, that would panic, and take whoever logs with it.
        .log_internal_errors(false)
        .try_init();
    drop(started);
}

/// UTC to the millisecond: precise enough for a person, and the same on every machine.
struct Milliseconds;

impl FormatTime for Milliseconds {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        writer.write_str(&rfc3339(SystemTime::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("failed to open the log")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("failed to read `x`: {0}")]
    struct Inner(#[source] io::Error);

    #[test]
    fn every_cause_is_told_once() {
        let error = Outer(Inner(io::Error::other("the disk is gone")));
        assert_eq!(chain(&error), "failed to open the log: failed to read `x`: the disk is gone");
    }
}
