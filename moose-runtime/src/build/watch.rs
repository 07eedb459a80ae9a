//! The `rerun-if-changed` lines: what cargo watches, so that the build script runs when it must and never otherwise.
//!
//! Its output depends on the declarations, which are compiled into it, and on `migrations/`. Without any such line
//! cargo would run it again after a change of any file in the package, which includes every write of the embedded log
//! when its directory is inside the package.

use std::path::Path;

use crate::migration::DIRECTORY;

use super::environment::VARIABLES;

/// The directives for cargo.
pub(super) fn lines(package: &Path, output: &Path) -> String {
    // A manifest always exists, and without any directive cargo watches all files.
    let mut lines = "cargo::rerun-if-changed=Cargo.toml\n".to_owned();
    for variable in VARIABLES {
        lines.push_str("cargo::rerun-if-env-changed=");
        lines.push_str(variable);
        lines.push('\n');
    }
    let directory = package.join(DIRECTORY);
    if directory.is_dir() {
        lines.push_str("cargo::rerun-if-changed=");
        lines.push_str(DIRECTORY);
        lines.push('\n');
    } else if let Some(sentry) = sentry(&directory, output) {
        lines.push_str("cargo::rerun-if-changed=");
        lines.push_str(&sentry);
        lines.push('\n');
    }
    lines
}

/// A directory of ours that cargo regards as changed when `directory` appears.
///
/// Cargo regards a missing path as changed, so naming `migrations/` itself would rebuild every time, and watching the
/// whole package is too much. But cargo follows symbolic links below a directory, and ignores a dangling one. The
/// directory must not be newer than this run, hence its modification time.
#[cfg(unix)]
fn sentry(directory: &Path, output: &Path) -> Option<String> {
    use std::{
        fs::{self, File},
        os::unix::fs::symlink,
        path::absolute,
        time::UNIX_EPOCH,
    };
    let sentry = output.join("appears");
    let link = sentry.join(DIRECTORY);
    let target = absolute(directory).ok()?;
    if fs::read_link(&link).ok().as_ref() != Some(&target) {
        drop(fs::remove_dir_all(&sentry));
        fs::create_dir_all(&sentry).ok()?;
        symlink(&target, &link).ok()?;
    }
    File::open(&sentry).and_then(|opened| opened.set_modified(UNIX_EPOCH)).ok()?;
    Some(sentry.to_string_lossy().into_owned())
}

/// Elsewhere symbolic links need a privilege: there a directory that is added later is noticed with the next change of
/// the declarations or of Cargo.toml.
#[cfg(not(unix))]
fn sentry(_: &Path, _: &Path) -> Option<String> {
    None
}
