//! What the machine gives to this process, and keeps from others: open files, memory, and whose files ours are.

pub mod memory;
pub mod open_files;
pub mod private;
#[cfg(unix)]
pub mod sockets;
