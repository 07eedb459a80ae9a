//! `addresses.json`: the addresses on which a running application listens, written for its other commands to find.
//! Readable by its user alone, because it says how to log in to the embedded engine.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

#[cfg(feature = "embedded")]
use crate::engine::Access;
use crate::machine::private;

/// Name of the file in the data directory.
pub const ADDRESSES_FILE: &str = "addresses.json";

/// The addresses of a running application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// The front door.
    pub http: SocketAddr,
    /// The management port.
    pub management: SocketAddr,
    /// ClickHouse's HTTP interface: the address of the embedded engine, or the configured URL.
    pub engine: String,
    /// Credentials of the embedded engine.
    #[cfg(feature = "embedded")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// The process id, which tells whether the file is a stale one.
    pub pid: u32,
}

impl Addresses {
    /// Writes the file atomically: a reader sees the old one or the new one.
    pub fn write(&self, data_dir: &Path) -> io::Result<()> {
        let text = serde_json::to_vec(self).map_err(io::Error::other)?;
        let new = data_dir.join(format!("{ADDRESSES_FILE}.new"));
        private::write(&new, &text)?;
        std::fs::rename(new, Self::file(data_dir))
    }

    /// Deletes the file.
    pub fn remove(data_dir: &Path) {
        // A missing file is fine; one that can't be deleted is recognised as stale by its pid.
        let _ = std::fs::remove_file(Self::file(data_dir));
    }

    fn file(data_dir: &Path) -> PathBuf {
        data_dir.join(ADDRESSES_FILE)
    }
}
