//! The lock of a log's directory, one process at a time: a file that is locked while the log is open and contains the
//! holder's process id.
//!
//! The lock belongs to the open file, so the system releases it however the process ends.

use std::{
    fs::{File, TryLockError},
    io::{Read, Seek, Write},
    path::Path,
    time::{Duration, Instant},
};

use crate::stream::{Result, StreamError};

/// A killed process needs a moment until its files are closed.
const PATIENCE: Duration = Duration::from_millis(500);

/// The lock on a directory; released on drop.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Locks the directory; the error says which process has it.
    pub(super) fn acquire(directory: &Path) -> Result<Self> {
        std::fs::create_dir_all(directory).map_err(|source| StreamError::Storage {
            action: format!("make the stream's directory {}", directory.display()),
            source: source.into(),
        })?;
        let failed = |source: std::io::Error| StreamError::Storage {
            action: format!("lock the stream's directory {} for writing", directory.display()),
            source: source.into(),
        };
        let path = directory.join("process.lock");
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(TryLockError::WouldBlock) => {
                    let mut holder = String::new();
                    let holder = match file.read_to_string(&mut holder) {
                        Ok(_) if !holder.trim().is_empty() => format!("process {}", holder.trim()),
                        _ => "another process".to_owned(),
                    };
                    return Err(StreamError::Locked {
                        message: format!(
                            "the stream's directory {} is in use by {holder}: stop that process, or give this one a \
                             directory of its own (`data_dir`, MOOSE_DATA_DIR)",
                            directory.display()
                        ),
                    });
                }
            }
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { _file: file })
    }
}
