//! The management port: metrics, health, readiness.
