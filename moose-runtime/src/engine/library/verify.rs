//! Checks a library file against its pinned checksum, and caches the result.
//!
//! Hashing 566 MB takes a second or more, so success is recorded as a stamp in the cache directory: the file's size,
//! time of change and inode number. A file that was changed since is hashed again. A stamp is a convenience: where it
//! can't be written, every start hashes.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, Read as _},
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use super::{pins::Pin, progress::Progress};

/// `None` if `library` is the pinned file, otherwise its hash.
pub(super) fn verify(library: &Path, pin: &Pin, cache: Option<&Path>) -> io::Result<Option<String>> {
    let stamp = cache.map(|cache| Stamp::of(library, pin, cache)).transpose()?;
    if stamp.as_ref().is_some_and(Stamp::is_written) {
        return Ok(None);
    }
    let found = hash_file(library)?;
    if found != pin.sha256 {
        return Ok(Some(found));
    }
    if let Some(stamp) = stamp {
        stamp.write();
    }
    Ok(None)
}

/// Records that `library`, just checked while it was written, is the pinned file.
pub(super) fn remember(library: &Path, pin: &Pin, cache: &Path) {
    if let Ok(stamp) = Stamp::of(library, pin, cache) {
        stamp.write();
    }
}

fn hash_file(library: &Path) -> io::Result<String> {
    let mut file = File::open(library)?;
    let progress = Progress::bytes("checking the engine library", file.metadata()?.len());
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer)?;
        let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else { break };
        hasher.update(chunk);
        progress.add(chunk.len());
    }
    progress.done();
    Ok(hexadecimal(&hasher.finalize()))
}

/// Bytes as lower-case hexadecimal digits.
pub(in crate::engine) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The record that a file was checked.
struct Stamp {
    path: PathBuf,
    text: String,
}

impl Stamp {
    fn of(library: &Path, pin: &Pin, cache: &Path) -> io::Result<Self> {
        let library = fs::canonicalize(library)?;
        let data = fs::metadata(&library)?;
        let name = hexadecimal(&Sha256::digest(library.as_os_str().as_bytes()));
        let text = format!(
            "{}\nsize {} changed {}.{:09} modified {}.{:09} file {}\n",
            pin.sha256,
            data.size(),
            data.ctime(),
            data.ctime_nsec(),
            data.mtime(),
            data.mtime_nsec(),
            data.ino()
        );
        Ok(Self { path: cache.join("checked").join(name), text })
    }

    fn is_written(&self) -> bool {
        fs::read_to_string(&self.path).is_ok_and(|written| written == self.text)
    }

    fn write(&self) {
        if let Some(directory) = self.path.parent()
            && fs::create_dir_all(directory).is_ok()
        {
            let _ = fs::write(&self.path, &self.text);
        }
    }
}
