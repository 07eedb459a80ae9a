//! Reads the database's journal, as far as the log has to know it: which of its batches are complete.
//!
//! A batch is a start (tag 1, number of items u32, sequence number u64), its items, and an end (tag 3, XXH3 of the
//! items u64, magic). An item is tag 2, kind u8, compression u8, keyspace u64, lengths of key u16 and of the value u32
//! twice, key, value; or tag 4 and a keyspace u64, which clears that. All numbers are little-endian. The newest journal
//! is preallocated: zeros follow its last batch.
//!
//! The database cuts off an unreadable end. Readable but invalid content it reports as damage, although a write
//! interrupted by a power failure leaves exactly that: its pages reach the disk in any order. And a failed write leaves
//! bytes of which nobody knows whether they will be there after the next power failure.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, ErrorKind, Read},
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::Xxh3;

const MAGIC: &[u8; 4] = b"FJL\x03";
/// Bytes per read.
const CHUNK: usize = 64 << 10;

/// How far a journal is readable.
struct Scan {
    /// The end of its complete batches.
    whole: u64,
    /// Another complete batch follows after the invalid place: so that is not a torn end.
    goes_on: bool,
}

/// The state of a journal's end.
pub(super) enum End {
    /// Complete.
    Whole,
    /// Torn, and cut off.
    Cut(Cut),
    /// Invalid from a byte of this journal on, with complete batches after it.
    Damaged(PathBuf, u64),
}

/// What was cut off.
pub(super) struct Cut {
    journal: PathBuf,
    /// A copy of the journal before that.
    pub(super) copy: PathBuf,
    /// Where it was cut.
    pub(super) at: u64,
    /// Bytes that were cut off, without the zeros behind them.
    pub(super) bytes: u64,
}

impl Cut {
    /// Restores the journal.
    pub(super) fn take_back(&self) -> io::Result<()> {
        fs::rename(&self.copy, &self.journal)?;
        sync_directory(&self.journal)
    }
}

/// Cuts the newest journal at the end of its complete batches, if no complete batch follows. A copy of the journal is
/// kept in `keep`.
pub(super) fn cut_torn_end(database: &Path, keep: &Path) -> io::Result<End> {
    let Some(journal) = newest(database)? else { return Ok(End::Whole) };
    let Scan { whole, goes_on } = scan(&journal)?;
    let used = used(&journal)?;
    if goes_on {
        return Ok(End::Damaged(journal, whole));
    }
    if used <= whole {
        return Ok(End::Whole);
    }
    let name = journal.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let copy = keep.join(format!("torn-{}-{name}", since.as_millis()));
    copy_to(&journal, used, &copy)?;
    sync_directory(&copy)?;
    rewrite(&journal, whole)?;
    Ok(End::Cut(Cut { journal, copy, at: whole, bytes: used - whole }))
}

/// Replaces the newest journal by a file with only its complete batches: so whatever a failed write has left, in the
/// file, in the page cache, or with a writer that was abandoned and still runs, is no part of it.
pub(super) fn renew(database: &Path) -> io::Result<()> {
    let Some(journal) = newest(database)? else { return Ok(()) };
    let Scan { whole, goes_on } = scan(&journal)?;
    if goes_on {
        // Damage, which is reported when the database reads it.
        return Ok(());
    }
    rewrite(&journal, whole)
}

/// Replaces a journal by a copy of its first bytes.
fn rewrite(journal: &Path, bytes: u64) -> io::Result<()> {
    let new = journal.with_extension("new");
    let replaced = copy_to(journal, bytes, &new).and_then(|()| fs::rename(&new, journal));
    if replaced.is_err() {
        // On a full disk it would take the space that the next try needs.
        let _ = fs::remove_file(&new);
    }
    replaced?;
    sync_directory(journal)
}

fn copy_to(journal: &Path, bytes: u64, target: &Path) -> io::Result<()> {
    let mut file = File::create(target)?;
    io::copy(&mut File::open(journal)?.take(bytes), &mut file)?;
    file.sync_all()
}

/// Bytes of a journal without the zeros at its end.
fn used(journal: &Path) -> io::Result<u64> {
    let mut file = BufReader::with_capacity(CHUNK, File::open(journal)?);
    let (mut at, mut used) = (0, 0);
    loop {
        let chunk = file.fill_buf()?;
        if chunk.is_empty() {
            return Ok(used);
        }
        if let Some(last) = chunk.iter().rposition(|byte| *byte != 0) {
            used = at + last as u64 + 1;
        }
        let read = chunk.len();
        file.consume(read);
        at += read as u64;
    }
}

fn sync_directory(of: &Path) -> io::Result<()> {
    match of.parent() {
        Some(directory) if cfg!(unix) => File::open(directory)?.sync_all(),
        _ => Ok(()),
    }
}

/// The journal that is being written.
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

fn scan(journal: &Path) -> io::Result<Scan> {
    let mut batches = Batches { from: BufReader::with_capacity(CHUNK, File::open(journal)?), at: 0 };
    let mut whole = 0;
    loop {
        match batches.next()? {
            Batch::Whole => whole = batches.at,
            Batch::Wrong => return Ok(Scan { whole, goes_on: matches!(batches.next()?, Batch::Whole) }),
            Batch::Unreadable => return Ok(Scan { whole, goes_on: false }),
        }
    }
}

/// The next element of a journal.
enum Batch {
    Whole,
    /// A batch with an invalid checksum or content.
    Wrong,
    /// Content whose end can't be determined.
    Unreadable,
}

/// Reads a journal's batches from its beginning.
struct Batches {
    from: BufReader<File>,
    at: u64,
}

impl Batches {
    fn next(&mut self) -> io::Result<Batch> {
        match self.batch() {
            Ok(true) => Ok(Batch::Whole),
            Ok(false) => Ok(Batch::Wrong),
            Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData) => {
                Ok(Batch::Unreadable)
            }
            Err(error) => Err(error),
        }
    }

    /// Reads a batch; returns whether it is valid.
    fn batch(&mut self) -> io::Result<bool> {
        let unreadable = || io::Error::from(ErrorKind::InvalidData);
        // The checksum does not cover the batch's start.
        let mut sum = Xxh3::new();
        let [1] = self.take(&mut sum)? else { return Err(unreadable()) };
        let mut items = u32::from_le_bytes(self.take(&mut sum)?);
        let _sequence_number: [u8; 8] = self.take(&mut sum)?;
        let mut sum = Xxh3::new();
        let mut right_number = true;
        loop {
            let before = sum.digest();
            match self.take(&mut sum)? {
                [2] => {
                    let _kind_compression_keyspace: [u8; 10] = self.take(&mut sum)?;
                    let key = u16::from_le_bytes(self.take(&mut sum)?);
                    let _unpacked: [u8; 4] = self.take(&mut sum)?;
                    let value = u32::from_le_bytes(self.take(&mut sum)?);
                    self.skip(u64::from(key) + u64::from(value), &mut sum)?;
                }
                [4] => {
                    let _keyspace: [u8; 8] = self.take(&mut sum)?;
                }
                [3] => {
                    let told = u64::from_le_bytes(self.take(&mut sum)?);
                    let magic: [u8; 4] = self.take(&mut sum)?;
                    let right = right_number && items == 0 && told == before;
                    return if magic == *MAGIC { Ok(right) } else { Err(unreadable()) };
                }
                _ => return Err(unreadable()),
            }
            right_number &= items > 0;
            items = items.saturating_sub(1);
        }
    }

    fn take<const N: usize>(&mut self, sum: &mut Xxh3) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.from.read_exact(&mut bytes)?;
        self.at += N as u64;
        sum.update(&bytes);
        Ok(bytes)
    }

    fn skip(&mut self, mut bytes: u64, sum: &mut Xxh3) -> io::Result<()> {
        while bytes > 0 {
            let chunk = self.from.fill_buf()?;
            let length = chunk.len().min(usize::try_from(bytes).unwrap_or(usize::MAX));
            let chunk = chunk.get(..length).filter(|chunk| !chunk.is_empty()).ok_or(ErrorKind::UnexpectedEof)?;
            sum.update(chunk);
            self.from.consume(length);
            self.at += length as u64;
            bytes -= length as u64;
        }
        Ok(())
    }
}
