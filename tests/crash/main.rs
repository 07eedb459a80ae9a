//! Whole processes killed, at every named point and at random: every event that was answered with a 2xx is a row or a
//! dead letter, once.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "the helpers of tests fail as tests do")]

mod cells;
mod chaos;
mod ledger;
mod matrix;
mod migrations;
mod random;
mod rename;
mod scene;
mod server;

/// The declarations of the tests.
const PIPELINE: &str = env!("CARGO_BIN_EXE_pipeline");

/// The numbers alone, in a table without the hidden columns.
const BARE: &str = env!("CARGO_BIN_EXE_bare");
