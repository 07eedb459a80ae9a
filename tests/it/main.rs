//! The integration tests, in one binary: linking is what many small ones would spend their time on.
//!
//! Every test uses its own temporary directory, its own ports and its own database, and waits by polling with a deadline.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "the helpers of tests fail as tests do")]

mod ahead;
mod boot;
mod build_script;
mod burnt;
mod check;
mod commands;
mod counts;
mod delivery;
mod exceptions;
mod facts;
mod frozen;
mod holds;
mod identity;
mod in_flight;
mod input;
mod interrupted;
mod lies;
mod machine;
mod migrations;
mod outages;
mod plain;
mod plans;
mod poison;
mod proxy;
mod run;
mod settling;
mod stage;
mod tables;
mod tidy;
mod types;
