//! The embedded log: a stream on the key-value store `fjall`.
