//! Downloads the library: from the release archive, else out of the npm package.
//!
//! Both are gzipped tar archives that are unpacked while they are read: the one file wanted is hashed on its way to a
//! temporary name, synced, and renamed only if its hash is the pinned one.

use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    io::{self, BufReader, Read, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use flate2::read::GzDecoder;
use sha2::{Digest as _, Sha256};

use super::{
    Attempt, LibraryError,
    pins::{NPM_VERSION, Pin, VERSION},
    progress::{Progress, tell},
    verify::hexadecimal,
};

/// Where release archives are; replaced by a local server in tests.
const ARCHIVE_VARIABLE: &str = "MOOSE_TEST_ENGINE_ARCHIVE";
const ARCHIVES: &str = "https://github.com/chdb-io/chdb-core/releases/download";

/// Prefix of partial downloads, before the number of their process.
const PART: &str = "part-";
const NPM: &str = "npm-";

/// Connect timeout.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Puts the checked library at `target`, inside `home`, from the first source that works.
pub(super) fn fetch(pin: &Pin, home: &Path, target: &Path) -> Result<(), LibraryError> {
    let mut attempts = Vec::new();
    let base = env::var(ARCHIVE_VARIABLE).unwrap_or_else(|_| ARCHIVES.to_owned());
    let address = format!("{base}/v{VERSION}/{}", pin.archive);
    match from_archive(&address, pin, target) {
        Ok(()) => return Ok(()),
        Err(reason) => attempts.push(Attempt { way: address, reason }),
    }
    let package = format!("{}@{NPM_VERSION}", pin.package);
    match from_npm(&package, pin, home, target) {
        Ok(()) => return Ok(()),
        Err(reason) => attempts.push(Attempt { way: format!("npm pack {package}"), reason }),
    }
    Err(LibraryError::NotFound { attempts })
}

/// Removes what earlier processes left when they were killed during a download: up to 744 MB each. To be called with
/// the fetch lock held, so that none of it is in use.
pub(super) fn remove_leftovers(home: &Path) {
    let Ok(entries) = fs::read_dir(home) else { return };
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        // They only take space; without it a download works anyway or fails with an error.
        let _ = if extension.starts_with(PART) {
            fs::remove_file(&path)
        } else if name.starts_with(NPM) {
            fs::remove_dir_all(&path)
        } else {
            Ok(())
        };
    }
}

fn from_archive(address: &str, pin: &Pin, target: &Path) -> Result<(), String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_recv_response(Some(STALL_TIMEOUT))
        .timeout_per_read(Some(STALL_TIMEOUT))
        .build()
        .into();
    let response = agent.get(address).call().map_err(|error| error.to_string())?;
    let length = response.body().content_length().unwrap_or(0);
    let progress = Progress::bytes(&format!("fetching the engine library, once per machine, from {address}"), length);
    let outcome = unpack(progress.wrap(response.into_body().into_reader()), pin, target);
    progress.done();
    outcome
}

fn from_npm(package: &str, pin: &Pin, home: &Path, target: &Path) -> Result<(), String> {
    let directory = home.join(format!("{NPM}{}", std::process::id()));
    let outcome = fs::create_dir_all(&directory)
        .map_err(|error| error.to_string())
        .and_then(|()| npm_pack(package, &directory))
        .and_then(|archive| {
            let file = File::open(&archive).map_err(|error| error.to_string())?;
            let length = file.metadata().map_or(0, |data| data.len());
            let progress = Progress::bytes("unpacking and checking the engine library", length);
            let outcome = unpack(progress.wrap(file), pin, target);
            progress.done();
            outcome
        });
    // Leftovers only take space; the result is what counts.
    let _ = fs::remove_dir_all(&directory);
    outcome
}

/// Runs `npm pack` and returns the archive that it left in `directory`.
fn npm_pack(package: &str, directory: &Path) -> Result<PathBuf, String> {
    let progress = Progress::spinner(&format!(
        "fetching the engine library, once per machine, with npm pack {package} (about 178 MB)"
    ));
    let output = Command::new("npm")
        .args(["pack", "--silent", "--ignore-scripts", package])
        // npm would retry for minutes without a network.
        .args(["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=60000"])
        .current_dir(directory)
        .stdin(Stdio::null())
        .output();
    progress.done();
    let output = match output {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err("npm is not on the PATH".to_owned()),
        Err(error) => return Err(format!("npm could not be run: {error}")),
    };
    if !output.status.success() {
        let mut said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        said.push_str(String::from_utf8_lossy(&output.stdout).trim());
        let said = if said.is_empty() { "it said nothing; is there a network?".to_owned() } else { said };
        return Err(format!("npm failed ({}): {said}", output.status));
    }
    let archive = fs::read_dir(directory)
        .map_err(|error| error.to_string())?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "tgz"));
    archive.ok_or_else(|| "npm left no archive".to_owned())
}

/// Extracts the library from a gzipped tar archive, checks it, and moves it to `target` atomically.
fn unpack(archive: impl Read, pin: &Pin, target: &Path) -> Result<(), String> {
    let read = |error: io::Error| format!("the archive could not be read: {error}");
    let mut archive = tar::Archive::new(GzDecoder::new(BufReader::with_capacity(1 << 18, archive)));
    for entry in archive.entries().map_err(read)? {
        let mut entry = entry.map_err(read)?;
        let wanted = entry.path().is_ok_and(|path| path.file_name().is_some_and(|name| name == pin.file_name));
        if wanted {
            return store(&mut entry, pin, target);
        }
    }
    Err(format!("the archive holds no {}", pin.file_name))
}

fn store(entry: &mut impl Read, pin: &Pin, target: &Path) -> Result<(), String> {
    let temporary = target.with_extension(format!("{PART}{}", std::process::id()));
    let unpacked = write_hashed(entry, &temporary).map_err(|error| format!("it could not be unpacked: {error}"));
    let outcome = unpacked.and_then(|found| {
        if found != pin.sha256 {
            return Err(format!("it holds another library: SHA-256 {found}, expected {}", pin.sha256));
        }
        fs::rename(&temporary, target).map_err(|error| error.to_string())
    });
    if outcome.is_err() {
        let _ = fs::remove_file(&temporary);
    } else {
        tell(&format!("the engine library is at {}", target.display()));
    }
    outcome
}

/// Writes a stream to `path`, synced, and returns its hash.
fn write_hashed(entry: &mut impl Read, path: &Path) -> io::Result<String> {
    let mut file = File::create(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = entry.read(&mut buffer)?;
        let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else { break };
        hasher.update(chunk);
        file.write_all(chunk)?;
    }
    file.sync_all()?;
    Ok(hexadecimal(&hasher.finalize()))
}
