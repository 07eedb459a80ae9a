//! The commands of the generated binary.

mod addresses;
mod arguments;
mod terminal;
