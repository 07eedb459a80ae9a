//! File permissions: records, dead letters and tables are readable by nobody but the user that the process runs as.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

/// Our files in a data directory.
const OURS: [&str; 4] = ["addresses.json", "addresses.json.new", "engine", "stream"];

/// A directory that the root of a file system may contain.
const NOBODYS: &str = "lost+found";

/// Sets the umask so that new files are the user's alone. It applies to the whole process: only for processes where no
/// other code creates files.
pub fn by_default() {
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o077));
}

/// Creates the data directory if missing, and removes the permissions of everybody else on its content.
///
/// Files of older builds were readable by everybody. Only our own files are changed, and the directory itself only if
/// it contains nothing else: it may be a home directory. Symbolic links in it are not followed. What can't be changed,
/// because it is another user's, is reported and left.
pub fn data_directory(path: &Path) -> io::Result<()> {
    create(path)?;
    // The directory itself may be given by a symbolic link: that is the operator's choice.
    let path = fs::canonicalize(path)?;
    let mut alone = true;
    for entry in fs::read_dir(&path)? {
        let name = entry?.file_name();
        alone &= name == NOBODYS || OURS.iter().any(|ours| name == *ours);
    }
    let mut failed = None;
    if alone {
        take(&path, false, &mut failed);
    }
    for ours in OURS {
        take(&path.join(ours), true, &mut failed);
    }
    if let Some(error) = failed {
        tracing::warn!(%error, "files in the data directory may be open to other users of this machine");
    }
    Ok(())
}

/// Creates a directory and its parents, for the user alone.
pub fn create(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

/// Writes a file for the user alone.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true).create(true).truncate(true).open(path)?.write_all(bytes)
}

/// Removes the permissions of group and others on a file or a directory and, if `deep`, on everything below it.
/// Continues after a failure, and keeps the first one.
#[cfg(unix)]
fn take(path: &Path, deep: bool, failed: &mut Option<io::Error>) {
    let below = close(path).and_then(|is_directory| {
        // The directory was closed to others first: from here on nobody else changes its content.
        if is_directory && deep { fs::read_dir(path)?.collect::<io::Result<Vec<_>>>() } else { Ok(Vec::new()) }
    });
    match below {
        Ok(entries) => entries.iter().for_each(|entry| take(&entry.path(), deep, failed)),
        // Another command may be deleting files at the same time.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            failed.get_or_insert_with(|| io::Error::new(error.kind(), format!("{}: {error}", path.display())));
        }
    }
}

/// Removes the permissions of group and others on one file or directory; returns whether it is a directory.
#[cfg(unix)]
fn close(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;

    use rustix::fs::{Mode, OFlags, fchmod, open};

    let found = fs::symlink_metadata(path)?;
    if (found.is_dir() || found.is_file()) && found.mode() & 0o077 != 0 {
        // Through the opened file: between a check and a change by name, the name may become a symbolic link.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        fchmod(open(path, flags, Mode::empty())?, Mode::from_bits_truncate(found.mode() & 0o700))?;
    }
    Ok(found.is_dir())
}

/// This system has no such permissions.
#[cfg(not(unix))]
fn take(_path: &Path, _deep: bool, _failed: &mut Option<io::Error>) {}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn open_to_all(path: &Path) {
        let mode = if path.is_dir() { 0o755 } else { 0o644 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A data directory as created by an older build, and a file elsewhere that a symbolic link in it points to.
    fn of_an_older_build(root: &Path) {
        fs::create_dir_all(root.join("data/stream/database/keyspaces")).unwrap();
        fs::create_dir_all(root.join("data/engine")).unwrap();
        let files = [
            "data/addresses.json",
            "data/stream/witness",
            "data/stream/database/keyspaces/7",
            "data/engine/x",
            "other",
        ];
        for file in files {
            fs::write(root.join(file), "x").unwrap();
            open_to_all(&root.join(file));
        }
        for directory in ["data", "data/stream", "data/stream/database", "data/engine"] {
            open_to_all(&root.join(directory));
        }
        symlink(root.join("other"), root.join("data/engine/link")).unwrap();
        symlink(root, root.join("data/stream/up")).unwrap();
        symlink(root.join("nowhere"), root.join("data/stream/gone")).unwrap();
    }

    #[test]
    fn what_is_ours_is_taken_from_everybody_else_and_links_lead_nowhere() {
        let root = tempfile::tempdir().unwrap();
        open_to_all(root.path());
        of_an_older_build(root.path());
        data_directory(&root.path().join("data")).unwrap();
        let of = |path: &str| mode(&root.path().join(path));
        let directories = ["data", "data/stream", "data/stream/database", "data/stream/database/keyspaces"];
        assert_eq!(directories.map(of), [0o700; 4]);
        let files = ["data/addresses.json", "data/stream/witness", "data/stream/database/keyspaces/7", "data/engine/x"];
        assert_eq!(files.map(of), [0o600; 4]);
        assert_eq!((of("other"), mode(root.path())), (0o644, 0o755), "a link was followed");
    }

    #[test]
    fn a_directory_that_holds_other_things_keeps_its_rights_and_theirs() {
        let root = tempfile::tempdir().unwrap();
        of_an_older_build(root.path());
        let data = root.path().join("data");
        fs::write(data.join("thesis.txt"), "x").unwrap();
        open_to_all(&data.join("thesis.txt"));
        data_directory(&data).unwrap();
        assert_eq!((mode(&data), mode(&data.join("thesis.txt"))), (0o755, 0o644));
        assert_eq!((mode(&data.join("stream")), mode(&data.join("stream/witness"))), (0o700, 0o600));
        assert_eq!((mode(&data.join("engine")), mode(&data.join("addresses.json"))), (0o700, 0o600));
    }

    #[test]
    fn what_is_made_is_the_users_alone_and_a_link_to_the_directory_is_the_operators() {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("data");
        data_directory(&data).unwrap();
        write(&data.join("addresses.json"), b"{}").unwrap();
        assert_eq!((mode(&data), mode(&data.join("addresses.json"))), (0o700, 0o600));
        open_to_all(&data);
        symlink(&data, root.path().join("link")).unwrap();
        data_directory(&root.path().join("link")).unwrap();
        assert_eq!(mode(&data), 0o700);
    }
}
