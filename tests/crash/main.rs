//! Whole processes killed at random.
