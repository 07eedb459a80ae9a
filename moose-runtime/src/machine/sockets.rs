//! Sockets of other code: closes those that the engine's library opened in this process, and keeps a port for it.

use std::{
    io,
    net::SocketAddr,
    os::fd::{BorrowedFd, OwnedFd},
};

use rustix::net::{
    AddressFamily, Shutdown, SocketFlags, SocketType, bind, getpeername, getsockname, shutdown, socket_with, sockopt,
};

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

/// Keeps a port from other users of the machine, without listening on it: only this user's sockets that share their port
/// (`SO_REUSEPORT`) can be bound to it as well. It fails where the one that is bound already does not share it.
pub fn keep_port(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    bind(&socket, &address)?;
    Ok(socket)
}
