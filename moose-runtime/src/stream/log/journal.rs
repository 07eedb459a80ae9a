//! The database's journal, as far as the log has to know it: which of its batches are whole.
//!
//! A batch is a start (tag 1, number of items u32, sequence number u64), its items, and an end (tag 3, XXH3 of the items
//! u64, magic). An item is tag 2, kind u8, compression u8, keyspace u64, lengths of key u16 and of the value u32 twice, key,
//! value; or tag 4 and a keyspace u64, which clears that. All numbers are little-endian. The newest journal has room for
//! more behind its last batch, in zeros.
//!
//! The database cuts off what it can't read at the end. What it can read and finds wrong it takes for damage, although a
//! write that the machine did not survive leaves just that: its pages reach the disk in any order. And a write that failed
//! leaves bytes of which nobody knows whether they will be there after the next power failure.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::Xxh3;

const MAGIC: &[u8] = b"FJL\x03";

/// How far a journal can be read.
struct Scan {
    bytes: Vec<u8>,
    /// Where its whole batches end.
    whole: usize,
    /// Another whole batch lies behind that: what is wrong there is not its end.
    goes_on: bool,
}

/// What was cut off.
pub(super) struct Cut {
    journal: PathBuf,
    /// The journal as it was.
    pub(super) copy: PathBuf,
    /// Where it was cut.
    pub(super) at: usize,
    /// Bytes that were cut off, without the zeros behind them.
    pub(super) bytes: usize,
}

impl Cut {
    /// Puts the journal back as it was.
    pub(super) fn take_back(&self) -> io::Result<()> {
        fs::rename(&self.copy, &self.journal)?;
        sync_directory(&self.journal)
    }
}

/// Cuts the newest journal where its whole batches end, if nothing whole comes after that. The journal as it was is kept
/// in `keep`.
pub(super) fn cut_torn_end(database: &Path, keep: &Path) -> io::Result<Option<Cut>> {
    let Some(journal) = newest(database)? else { return Ok(None) };
    let Scan { bytes, whole, goes_on } = scan(fs::read(&journal)?);
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    if goes_on || used <= whole {
        return Ok(None);
    }
    let name = journal.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let copy = keep.join(format!("torn-{}-{name}", since.as_millis()));
    write(&copy, bytes.get(..used).unwrap_or_default())?;
    sync_directory(&copy)?;
    rewrite(&journal, bytes.get(..whole).unwrap_or_default())?;
    Ok(Some(Cut { journal, copy, at: whole, bytes: used - whole }))
}

/// Writes the whole batches of the newest journal into a file of their own, which takes its place: whatever a failed write
/// has left, in the file, in the page cache, or with a writer that was let go of and has not ended, is no part of it.
pub(super) fn renew(database: &Path) -> io::Result<()> {
    let Some(journal) = newest(database)? else { return Ok(()) };
    let Scan { bytes, whole, goes_on } = scan(fs::read(&journal)?);
    if goes_on {
        // Damage, which is for the database to tell.
        return Ok(());
    }
    rewrite(&journal, bytes.get(..whole).unwrap_or_default())
}

fn rewrite(journal: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = journal.with_extension("new");
    write(&new, bytes)?;
    fs::rename(&new, journal)?;
    sync_directory(journal)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(bytes)?;
    file.flush()?;
    file.get_ref().sync_all()
}

fn sync_directory(of: &Path) -> io::Result<()> {
    match of.parent() {
        Some(directory) if cfg!(unix) => File::open(directory)?.sync_all(),
        _ => Ok(()),
    }
}

/// The journal that is written to.
fn newest(database: &Path) -> io::Result<Option<PathBuf>> {
    let mut newest: Option<(u64, PathBuf)> = None;
    for entry in fs::read_dir(database)? {
        let path = entry?.path();
        let number = path.extension().filter(|extension| *extension == "jnl").and(path.file_stem());
        let Some(number) = number.and_then(|stem| stem.to_str()?.parse().ok()) else { continue };
        if newest.as_ref().is_none_or(|(before, _)| *before < number) {
            newest = Some((number, path));
        }
    }
    Ok(newest.map(|(_, path)| path))
}

fn scan(bytes: Vec<u8>) -> Scan {
    let mut whole = 0;
    loop {
        match batch(bytes.get(whole..).unwrap_or_default()) {
            Batch::Whole(length) => whole += length,
            Batch::Wrong(length) => {
                let next = batch(bytes.get(whole + length..).unwrap_or_default());
                return Scan { whole, goes_on: matches!(next, Batch::Whole(_)), bytes };
            }
            Batch::Unreadable => return Scan { whole, goes_on: false, bytes },
        }
    }
}

/// What bytes begin with.
enum Batch {
    /// A batch of so many bytes.
    Whole(usize),
    /// A batch of so many bytes that are not what was written.
    Wrong(usize),
    Unreadable,
}

fn batch(bytes: &[u8]) -> Batch {
    let mut rest = bytes;
    match read_batch(&mut rest) {
        Some(true) => Batch::Whole(bytes.len() - rest.len()),
        Some(false) => Batch::Wrong(bytes.len() - rest.len()),
        None => Batch::Unreadable,
    }
}

/// Reads a batch. Whether it is what was written; nothing where it can't be told where it ends.
fn read_batch(rest: &mut &[u8]) -> Option<bool> {
    let [1] = take::<1>(rest)? else { return None };
    let mut items = u32::from_le_bytes(take(rest)?);
    let _sequence_number = take::<8>(rest)?;
    let mut checksum = Xxh3::new();
    let mut right_number = true;
    loop {
        let begin = *rest;
        match take::<1>(rest)? {
            [2] => {
                let _kind_compression_keyspace = take::<10>(rest)?;
                let key = usize::from(u16::from_le_bytes(take(rest)?));
                let _unpacked = take::<4>(rest)?;
                let value = usize::try_from(u32::from_le_bytes(take(rest)?)).ok()?;
                *rest = rest.get(key.checked_add(value)?..)?;
            }
            [4] => drop(take::<8>(rest)?),
            [3] => {
                let told = u64::from_le_bytes(take(rest)?);
                let magic = take::<4>(rest)?;
                return (magic == MAGIC).then_some(right_number && items == 0 && told == checksum.digest());
            }
            _ => return None,
        }
        right_number &= items > 0;
        items = items.saturating_sub(1);
        checksum.update(begin.get(..begin.len() - rest.len())?);
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}
