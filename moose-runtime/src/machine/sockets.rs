//! Connections that somebody else in this process made.

use std::os::fd::BorrowedFd;

use rustix::net::{Shutdown, getpeername, shutdown};

/// How far a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// Nothing more is read from it.
    Reading,
    /// Altogether.
    Both,
}

/// Closes a connection over TCP. Anything else is left alone.
pub fn close(descriptor: BorrowedFd<'_>, how: Close) {
    let is_tcp = getpeername(descriptor).ok().flatten().is_some_and(|peer| {
        matches!(peer.address_family(), rustix::net::AddressFamily::INET | rustix::net::AddressFamily::INET6)
    });
    if is_tcp {
        let how = if how == Close::Reading { Shutdown::Read } else { Shutdown::Both };
        // One that is gone is what was wanted.
        let _ = shutdown(descriptor, how);
    }
}
