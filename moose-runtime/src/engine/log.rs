//! Passes the output of the engine's process on to our log: its own lines, and those of ClickHouse's log.
//!
//! ClickHouse logs one JSON object per line. Warnings, errors and worse keep their level. An error that was the
//! response to a statement is logged as a detail: its client has it. Lines of any other form are logged as they are,
//! the last words of a crashing process among them.

use serde::Deserialize;

/// Maximum length of a message that is passed on.
const MOST: usize = 2000;

/// One line of ClickHouse's log.
#[derive(Debug, Deserialize)]
struct Entry {
    level: String,
    logger_name: String,
    message: String,
}

/// Loggers of errors that clients get as responses, and of what every start says about its speed.
const NOBODYS: &[&str] = &["executeQuery", "DynamicQueryHandler", "HTTPHandler", "BackgroundSchedulePool/BgSchPool"];

/// Its message when its terminal is closed, which is how it is asked to end.
const TERMINAL_CLOSED: &str = "Cannot set terminal to the original";

/// Messages about a client that went away in the middle of a request or response, and about merges that wait for a drop:
/// anybody could fill the log with them.
const ROUTINE: &[&str] = &[
    "Broken pipe",
    "Cannot read remaining request body",
    "Connection reset by peer",
    "Temporarily pause scheduling of tasks",
    "Write buffer has been canceled",
];

/// The level of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    Error,
    Warning,
    Detail,
}

/// Passes a line on to our log.
pub(super) fn pass_on(line: &str) {
    let (weight, text) = read(line);
    match weight {
        Weight::Error => tracing::error!(target: "moose::engine", "{text}"),
        Weight::Warning => tracing::warn!(target: "moose::engine", "{text}"),
        Weight::Detail => tracing::debug!(target: "moose::engine", "{text}"),
    }
}

fn read(line: &str) -> (Weight, String) {
    let Ok(entry) = serde_json::from_str::<Entry>(line) else {
        let weight = if line.contains(TERMINAL_CLOSED) { Weight::Detail } else { Weight::Warning };
        return (weight, beginning(line));
    };
    let weight = match entry.level.as_str() {
        _ if NOBODYS.contains(&entry.logger_name.as_str()) => Weight::Detail,
        "Error" | "Warning" if ROUTINE.iter().any(|routine| entry.message.contains(routine)) => Weight::Detail,
        "Fatal" | "Critical" | "Error" => Weight::Error,
        "Warning" => Weight::Warning,
        _ => Weight::Detail,
    };
    // Stack traces are for ClickHouse's own developers.
    let message = entry.message.split(", Stack trace").next().unwrap_or_default().trim_end();
    let message = message.replace('\n', " ");
    (weight, beginning(&format!("{}: {message}", entry.logger_name)))
}

fn beginning(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{} …", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(level: &str, logger: &str, message: &str) -> (Weight, String) {
        let line = serde_json::json!({
            "date_time": "1795794249.919877", "thread_name": "", "level": level, "query_id": "", "logger_name": logger,
            "message": message, "source_line": "25",
        });
        read(&line.to_string())
    }

    #[test]
    fn warnings_and_errors_keep_their_level_and_lose_the_trace_of_the_stack() {
        let message = "Code: 243. DB::Exception: no space\nleft, Stack trace (when copying this message):\n0. ? @ 0x1";
        assert_eq!(
            entry("Error", "moose.t (MergeTask)", message),
            (Weight::Error, "moose.t (MergeTask): Code: 243. DB::Exception: no space left".to_owned())
        );
        assert_eq!(entry("Fatal", "BaseDaemon", "signal").0, Weight::Error);
        assert_eq!(entry("Warning", "Context", "slow").0, Weight::Warning);
        assert_eq!(entry("Information", "Application", "Listening").0, Weight::Detail);
    }

    #[test]
    fn what_a_client_was_answered_is_its_own() {
        assert_eq!(entry("Error", "executeQuery", "Code: 60. DB::Exception: no table").0, Weight::Detail);
        let left = "Code: 236. DB::Exception: Write buffer has been canceled. (ABORTED)";
        assert_eq!(entry("Error", "WriteBufferFromHTTPServerResponse", left).0, Weight::Detail);
        assert_eq!(
            entry("Warning", "t", "Temporarily pause scheduling of tasks, because it is dropped").0,
            Weight::Detail
        );
    }

    #[test]
    fn other_lines_are_said_as_they_are_and_none_is_endless() {
        assert_eq!(read("terminate called"), (Weight::Warning, "terminate called".to_owned()));
        assert_eq!(read("{\"level\":1}").0, Weight::Warning);
        let closed = "Code: 425. DB::ErrnoException: Cannot set terminal to the original (canonical) mode";
        assert_eq!(read(closed).0, Weight::Detail, "so it ends");
        assert!(read(&"ä".repeat(10 * MOST)).1.chars().count() < MOST + 10);
    }
}
