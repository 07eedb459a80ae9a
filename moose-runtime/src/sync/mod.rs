//! The delivery protocol: from a stream partition into a table, every record once.
