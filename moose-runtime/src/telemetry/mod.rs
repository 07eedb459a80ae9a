//! What the running pipeline tells about itself: its metrics, and which of its components fail at present.

mod health;
mod metrics;
mod reason;

pub use health::{Component, Delivery, Failure, Health, Severity};
pub use metrics::*;
pub use reason::{LetterReason, Reason};
