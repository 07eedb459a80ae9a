//! Resources of the machine: the limits on open files and memory, and the permissions of our files.

pub mod memory;
pub mod open_files;
pub mod private;
#[cfg(unix)]
pub mod sockets;
