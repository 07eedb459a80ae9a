//! Which file is the engine's library, per platform: its names at the places it comes from, and its SHA-256.

use std::env::consts;

use super::LibraryError;

/// The chDB release that everything here was tried with.
pub(super) const VERSION: &str = "26.7.3";

/// The npm release of it.
pub(super) const NPM_VERSION: &str = "26.7.3-stable.1";

/// One platform's library.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pin {
    /// Name of the file inside archives and in the cache.
    pub(super) file_name: &'static str,
    /// Name of the archive in the project's releases.
    pub(super) archive: &'static str,
    /// The npm package.
    pub(super) package: &'static str,
    /// Of the file, in hexadecimal.
    pub(super) sha256: &'static str,
}

/// Platforms whose library was fetched and hashed.
const LINUX_X64_GNU: Pin = Pin {
    file_name: "libchdb.so",
    archive: "linux-x86_64-libchdb.tar.gz",
    package: "@chdb/lib-linux-x64-gnu",
    sha256: "36ad4e999882821ef13cf2d0f52c93f48e6ee1b4498b35a201c23ce4b8d15bf5",
};

/// The pin of the platform that this was compiled for.
pub(super) fn for_this_platform() -> Result<Pin, LibraryError> {
    let glibc = cfg!(target_env = "gnu");
    match (consts::OS, consts::ARCH) {
        ("linux", "x86_64") if glibc => Ok(LINUX_X64_GNU),
        (system, processor) => {
            let libc = if system == "linux" && !glibc { " without glibc" } else { "" };
            Err(LibraryError::UnsupportedPlatform { platform: format!("{system} {processor}{libc}") })
        }
    }
}
