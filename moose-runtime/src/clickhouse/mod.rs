//! Talking with ClickHouse over HTTP.
