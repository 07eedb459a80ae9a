//! ClickHouse's errors: their text, their number, and the HTTP status that ClickHouse's own server gives them.

use std::fmt;

/// The version of ClickHouse that the library is, as `SELECT version()` says.
pub(super) const SERVER_VERSION: &str = "26.7.2.1";

/// An error as ClickHouse's HTTP interface shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Exception {
    /// ClickHouse's number for it.
    pub(super) code: u32,
    /// `Code: N. DB::Exception: … (NAME) (version …)`
    text: String,
}

impl fmt::Display for Exception {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Exception {
    /// From a text of the library, which lacks the version and repeats what passed through several of its layers.
    pub(super) fn from_engine(text: &str) -> Self {
        let Some((code, message)) = split(text) else {
            return Self::new(1001, "STD_EXCEPTION", text);
        };
        let mut innermost = message;
        while let Some((inner, message)) = split(innermost)
            && inner == code
        {
            innermost = message;
        }
        let version = format!(" (version {SERVER_VERSION})");
        let message = innermost.split_once(&version).map_or(innermost, |(message, _)| message);
        Self { code, text: complete(code, message.trim_end()) }
    }

    /// An error found before the engine was asked.
    pub(super) fn new(code: u32, name: &str, message: &str) -> Self {
        Self { code, text: complete(code, &format!("{message}. ({name})")) }
    }

    /// The text without its version, as the library itself would say it.
    #[cfg(test)]
    fn without_version(&self) -> &str {
        self.text.split(" (version ").next().unwrap_or_default()
    }

    /// The status that ClickHouse gives this error where no part of the answer was sent.
    pub(super) fn status(&self) -> u16 {
        match self.code {
            // REQUIRED_PASSWORD
            194 => 401,
            // UNKNOWN_USER, WRONG_PASSWORD, AUTHENTICATION_FAILED, SET_NON_GRANTED_ROLE, ACCESS_DENIED
            192 | 193 | 516 | 512 | 497 => 403,
            // CANNOT_PARSE_TEXT, THERE_IS_NO_COLUMN, DUPLICATE_COLUMN, CANNOT_PARSE_ESCAPE_SEQUENCE, _QUOTED_STRING,
            // _INPUT_ASSERTION_FAILED, BAD_ARGUMENTS, UNKNOWN_ELEMENT_IN_AST, CANNOT_PARSE_DATE, _DATETIME,
            // ILLEGAL_COLUMN, TYPE_MISMATCH, SYNTAX_ERROR, CANNOT_PARSE_NUMBER, INCORRECT_DATA,
            // UNKNOWN_TYPE_OF_AST_NODE, TOO_DEEP_AST, TOO_BIG_AST, UNEXPECTED_AST_STRUCTURE,
            // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE, CANNOT_PARSE_UUID, CANNOT_COMPILE_REGEXP,
            // CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING, _IPV4, _IPV6
            6 | 8 | 15 | 25 | 26 | 27 | 36 | 37 | 38 | 41 | 44 | 53 | 62 | 72 | 117 | 123 | 167 | 168 | 223 | 321
            | 376 | 427 | 441 | 675 | 676 => 400,
            // UNKNOWN_FUNCTION, _IDENTIFIER, _TYPE, _STORAGE, _TABLE, _AGGREGATE_FUNCTION, _FORMAT, _TYPE_OF_QUERY,
            // _DATABASE, _SETTING, _DIRECTION_OF_SORTING, _DATABASE_ENGINE, _ROLE
            46 | 47 | 50 | 56 | 60 | 63 | 73 | 78 | 81 | 115 | 152 | 336 | 511 => 404,
            // TIMEOUT_EXCEEDED
            159 => 408,
            // HTTP_LENGTH_REQUIRED
            381 => 411,
            // QUERY_IS_TOO_LARGE
            229 => 413,
            // UNSUPPORTED_MEDIA_TYPE
            779 => 415,
            // NOT_IMPLEMENTED
            48 => 501,
            // CANNOT_OPEN_FILE, SOCKET_TIMEOUT, CANNOT_SCHEDULE_TASK
            76 | 209 | 439 => 503,
            _ => 500,
        }
    }
}

/// `Code: N. DB::Exception: message`, with any exception class.
fn split(text: &str) -> Option<(u32, &str)> {
    let (code, rest) = text.strip_prefix("Code: ")?.split_once(". ")?;
    let (class, message) = rest.split_once(": ")?;
    if !class.ends_with("Exception") {
        return None;
    }
    Some((code.parse().ok()?, message))
}

fn complete(code: u32, message: &str) -> String {
    format!("Code: {code}. DB::Exception: {message} (version {SERVER_VERSION} (chDB))")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_passed_through_layers_is_said_once() {
        let text = "Code: 73. DB::Exception: Code: 73. DB::Exception: Unknown format Foo. (UNKNOWN_FORMAT) \
                    (version 26.7.2.1). (UNKNOWN_FORMAT)";
        let exception = Exception::from_engine(text);
        assert_eq!(exception.code, 73);
        assert_eq!(exception.without_version(), "Code: 73. DB::Exception: Unknown format Foo. (UNKNOWN_FORMAT)");
        assert_eq!(exception.status(), 404);
    }

    #[test]
    fn a_plain_text_keeps_its_words_and_gains_the_version() {
        let exception = Exception::from_engine("Code: 62. DB::Exception: Syntax error: x. (SYNTAX_ERROR)");
        assert_eq!(
            exception.to_string(),
            "Code: 62. DB::Exception: Syntax error: x. (SYNTAX_ERROR) (version 26.7.2.1 (chDB))"
        );
        assert_eq!(exception.status(), 400);
    }

    #[test]
    fn a_text_without_a_number_is_a_standard_exception() {
        assert_eq!(Exception::from_engine("std::bad_alloc").code, 1001);
    }
}
