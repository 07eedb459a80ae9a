//! The embedded ClickHouse: a library in a child process with ClickHouse's HTTP interface.
