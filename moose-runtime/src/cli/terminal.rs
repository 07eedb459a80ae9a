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

/// The default log filter: our own crates, and only problems of those below.
const LOGGED: &str = "info,fjall=warn,lsm_tree=warn,hyper=warn,hyper_util=warn";

/// Writes a result. A closed pipe (`… | head`) is not an error.
pub(super) fn print(text: &[u8]) -> io::Result<()> {
    let mut output = io::stdout().lock();
    match output.write_all(text).and_then(|()| output.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Writes a message that is not a result. If standard error is closed, it is dropped.
pub(super) fn tell(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Asks the operator; without a terminal, and for any answer but yes, the result is no.
pub(super) fn confirm(question: &str) -> bool {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return false;
    }
    let asked = write!(io::stderr().lock(), "{question} [y/N] ").and_then(|()| io::stderr().flush());
    let mut answer = String::new();
    asked.is_ok() && io::stdin().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

/// An error with its causes in one line. A cause already contained in a text is not repeated.
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

/// Logs to standard error, in colour on a terminal. A tracing subscriber that the application has set is kept.
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
        // A line that can't be written is lost. Reporting that on standard error would panic in the code that logs.
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
