//! One migration: a numbered SQL file.

use super::{
    MigrationError,
    steps::{self, Step},
};

/// Maximum length of a name: with number and extension it stays far below what file systems allow.
const LONGEST_NAME: usize = 80;

/// A migration that was parsed: its name is valid and its text is split into steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    number: u32,
    name: String,
    sql: String,
    steps: Vec<Step>,
}

impl Migration {
    /// Parses the migration in a file of this name (`0001_first.sql`) and text.
    pub fn parse(file: &str, text: &str) -> Result<Self, MigrationError> {
        let (number, name) = split_name(file).ok_or_else(|| MigrationError::FileName { file: file.to_owned() })?;
        let sql = normalised(text);
        let steps = steps::read(file, &sql)?;
        Ok(Self { number, name: name.to_owned(), sql, steps })
    }

    /// Its number, from 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Its name, without number and extension.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Name of its file.
    pub fn file(&self) -> String {
        file_name(self.number, &self.name)
    }

    /// The text of the file, with `\n` as line endings.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// The steps, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// SHA-256 of [`sql`](Self::sql), in hexadecimal, to recognise the file that was applied.
    #[cfg(feature = "runtime")]
    pub fn checksum(&self) -> String {
        use sha2::{Digest as _, Sha256};
        use std::fmt::Write as _;
        Sha256::digest(self.sql.as_bytes()).iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// `0007_name.sql`.
pub(super) fn file_name(number: u32, name: &str) -> String {
    format!("{number:04}_{name}.sql")
}

/// Fails if the name is not valid in a file's name.
pub(super) fn check_name(name: &str) -> Result<(), MigrationError> {
    if is_name(name) { Ok(()) } else { Err(MigrationError::Name { name: name.to_owned() }) }
}

fn is_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Number and name of `0001_first.sql`; only what [`file_name`] would write.
fn split_name(file: &str) -> Option<(u32, &str)> {
    let (digits, name) = file.strip_suffix(".sql")?.split_once('_')?;
    let number: u32 = digits.parse().ok()?;
    (number > 0 && is_name(name) && file_name(number, name) == file).then_some((number, name))
}

/// The text that the checksum covers: without a byte order mark, and with normalised line endings.
fn normalised(text: &str) -> String {
    text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_by_its_number_and_name() {
        let migration = Migration::parse("0012_add_country.sql", "SELECT 1;\n").expect("a migration");
        assert_eq!((migration.number(), migration.name()), (12, "add_country"));
        assert_eq!(migration.file(), "0012_add_country.sql");
        assert_eq!(Migration::parse("12345_later.sql", "").expect("a migration").number(), 12_345);
    }

    #[test]
    fn other_names_are_refused_with_the_form() {
        for file in [
            "1_short.sql",
            "0000_zero.sql",
            "0001_.sql",
            "0001.sql",
            "00001_long.sql",
            "0001_a-b.sql",
            "+001_a.sql",
            "x.sql",
        ] {
            let error = Migration::parse(file, "").expect_err(file).to_string();
            assert!(error.contains(file) && error.contains("0001_<name>.sql"), "{error}");
        }
    }

    #[test]
    fn line_ends_and_a_byte_order_mark_make_no_other_migration() {
        let unix = Migration::parse("0001_a.sql", "SELECT 1;\nSELECT 2;\n").expect("a migration");
        let windows = Migration::parse("0001_a.sql", "\u{feff}SELECT 1;\r\nSELECT 2;\r\n").expect("a migration");
        assert_eq!(unix, windows);
    }

    #[cfg(feature = "runtime")]
    #[test]
    fn the_checksum_is_that_of_the_text() {
        let of = |text: &str| Migration::parse("0001_a.sql", text).expect("a migration").checksum();
        assert_eq!(of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_ne!(of("SELECT 1;"), of("SELECT 2;"));
        assert_eq!(of("SELECT 1;\r\n"), of("SELECT 1;\n"));
    }
}
