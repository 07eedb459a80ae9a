//! The embedded engine as its clients and its parent see it: the real library, in a real child process.
//!
//! Tests share one engine, started on first use on a port of its own; each works on tables named after itself. Tests
//! of life and death start engines of their own. The library comes from the cache, or is fetched on the first run.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "every function here belongs to a test: what fails is the test"
)]

mod abuse;
mod access;
mod client;
mod grants;
mod library;
mod lifecycle;
mod mend;
mod official_client;
mod turns;
mod upgrade;
