//! The tests on a real Apache Kafka: `cargo test -p moose-tests --features kafka --test kafka`, and with `kafka-tls`
//! in its place those of a broker that asks who one is. Where it can't be had they say so and are skipped, unless
//! `MOOSE_TEST_REQUIRE=kafka`; the contract of streams is then held against the library's mock cluster. The long forms
//! of the chaos and of the outage come with `MOOSE_TEST_FULL=1`.
#![expect(clippy::expect_used, reason = "the helpers of tests fail as tests do")]

mod cluster;
mod drain;
mod keys;
mod members;
mod operators;
mod pipeline;
mod running;
mod stage;
mod stream;
#[cfg(feature = "kafka-tls")]
mod tls;
mod topics;

use std::sync::OnceLock;

use moose_tests::kafka::{Broker, is_there};

/// The broker that all tests share which don't kill it; none where Apache Kafka can't be had.
fn broker() -> Option<&'static Broker> {
    static SHARED: OnceLock<Broker> = OnceLock::new();
    if !is_there() {
        return None;
    }
    Some(SHARED.get_or_init(|| {
        let parent = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
        let directory = parent.join("kafka-shared");
        // Left by an earlier run.
        let _ = std::fs::remove_dir_all(&directory);
        Broker::start(&directory)
    }))
}
