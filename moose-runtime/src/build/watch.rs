//! The `rerun-if-changed` lines: what cargo watches, so that the build script runs when it must and never otherwise.
//!
//! Its output depends on the declarations, which are compiled into it, and on `migrations/`. Without any such line
//! cargo would run it again after a change of any file in the package, which includes every write of the embedded log
//! when its directory is inside the package.

use std::path::Path;

use crate::migration::DIRECTORY;

use super::environment::VARIABLES;

/// The lines for cargo.
pub(super) fn lines(package: &Path, output: &Path) -> String {
    // A manifest always exists, and where nothing is named everything counts.
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

/// A directory of ours that changes in cargo's eyes when `directory` appears.
///
/// Cargo takes a path that is missing for one that has changed, so naming `migrations/` itself would build for ever, and
/// the package's directory is too much to watch. But cargo follows links below a directory, and passes over one that
/// leads nowhere. The directory must not be younger than this run, hence its time.
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

/// Elsewhere links need a privilege: there a directory that comes from outside is seen with the next change of the
/// declarations or of Cargo.toml.
#[cfg(not(unix))]
fn sentry(_: &Path, _: &Path) -> Option<String> {
    None
}
