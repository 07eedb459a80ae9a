//! The order of stopping.
