//! What the machine gives to this process, and keeps from others: open files, and whose files ours are.

pub mod open_files;
pub mod private;
#[cfg(unix)]
pub mod sockets;
