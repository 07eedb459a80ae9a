//! Finds the engine's library on this machine, or downloads it once.
//!
//! Sources, in order: the file that `MOOSE_ENGINE_LIBRARY` names; the cache directory; chDB's release archive; the npm
//! package. Whatever the source, a file whose SHA-256 is not the pinned one is never loaded. Two processes that
//! download at once wait for each other; a file gets its name in the cache only when it is complete and checked.

mod error;
mod fetch;
mod pins;
mod progress;
mod verify;

use std::{
    env,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

pub use self::error::{Attempt, LibraryError};
pub(super) use self::verify::hexadecimal;
use self::{
    pins::Pin,
    progress::{Progress, tell},
};

/// Names a library file to use instead of the cached one. It must be the pinned version too.
pub const LIBRARY_VARIABLE: &str = "MOOSE_ENGINE_LIBRARY";

/// The version of the library, such as `26.7.3`.
pub(super) fn version() -> &'static str {
    pins::VERSION
}

/// The checked library of this machine, downloaded if necessary: about 178 MB once, with progress on standard error.
///
/// Blocks, for minutes if it has to download.
pub fn locate() -> Result<PathBuf, LibraryError> {
    let pin = pins::for_this_platform()
        .ok_or_else(|| LibraryError::UnsupportedPlatform { platform: pins::this_platform() })?;
    let cache = cache_directory();
    if let Some(path) = env::var_os(LIBRARY_VARIABLE).filter(|value| !value.is_empty()) {
        // Without a cache directory the result of the check is not cached, which only costs time.
        return named_library(Path::new(&path), &pin, cache.as_deref().ok());
    }
    let cache = cache?;
    let home = cache.join(pins::VERSION);
    let library = home.join(pin.file_name);
    if let Found::Good = look(&library, &pin, &cache)? {
        return Ok(library);
    }
    let cache_error = |source| LibraryError::Cache { path: home.clone(), source };
    fs::create_dir_all(&home).map_err(cache_error)?;
    let _lock = take_turn(&home.join("lock")).map_err(cache_error)?;
    // Another process may have downloaded it while this one waited.
    match look(&library, &pin, &cache)? {
        Found::Good => return Ok(library),
        Found::Damaged { found } => {
            tell(&format!("{} is damaged (SHA-256 {found}): fetching it again", library.display()));
            fs::remove_file(&library).map_err(cache_error)?;
        }
        Found::Missing => {}
    }
    fetch::remove_leftovers(&home);
    fetch::fetch(&pin, &home, &library)?;
    verify::remember(&library, &pin, &cache);
    Ok(library)
}

/// The content of the cache.
enum Found {
    Good,
    Damaged { found: String },
    Missing,
}

fn look(library: &Path, pin: &Pin, cache: &Path) -> Result<Found, LibraryError> {
    if !library.exists() {
        return Ok(Found::Missing);
    }
    match verify::verify(library, pin, Some(cache)) {
        Ok(None) => Ok(Found::Good),
        Ok(Some(found)) => Ok(Found::Damaged { found }),
        Err(source) => Err(LibraryError::Unreadable { path: library.to_owned(), source }),
    }
}

fn named_library(path: &Path, pin: &Pin, cache: Option<&Path>) -> Result<PathBuf, LibraryError> {
    match verify::verify(path, pin, cache) {
        Ok(None) => Ok(path.to_owned()),
        Ok(Some(found)) => {
            Err(LibraryError::WrongLibrary { path: path.to_owned(), expected: pin.sha256.to_owned(), found })
        }
        Err(source) => Err(LibraryError::Unreadable { path: path.to_owned(), source }),
    }
}

/// `$XDG_CACHE_HOME/moose/engine`, or `~/.cache/moose/engine`.
fn cache_directory() -> Result<PathBuf, LibraryError> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    match base {
        Some(base) => Ok(base.join("moose").join("engine")),
        None => Err(LibraryError::Cache {
            path: PathBuf::from("~/.cache"),
            source: io::Error::new(io::ErrorKind::NotFound, "neither XDG_CACHE_HOME nor HOME is set"),
        }),
    }
}

/// Acquires the fetch lock, held until dropped; says so if another process has it.
fn take_turn(path: &Path) -> io::Result<File> {
    let lock = File::options().create(true).truncate(false).write(true).open(path)?;
    match lock.try_lock() {
        Ok(()) => return Ok(lock),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let waiting = Progress::spinner("another process is fetching the engine library; waiting for it");
    lock.lock()?;
    waiting.done();
    Ok(lock)
}
