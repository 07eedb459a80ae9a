//! Telemetry of the running pipeline: its metrics, and which of its components are failing.

mod health;
mod labels;
mod metrics;
mod reason;
#[cfg(test)]
mod reference;

pub use health::{Component, Delivery, Failure, Health, Severity};
pub use labels::{
    ApiLabel, Declared, HoldLabel, LagLabel, LetterLabel, ReaderLabel, RejectionLabel, RetryLabel, StreamLabel,
    TableLabel, ViewLabel,
};
pub use metrics::{Metrics, Seconds};
pub use reason::{LetterReason, Reason};
