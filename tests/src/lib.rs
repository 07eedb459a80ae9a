//! The harness of the integration tests: what every test needs and no test is about.
//!
//! - [`proxy`]: stands in front of ClickHouse, records what goes through and makes faults.
//! - [`engine`]: embedded engines, shared by a test binary or a test's own.
//! - [`pipelines`]: the declarations that the tests run.
//! - [`http`]: a client that says exactly what was sent and what came back.
//! - [`kafka`]: a real Apache Kafka, to be killed.
//! - [`load`]: clients that send all the time, and the count of what they were told is kept.
//! - [`migrations`]: files of migrations for the declarations.
//! - [`process`]: a pipeline as a process of its own, to be killed.
//! - [`random`]: numbers that can be had again by their seed.
//! - [`shim`]: stands between an engine and the renames of its parts.
//! - [`wait`]: polling with a deadline; nothing here sleeps for a fixed time and hopes.
//!
//! A harness fails by panicking, with the place of the caller and all that is known about the cause: that is what makes
//! a test's failure readable.
#![expect(clippy::expect_used, reason = "a harness fails by panicking, which is what fails the test")]

pub mod engine;
pub mod http;
pub mod kafka;
pub mod load;
pub mod migrations;
pub mod pipelines;
pub mod process;
pub mod proxy;
pub mod random;
pub mod shim;
pub mod wait;

/// Whether the long form of the tests was asked for: `MOOSE_TEST_FULL=1`.
#[must_use]
pub fn is_full() -> bool {
    std::env::var_os("MOOSE_TEST_FULL").is_some()
}
