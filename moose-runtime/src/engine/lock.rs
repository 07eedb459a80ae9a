//! The lock of an engine's data directory: one process at a time.

use std::{
    fs::{File, TryLockError},
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process, thread,
    time::{Duration, Instant},
};

use super::{
    error::OpenError,
    report::{WAITING, report},
};
use crate::machine::private;

/// How long a supervised engine waits for a dying one to release the data directory.
const TAKEOVER: Duration = Duration::from_secs(30);
const TAKEOVER_PAUSE: Duration = Duration::from_millis(50);

/// Creates the directory and holds its lock until dropped. A `supervised` engine waits for a dying one.
pub(super) fn lock_directory(directory: &Path, supervised: bool) -> Result<File, OpenError> {
    let directory_error = |source| OpenError::Directory { path: directory.to_owned(), source };
    private::create(directory).map_err(directory_error)?;
    let path = directory.join("moose-engine.lock");
    let mut lock =
        File::options().create(true).truncate(false).read(true).write(true).open(&path).map_err(directory_error)?;
    let started = Instant::now();
    let mut said = false;
    loop {
        match lock.try_lock() {
            Ok(()) => break,
            Err(TryLockError::Error(source)) => return Err(directory_error(source)),
            Err(TryLockError::WouldBlock) if supervised && started.elapsed() < TAKEOVER => {
                if !said {
                    report(&format!("{WAITING}for {} to let go of {}", holder(&path), directory.display()));
                    said = true;
                }
                thread::sleep(TAKEOVER_PAUSE);
            }
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::InUse { path: directory.to_owned(), holder: holder(&path) });
            }
        }
    }
    // Only for the next one's error message; the lock itself is the system's.
    let _ = lock.set_len(0).and_then(|()| lock.write_all(format!("{}\n", process::id()).as_bytes()));
    Ok(lock)
}

/// The process that holds the lock, according to its file.
fn holder(path: &Path) -> String {
    let mut line = String::new();
    let read = File::open(path).and_then(|file| BufReader::new(file).read_line(&mut line));
    match read {
        Ok(_) if !line.trim().is_empty() => format!("process {}", line.trim()),
        _ => "another process".to_owned(),
    }
}
