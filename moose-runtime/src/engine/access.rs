//! The credentials of the embedded engine: generated at the first start, kept in its data directory.

use std::{
    fmt, fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{config::ClickHouseConfig, machine::private};

/// The pipeline's user: has the rights on the database's tables that the pipeline needs.
pub const PIPELINE_USER: &str = "moose";
/// The user that may only read.
pub const READING_USER: &str = "readonly";
/// The database of both users.
pub const DATABASE: &str = "moose";

/// Name of the file in the engine's data directory.
pub const ACCESS_FILE: &str = "access.json";

/// The passwords of the embedded engine's users.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Password of the user `moose`, whose the tables are.
    pub moose: String,
    /// Password of the user `readonly`, who reads.
    pub readonly: String,
}

/// Shows nothing: both are secrets.
impl fmt::Debug for Access {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Access").finish_non_exhaustive()
    }
}

/// Why the passwords are not available.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// The file can't be read or written.
    #[error("could not keep the engine's passwords in {path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system error.
        #[source]
        source: io::Error,
    },
    /// The file's content is invalid.
    #[error(
        "{path}, which holds the engine's passwords, is damaged: {reason}; remove it, and the next start makes new ones \
         (the data does not depend on them)",
        path = path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Access {
    /// The passwords of the engine in `directory`, generated if there are none. A `password` that is configured becomes
    /// the pipeline's.
    pub fn open(directory: &Path, password: &str) -> Result<Self, AccessError> {
        let path = directory.join(ACCESS_FILE);
        let failed = |source| AccessError::File { path: path.clone(), source };
        private::create(directory).map_err(failed)?;
        let kept = Self::read(&path)?;
        let mut access = kept.clone().unwrap_or_else(|| Self { moose: secret(), readonly: secret() });
        if !password.is_empty() {
            password.clone_into(&mut access.moose);
        }
        if kept.as_ref() == Some(&access) {
            return Ok(access);
        }
        let text = serde_json::to_vec(&access).map_err(|error| failed(error.into()))?;
        let new = directory.join(format!("{ACCESS_FILE}.{:08x}", rand::random::<u32>()));
        let written = private::write(&new, &text).and_then(|()| {
            fs::File::open(&new)?.sync_all()?;
            // The first file wins: another process may have created it meanwhile.
            if kept.is_none() { fs::hard_link(&new, &path) } else { fs::rename(&new, &path) }
        });
        let _ = fs::remove_file(&new);
        match written {
            Ok(()) => Ok(access),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Self::open(directory, password),
            Err(error) => Err(failed(error)),
        }
    }

    /// The client configuration of the pipeline's user.
    pub fn client(&self) -> ClickHouseConfig {
        ClickHouseConfig {
            url: None,
            user: PIPELINE_USER.to_owned(),
            password: self.moose.clone(),
            database: DATABASE.to_owned(),
        }
    }

    fn read(path: &Path) -> Result<Option<Self>, AccessError> {
        let damaged = |reason: String| AccessError::Damaged { path: path.to_owned(), reason };
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(AccessError::File { path: path.to_owned(), source }),
        };
        let access: Self = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if access.moose.is_empty() || access.readonly.is_empty() {
            return Err(damaged("a password is empty".to_owned()));
        }
        Ok(Some(access))
    }
}

/// 128 random bits as hexadecimal digits, which need no quoting in addresses, shells and headers.
fn secret() -> String {
    format!("{:032x}", rand::random::<u128>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_made_once_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("engine");
        let first = Access::open(&path, "").unwrap();
        assert_eq!((first.moose.len(), first.readonly.len()), (32, 32));
        assert_ne!(first.moose, first.readonly);
        assert_eq!(Access::open(&path, "").unwrap(), first);
        assert_ne!(Access::open(&directory.path().join("other"), "").unwrap(), first);
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1, "nothing is left beside the file");
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_read_them() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("engine");
        Access::open(&path, "").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&path.join(ACCESS_FILE))), (0o700, 0o600));
        Access::open(&path, "of one's own").unwrap();
        assert_eq!(mode(&path.join(ACCESS_FILE)), 0o600);
    }

    #[test]
    fn a_password_of_ones_own_is_the_pipelines_and_leaves_the_other() {
        let directory = tempfile::tempdir().unwrap();
        let first = Access::open(directory.path(), "").unwrap();
        let own = Access::open(directory.path(), "of one's own").unwrap();
        assert_eq!(own, Access { moose: "of one's own".to_owned(), ..first });
        assert_eq!(Access::open(directory.path(), "").unwrap(), own, "kept when it is not named any more");
    }

    #[test]
    fn a_file_that_is_damaged_is_said_and_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(ACCESS_FILE);
        for text in ["", "{}", "[1]", r#"{"moose":"","readonly":"x"}"#] {
            fs::write(&path, text).unwrap();
            let error = Access::open(directory.path(), "own").unwrap_err();
            assert!(matches!(error, AccessError::Damaged { .. }), "{text:?}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn two_that_make_them_at_once_have_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let open = || Access::open(directory.path(), "").unwrap();
        let made: Vec<Access> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(made.iter().all(|access| *access == open()));
    }
}
