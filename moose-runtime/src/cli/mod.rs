//! The commands of the generated binary.
