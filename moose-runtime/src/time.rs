//! Formats points in time.

use chrono::{DateTime, SecondsFormat, Utc};

/// RFC 3339 in UTC, to the millisecond.
pub(crate) fn rfc3339(time: impl Into<DateTime<Utc>>) -> String {
    time.into().to_rfc3339_opts(SecondsFormat::Millis, true)
}
