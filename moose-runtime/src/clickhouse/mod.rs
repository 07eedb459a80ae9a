//! ClickHouse over HTTP: queries and DDL through the official client, INSERTs through one of our own. Every request has
//! a timeout (`liveness`).
//!
//! The insert client exists because the delivery protocol needs what the official one hides: one body with its length,
//! the HTTP status, the exception code, and whether there was a response at all. See [`insert`].

mod ahead;
mod body;
mod client;
mod error;
mod facts;
pub mod insert;
mod inspect;
mod liveness;

pub use ::clickhouse::query::Query;
pub use ahead::Ahead;
pub use client::Client;
pub use error::ClickHouseError;
pub(crate) use facts::RowPolicy;
pub use facts::{TableFacts, ViewFacts, ViewTarget, calls, window_of};
pub use inspect::TableState;
pub use liveness::Patience;
