//! Repairs the tables' deduplication logs before the library opens them.
//!
//! A plain MergeTree writes an INSERT's token into its log and then renames the part into place. If the process is
//! killed between the two, or the rename fails, the log has a token for rows that don't exist, and every retry of that
//! INSERT is answered "ok" and dropped. So, at every start: a token whose block is in no part on the disk is removed,
//! by the same record that the library itself writes to remove one, and a log that ends in the middle of a record is
//! terminated.
//!
//! If the process was killed at that moment, nothing else can have happened to the table since: the library holds the
//! table's lock from the token to the rename. If the process lived on after a failed rename, a merge of the parts
//! around it may since cover the lost block's number; that token can't be told from one whose rows were stored.
//!
//! Existing files are never changed: new records go into a new, last file. The repair is an aid and never a reason not
//! to start: what can't be read or written is reported, and the library opens it as it is.
//!
//! The format, as library 26.7 writes it: `store/<3>/<uuid>/deduplication_logs/deduplication_log_<number>.txt`, read in
//! the order of their numbers, lines `1\t<part>\t<token>` for an added token and `2\t<part>\t<token>` for a removed
//! one. The library reads a file only up to its first invalid line. New lines go to the last file.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, DirEntry, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// Directories of tables: by their uuid, or, in databases of the old kind, by their names.
const ROOTS: [&str; 2] = ["store", "data"];
/// The directory of a table's log.
const LOGS: &str = "deduplication_logs";
/// Names of its files, before and after their number.
const NAME: (&str, &str) = ("deduplication_log_", ".txt");
/// First field of the records.
const TAKEN: &[u8] = b"1";
const TAKEN_OUT: &[u8] = b"2";

/// Why a log could not be repaired.
#[derive(Debug, thiserror::Error)]
enum MendError {
    #[error("failed to read {path}: {source}", path = path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("failed to write {path}: {source}", path = path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Repairs the log of every table in the engine's data directory, and reports what was found.
pub(super) fn mend(data: &Path, mut say: impl FnMut(&str)) {
    let mut below = |directory: &Path| {
        directories(directory).unwrap_or_else(|error| {
            say(&format!("not every deduplication log could be looked at: {error}"));
            Vec::new()
        })
    };
    let roots = ROOTS.map(|root| data.join(root));
    let parents: Vec<PathBuf> = roots.iter().flat_map(|root| below(root)).collect();
    let tables: Vec<PathBuf> = parents.iter().flat_map(|parent| below(parent)).collect();
    for table in tables {
        match mend_table(&table) {
            Ok(None) => {}
            Ok(Some(found)) => say(&format!("mended the deduplication log of {}: {found}", table.display())),
            Err(error) => say(&format!("a deduplication log is left as it is: {error}")),
        }
    }
}

/// Repairs one table's log; returns what was repaired, if anything.
fn mend_table(table: &Path) -> Result<Option<String>, MendError> {
    let logs = table.join(LOGS);
    let read = Log::read(&logs)?;
    let Some(last) = read.last else { return Ok(None) };
    let parts = Parts::read(table)?;
    let mut burnt: Vec<_> = read.tokens.iter().filter(|(_, taken)| !parts.hold(&taken.block)).collect();
    if burnt.is_empty() && !read.broken_off {
        return Ok(None);
    }
    burnt.sort_by_key(|(_, taken)| (taken.block.first, &taken.part));
    let mut records = Vec::new();
    for (token, taken) in &burnt {
        records.extend_from_slice(&[TAKEN_OUT, &taken.part, *token].join(&b'\t'));
        records.push(b'\n');
    }
    let path = logs.join(format!("{}{}{}", NAME.0, last.saturating_add(1), NAME.1));
    write(&logs, &path, &records).map_err(|source| MendError::Write { path, source })?;
    let mut found = Vec::new();
    if !burnt.is_empty() {
        found.push(format!("{} tokens without their rows", burnt.len()));
    }
    if read.broken_off {
        found.push("a last record that breaks off".to_owned());
    }
    Ok(Some(found.join(", ")))
}

/// Writes a new file, durably. If that fails it is deleted: the library would continue in its middle.
fn write(logs: &Path, path: &Path, records: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    let written = file.write_all(records).and_then(|()| file.sync_all()).and_then(|()| File::open(logs)?.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

/// The content of a table's log.
#[derive(Debug, Default)]
struct Log {
    /// The tokens in it, some of which the library no longer remembers.
    tokens: HashMap<Vec<u8>, Taken>,
    /// Number of the last file; `None` if there is no log.
    last: Option<u64>,
    /// The library can't read the last file to its end, and would append after that place.
    broken_off: bool,
}

/// An added token.
#[derive(Debug)]
struct Taken {
    /// Name of the part, as in the log.
    part: Vec<u8>,
    block: Block,
}

impl Log {
    fn read(logs: &Path) -> Result<Self, MendError> {
        let mut files = BTreeMap::new();
        for entry in entries(logs)? {
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(NAME.0)?.strip_suffix(NAME.1)?.parse().ok());
            files.extend(number.map(|number: u64| (number, entry.path())));
        }
        let mut log = Self::default();
        for (number, path) in files {
            let content = fs::read(&path).map_err(|source| MendError::Read { path, source })?;
            log.last = Some(number);
            log.broken_off = !log.take(&content);
        }
        Ok(log)
    }

    /// Reads the records of one file. False if it can't be read to its end.
    fn take(&mut self, content: &[u8]) -> bool {
        for line in content.split_inclusive(|byte| *byte == b'\n') {
            let fields: Option<Vec<&[u8]>> = line.strip_suffix(b"\n").map(|line| line.split(|b| *b == b'\t').collect());
            let Some([kind, part, token]) = fields.as_deref() else { return false };
            let Some(block) = std::str::from_utf8(part).ok().and_then(Block::parse) else { return false };
            match *kind {
                TAKEN => drop(self.tokens.insert(token.to_vec(), Taken { part: part.to_vec(), block })),
                TAKEN_OUT => drop(self.tokens.remove(*token)),
                _ => return false,
            }
        }
        true
    }
}

/// The range of blocks that a part consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Block {
    /// The table partition; the library writes none with an underscore.
    partition: String,
    first: u64,
    last: u64,
}

impl Block {
    /// Parses a part's name: `<partition>_<first>_<last>_<level>`, and `_<mutation>` after one. A part that is still
    /// being created or removed (`tmp_insert_…`, `delete_tmp_…`) does not count.
    fn parse(name: &str) -> Option<Self> {
        let (partition, rest) = name.split_once('_')?;
        let numbers = rest.split('_').map(|number| number.parse().ok()).collect::<Option<Vec<u64>>>()?;
        let ([first, last, _] | [first, last, _, _]) = *numbers.as_slice() else { return None };
        let partition = partition.to_owned();
        (!partition.is_empty() && first <= last).then_some(Self { partition, first, last })
    }
}

/// The parts of a table, by partition: first and last block of those that no other part covers, in order.
#[derive(Debug, Default)]
struct Parts(HashMap<String, Vec<(u64, u64)>>);

impl Parts {
    fn read(table: &Path) -> Result<Self, MendError> {
        let mut parts: HashMap<String, Vec<(u64, u64)>> = HashMap::new();
        for entry in entries(table)?.into_iter().filter(is_directory) {
            if let Some(block) = entry.file_name().to_str().and_then(Block::parse) {
                parts.entry(block.partition).or_default().push((block.first, block.last));
            }
        }
        for blocks in parts.values_mut() {
            blocks.sort_by_key(|(first, last)| (*first, std::cmp::Reverse(*last)));
            let mut end = None;
            blocks.retain(|(_, last)| {
                let sticks_out = end < Some(*last);
                end = end.max(Some(*last));
                sticks_out
            });
        }
        Ok(Self(parts))
    }

    /// Whether a part contains this block.
    fn hold(&self, block: &Block) -> bool {
        let Some(parts) = self.0.get(&block.partition) else { return false };
        let after = parts.partition_point(|(first, _)| *first <= block.first);
        after.checked_sub(1).and_then(|at| parts.get(at)).is_some_and(|(_, last)| block.last <= *last)
    }
}

fn is_directory(entry: &DirEntry) -> bool {
    // Not through symbolic links: a table of the new kind has one under its name, and is found under its uuid.
    entry.file_type().is_ok_and(|kind| kind.is_dir())
}

fn directories(parent: &Path) -> Result<Vec<PathBuf>, MendError> {
    Ok(entries(parent)?.iter().filter(|entry| is_directory(entry)).map(DirEntry::path).collect())
}

/// The entries of a directory; none if it does not exist.
fn entries(directory: &Path) -> Result<Vec<DirEntry>, MendError> {
    match fs::read_dir(directory).and_then(Iterator::collect) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read.map_err(|source| MendError::Read { path: directory.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A data directory with one table: its log files with their texts, and its part directories.
    struct Lab(tempfile::TempDir);

    impl Lab {
        fn new(logs: &[(&str, &str)], parts: &[&str]) -> Self {
            let lab = Self(tempfile::tempdir().unwrap());
            fs::create_dir_all(lab.table().join(LOGS)).unwrap();
            for (name, text) in logs {
                fs::write(lab.table().join(LOGS).join(name), text).unwrap();
            }
            for part in parts {
                fs::create_dir_all(lab.table().join(part)).unwrap();
            }
            lab
        }

        fn table(&self) -> PathBuf {
            self.0.path().join("store/0df/0df4f2a0")
        }

        /// The messages of a repair.
        fn mend(&self) -> Vec<String> {
            let mut said = Vec::new();
            mend(self.0.path(), |line| said.push(line.to_owned()));
            said
        }

        fn log(&self, number: u64) -> Option<String> {
            fs::read_to_string(self.table().join(LOGS).join(format!("deduplication_log_{number}.txt"))).ok()
        }
    }

    const FIRST: &str = "deduplication_log_1.txt";

    #[test]
    fn a_token_whose_block_is_in_no_part_is_taken_out() {
        let log = "1\tall_1_1_0\tall_a\n1\tall_2_2_0\tall_b\n";
        let lab = Lab::new(&[(FIRST, log)], &["all_1_1_0", "tmp_insert_all_2_2_0", "detached/all_2_2_0"]);
        let said = lab.mend();
        assert!(matches!(said.as_slice(), [line] if line.ends_with(": 1 tokens without their rows")), "{said:?}");
        assert_eq!(lab.log(2).as_deref(), Some("2\tall_2_2_0\tall_b\n"));
        assert_eq!(lab.log(1).as_deref(), Some(log), "what the library wrote is left alone");
        assert_eq!((lab.mend(), lab.log(3)), (Vec::new(), None), "and once is enough");
    }

    #[test]
    fn what_lies_in_a_part_merged_or_changed_since_is_there() {
        let parts =
            ["all_1_5_1_9", "all_7_7_0", "20240101_2_3_1", "d41d8_1_1_0_8", "all_2_2_0", "delete_tmp_all_6_6_0"];
        let kept = "1\tall_1_1_0\tall_a\n1\tall_2_2_0\tall_b\n1\tall_5_5_0\tall_c\n1\tall_7_7_0\tall_d\n\
                    1\t20240101_3_3_0\t20240101_a\n1\td41d8_1_1_0\td41d8_a\n";
        let lost = "1\tall_6_6_0\tall_e\n1\tall_8_8_0\tall_f\n1\t20240101_1_1_0\t20240101_b\n\
                    1\t2024_3_3_0\t2024_a\n";
        let lab = Lab::new(&[(FIRST, &format!("{lost}{kept}"))], &parts);
        assert_eq!(lab.mend().len(), 1);
        assert_eq!(
            lab.log(2).unwrap(),
            "2\t20240101_1_1_0\t20240101_b\n2\t2024_3_3_0\t2024_a\n2\tall_6_6_0\tall_e\n2\tall_8_8_0\tall_f\n"
        );
    }

    #[test]
    fn files_are_read_in_the_order_of_their_numbers_and_the_last_word_counts() {
        let logs = [
            ("deduplication_log_10.txt", "1\tall_4_4_0\tall_a\n2\tall_2_2_0\tall_b\n"),
            ("deduplication_log_9.txt", "1\tall_1_1_0\tall_a\n2\tall_1_1_0\tall_a\n1\tall_2_2_0\tall_b\n"),
            ("deduplication_log_x.txt", "1\tall_9_9_0\tall_z\n"),
        ];
        assert_eq!(Lab::new(&logs, &["all_4_4_0"]).mend(), Vec::<String>::new());
        let lab = Lab::new(&logs, &[]);
        lab.mend();
        assert_eq!(lab.log(11).as_deref(), Some("2\tall_4_4_0\tall_a\n"));
    }

    #[test]
    fn a_log_that_breaks_off_is_closed_off_so_that_what_follows_can_be_read() {
        for torn in ["1\tall_2_2", "1", "1\tall_2_2_0\tall_b", "\0\0\0\0\n", "3\tall_2_2_0\tall_b\n", "\n", "1\tx\ty\n"]
        {
            let lab = Lab::new(&[(FIRST, &format!("1\tall_1_1_0\tall_a\n{torn}"))], &["all_1_1_0"]);
            let said = lab.mend();
            assert!(matches!(said.as_slice(), [line] if line.ends_with("a last record that breaks off")), "{said:?}");
            assert_eq!(lab.log(2).as_deref(), Some(""), "{torn:?}");
            assert_eq!(lab.mend(), Vec::<String>::new());
        }
        let torn = [(FIRST, "1\tall_1_1_0\tall_a\n1\tal"), ("deduplication_log_2.txt", "1\tall_3_3_0\tall_b\n")];
        let lab = Lab::new(&torn, &[]);
        lab.mend();
        let lost = "2\tall_1_1_0\tall_a\n2\tall_3_3_0\tall_b\n";
        assert_eq!(lab.log(3).as_deref(), Some(lost), "a torn file that is not the last one is read as far as it goes");
    }

    #[test]
    fn every_table_is_looked_at_and_one_that_can_not_be_read_is_no_reason_to_stop() {
        let lab = Lab::new(&[(FIRST, "1\tall_1_1_0\tall_a\n")], &[]);
        let old = lab.0.path().join("data/db/t");
        fs::create_dir_all(old.join(LOGS)).unwrap();
        fs::write(old.join(LOGS).join("deduplication_log_3.txt"), "1\t1-2_1_1_0\t1-2_a\n").unwrap();
        // In a database of the new kind, a table's name is a symbolic link to its directory.
        std::os::unix::fs::symlink(lab.table(), lab.0.path().join("data/db/u")).unwrap();
        let unreadable = lab.0.path().join("store/aaa/aaaa");
        fs::create_dir_all(unreadable.join(LOGS).join(FIRST)).unwrap();
        fs::create_dir_all(lab.0.path().join("store/bbb/view")).unwrap();
        let said = lab.mend();
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said.iter().any(|line| line.starts_with("a deduplication log is left as it is: failed to read")));
        assert_eq!(lab.log(2).as_deref(), Some("2\tall_1_1_0\tall_a\n"));
        assert_eq!(
            fs::read_to_string(old.join(LOGS).join("deduplication_log_4.txt")).unwrap(),
            "2\t1-2_1_1_0\t1-2_a\n"
        );
        let nothing = tempfile::tempdir().unwrap();
        mend(nothing.path(), |line| panic!("{line}"));
    }

    #[test]
    fn names_of_parts_are_told_from_others() {
        let block = |partition: &str, first, last| Some(Block { partition: partition.to_owned(), first, last });
        for (name, expected) in [
            ("all_1_1_0", block("all", 1, 1)),
            ("all_1_7_2_9", block("all", 1, 7)),
            ("20240101_3_4_1", block("20240101", 3, 4)),
            ("-5_3_3_0", block("-5", 3, 3)),
            ("1-2_3_3_0", block("1-2", 3, 3)),
            ("tmp_insert_all_1_1_0", None),
            ("tmp_merge_all_1_2_1", None),
            ("delete_tmp_all_1_1_0", None),
            ("all_1_1", None),
            ("all_1_1_0_2_3", None),
            ("all_2_1_0", None),
            ("_1_1_0", None),
            ("all_1_x_0", None),
            ("detached", None),
            ("", None),
        ] {
            assert_eq!(Block::parse(name), expected, "{name}");
        }
    }
}
