//! The pinned library file per platform: its names at each source, and its SHA-256.

use std::env::consts;

/// The chDB release that everything here was tested with.
pub(super) const VERSION: &str = "26.7.3";

/// The version of its npm package.
pub(super) const NPM_VERSION: &str = "26.7.3-stable.1";

/// Whether this was compiled for the C library that the engine needs.
const GLIBC: bool = cfg!(target_env = "gnu");

/// One platform's library.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pin {
    /// Name of the file inside archives and in the cache.
    pub(super) file_name: &'static str,
    /// Name of the archive in the project's releases.
    pub(super) archive: &'static str,
    /// The npm package.
    pub(super) package: &'static str,
    /// Its SHA-256, in hexadecimal.
    pub(super) sha256: &'static str,
}

/// Platforms whose library was downloaded and hashed.
const LINUX_X64_GNU: Pin = Pin {
    file_name: "libchdb.so",
    archive: "linux-x86_64-libchdb.tar.gz",
    package: "@chdb/lib-linux-x64-gnu",
    sha256: "36ad4e999882821ef13cf2d0f52c93f48e6ee1b4498b35a201c23ce4b8d15bf5",
};

/// The pin of the platform that this was compiled for, if any.
pub(super) fn for_this_platform() -> Option<Pin> {
    matches!((consts::OS, consts::ARCH), ("linux", "x86_64") if GLIBC).then_some(LINUX_X64_GNU)
}

/// Operating system and processor that this was compiled for.
pub(super) fn this_platform() -> String {
    let libc = if consts::OS == "linux" && !GLIBC { " without glibc" } else { "" };
    format!("{} {}{libc}", consts::OS, consts::ARCH)
}
