//! The tests on a real Apache Kafka: `cargo test -p moose-tests --features kafka --test kafka`, and with `kafka-tls`
//! in its place those of a broker that asks who one is.
#![expect(clippy::expect_used, reason = "the helpers of tests fail as tests do")]

mod drain;
mod operators;
mod pipeline;
mod stage;
mod stream;
#[cfg(feature = "kafka-tls")]
mod tls;

use std::sync::OnceLock;

use moose_tests::kafka::Broker;

/// The broker that all tests share which don't kill it.
fn broker() -> &'static Broker {
    static SHARED: OnceLock<Broker> = OnceLock::new();
    SHARED.get_or_init(|| {
        let parent = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
        let directory = parent.join("kafka-shared");
        // Left by an earlier run.
        let _ = std::fs::remove_dir_all(&directory);
        Broker::start(&directory)
    })
}
