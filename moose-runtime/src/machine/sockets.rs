//! Closes sockets that other code in this process (the engine's library) opened.

use std::os::fd::BorrowedFd;

use rustix::net::{AddressFamily, Shutdown, getpeername, getsockname, shutdown};

/// How far a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// Nothing more is read from it.
    Reading,
    /// Completely.
    Both,
}

/// Whether it is a socket over IP, connected or listening.
pub fn is_over_ip(descriptor: BorrowedFd<'_>) -> bool {
    let family = getsockname(descriptor).map(|address| address.address_family());
    matches!(family, Ok(AddressFamily::INET | AddressFamily::INET6))
}

/// Closes a connection over IP. Anything else is left alone.
pub fn close(descriptor: BorrowedFd<'_>, how: Close) {
    if is_over_ip(descriptor) && getpeername(descriptor).is_ok() {
        let how = if how == Close::Reading { Shutdown::Read } else { Shutdown::Both };
        // If it is gone already, the goal is reached.
        let _ = shutdown(descriptor, how);
    }
}
