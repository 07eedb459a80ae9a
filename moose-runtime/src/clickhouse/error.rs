//! Errors of requests to ClickHouse, and parsing the error code out of ClickHouse's messages.

use std::time::Duration;

/// Errors of requests to ClickHouse.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClickHouseError {
    /// The address is invalid.
    #[error("clickhouse.url `{url}` is not usable: {reason}; expected a form like http://host:8123")]
    Address {
        /// The configured address.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No connection, or it was broken.
    #[error("clickhouse at {url} can't be reached: {reason}")]
    Unreachable {
        /// The server.
        url: String,
        /// The error of the connection.
        reason: String,
    },
    /// Timeout: no response.
    #[error("clickhouse at {url} has not answered for {waited:?}")]
    Silent {
        /// The server.
        url: String,
        /// How long the request had waited.
        waited: Duration,
    },
    /// No response, and the server was away meanwhile: there will be none.
    #[error(
        "clickhouse at {url} was away for a while and is back; what it was asked {waited:?} ago will not be answered"
    )]
    Returned {
        /// The server.
        url: String,
        /// How long the request had waited.
        waited: Duration,
    },
    /// A response that is not ClickHouse's, such as a proxy's.
    #[error("clickhouse at {url} answered HTTP {status} without an error code: {text}")]
    NotClickHouse {
        /// The server.
        url: String,
        /// Status of the response.
        status: u16,
        /// Its beginning.
        text: String,
    },
    /// ClickHouse responded with an error.
    #[error("{text}")]
    Exception {
        /// ClickHouse's error code.
        code: u32,
        /// ClickHouse's message.
        text: String,
    },
    /// A response that can't be parsed.
    #[error("clickhouse at {url} answered something unexpected: {reason}")]
    Unexpected {
        /// The server.
        url: String,
        /// What was expected and what was received.
        reason: String,
    },
}

impl ClickHouseError {
    /// ClickHouse's error code, if it was ClickHouse that responded.
    pub fn code(&self) -> Option<u32> {
        match self {
            Self::Exception { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether the server did not respond at all.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Silent { .. } | Self::Returned { .. })
    }

    /// Whether the server was away and is back: there will be no response.
    pub fn is_return(&self) -> bool {
        matches!(self, Self::Returned { .. })
    }

    /// How long a response was waited for in vain.
    pub fn waited(&self) -> Duration {
        match self {
            Self::Silent { waited, .. } | Self::Returned { waited, .. } => *waited,
            _ => Duration::ZERO,
        }
    }

    /// The error in an unexpected response.
    pub(super) fn in_an_answer(url: &str, text: &str) -> Self {
        match code_in(text) {
            Some(code) => Self::Exception { code, text: text.trim().to_owned() },
            None => Self::Unexpected { url: url.to_owned(), reason: beginning(text) },
        }
    }

    pub(super) fn from_official(url: &str, error: &clickhouse::error::Error) -> Self {
        use clickhouse::error::Error;
        match error {
            Error::BadResponse(text) => Self::in_an_answer(url, text),
            Error::Network(source) => Self::Unreachable { url: url.to_owned(), reason: chain(source.as_ref()) },
            other => Self::Unexpected { url: url.to_owned(), reason: chain(other) },
        }
    }
}

/// The code in a text that begins like `Code: 60. DB::Exception: …`, or `Code: 62, …` as written by servers of 2018.
pub(super) fn code_in(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("Code: ")?;
    let digits = rest.find(|character: char| !character.is_ascii_digit())?;
    let (number, rest) = rest.split_at_checked(digits)?;
    (rest.starts_with('.') || rest.starts_with(',')).then(|| number.parse().ok())?
}

/// An error with all its causes in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// The beginning of a response that may be long.
pub(super) fn beginning(text: &str) -> String {
    let mut short: String = text.trim().chars().take(500).collect();
    if short.len() < text.trim().len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_found_in_new_and_old_texts() {
        assert_eq!(code_in("Code: 60. DB::Exception: Table moose.x does not exist."), Some(60));
        assert_eq!(code_in("Code: 62, e.displayText() = DB::Exception: Syntax error"), Some(62));
        assert_eq!(code_in("__exception__\nCode: 1001. DB::Exception"), Some(1001));
    }

    #[test]
    fn other_texts_have_no_code() {
        for text in ["", "Code: ", "Code: x", "Code: 12", "502 Bad Gateway", "Code: 99999999999999. "] {
            assert_eq!(code_in(text), None, "{text}");
        }
    }
}
