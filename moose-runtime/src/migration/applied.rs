//! Compares the migrations that were applied to a database with the files.

use super::{Migration, Migrations};

/// A migration in the history of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Its number.
    pub number: u32,
    /// Its name when it was applied.
    pub name: String,
    /// Its checksum when it was applied.
    pub checksum: String,
}

/// A difference between the files and what was applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Discrepancy {
    /// The text has changed.
    #[error(
        "migration {number} (`{file}`) was changed after it was applied: its checksum is {found}, applied was {applied}; \
         restore the file, and put the change into a new migration"
    )]
    Changed {
        /// Its number.
        number: u32,
        /// Name of the file.
        file: String,
        /// Checksum of the file.
        found: String,
        /// Checksum of what was applied.
        applied: String,
    },
    /// The file is gone.
    #[error("migration {number} (`{name}`) was applied, and its file is not there: restore it, or run a newer binary")]
    Deleted {
        /// Its number.
        number: u32,
        /// Its name when it was applied.
        name: String,
    },
    /// The text has another number now.
    #[error("migration {number} (`{name}`) was applied, and stands in `{file}` now: give the files their numbers back")]
    Reordered {
        /// Its number when it was applied.
        number: u32,
        /// Its name when it was applied.
        name: String,
        /// Name of the file that has its text.
        file: String,
    },
    /// The same text under the same number has another name.
    #[error("migration {number} was applied as `{name}`, and is named `{file}` now: give it its name back")]
    Renamed {
        /// Its number.
        number: u32,
        /// Its name when it was applied.
        name: String,
        /// Name of the file.
        file: String,
    },
    /// A migration before the last applied one was not applied.
    #[error("migration `{file}` was not applied, and a later one was: give it a number after the last")]
    Skipped {
        /// Name of the file.
        file: String,
    },
}

impl Migrations {
    /// The files that are not applied yet, in order; or all differences between the others and what was applied.
    pub fn pending(&self, applied: &[Applied]) -> Result<&[Migration], Vec<Discrepancy>> {
        let mut discrepancies: Vec<Discrepancy> =
            applied.iter().filter_map(|applied| self.discrepancy(applied)).collect();
        let last = applied.iter().map(|applied| applied.number).max().unwrap_or(0);
        let is_applied = |file: &&Migration| applied.iter().any(|applied| applied.number == file.number());
        let before = self.files.iter().take_while(|file| file.number() <= last);
        discrepancies
            .extend(before.filter(|file| !is_applied(file)).map(|file| Discrepancy::Skipped { file: file.file() }));
        if discrepancies.is_empty() {
            let done = self.files.iter().take_while(|file| file.number() <= last).count();
            Ok(self.files.get(done..).unwrap_or_default())
        } else {
            Err(discrepancies)
        }
    }

    fn discrepancy(&self, applied: &Applied) -> Option<Discrepancy> {
        let Applied { number, name, checksum } = applied.clone();
        let file = self.files.iter().find(|file| file.number() == number);
        match file {
            Some(file) if file.checksum() == checksum && file.name() == name => None,
            Some(file) if file.checksum() == checksum => Some(Discrepancy::Renamed { number, name, file: file.file() }),
            _ => match (self.files.iter().find(|file| file.checksum() == checksum), file) {
                (Some(moved), _) => Some(Discrepancy::Reordered { number, name, file: moved.file() }),
                (None, Some(file)) => {
                    Some(Discrepancy::Changed { number, file: file.file(), found: file.checksum(), applied: checksum })
                }
                (None, None) => Some(Discrepancy::Deleted { number, name }),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::{RecordedSchema, Saved};

    fn migrations(files: &[(&str, &str)]) -> Migrations {
        let files: Vec<_> = files.iter().map(|(file, sql)| Migration::parse(file, sql).expect("a migration")).collect();
        let saved_with = Saved { number: 1, name: files[0].name().to_owned() };
        let schema =
            RecordedSchema { version: RecordedSchema::VERSION, saved_with, tables: Vec::new(), kept: Vec::new() };
        Migrations::of(files, Some(schema)).expect("right")
    }

    fn applied(migrations: &Migrations) -> Vec<Applied> {
        let of = |file: &Migration| Applied {
            number: file.number(),
            name: file.name().to_owned(),
            checksum: file.checksum(),
        };
        migrations.files().iter().map(of).collect()
    }

    const FILES: [(&str, &str); 3] =
        [("0001_a.sql", "SELECT 1;"), ("0002_b.sql", "SELECT 2;"), ("0003_c.sql", "SELECT 3;")];

    #[test]
    fn what_follows_the_last_applied_one_is_pending() {
        let all = migrations(&FILES);
        for done in 0..=3 {
            let pending = all.pending(&applied(&all)[..done]).expect("nothing differs");
            let numbers: Vec<u32> = pending.iter().map(Migration::number).collect();
            assert_eq!(numbers, (1..=3).skip(done).collect::<Vec<u32>>());
        }
    }

    #[test]
    fn a_changed_deleted_renamed_or_reordered_file_is_told_apart() {
        let before = applied(&migrations(&FILES));
        let told = |files: &[(&str, &str)]| -> Vec<String> {
            let found = migrations(files).pending(&before).expect_err("something differs");
            found.iter().map(ToString::to_string).collect()
        };
        let changed = told(&[FILES[0], ("0002_b.sql", "SELECT 20;"), FILES[2]]);
        assert!(changed.len() == 1 && changed[0].contains("migration 2 (`0002_b.sql`) was changed"), "{changed:?}");
        let deleted = told(&FILES[..2]);
        assert!(deleted.len() == 1 && deleted[0].contains("migration 3 (`c`) was applied, and its file is not there"));
        let renamed = told(&[FILES[0], ("0002_x.sql", "SELECT 2;"), FILES[2]]);
        assert!(renamed.len() == 1 && renamed[0].contains("applied as `b`, and is named `0002_x.sql`"), "{renamed:?}");
        let swapped = told(&[FILES[0], ("0002_c.sql", "SELECT 3;"), ("0003_b.sql", "SELECT 2;")]);
        assert_eq!(swapped.len(), 2);
        assert!(swapped[0].contains("migration 2 (`b`) was applied, and stands in `0003_b.sql` now"), "{swapped:?}");
    }

    #[test]
    fn a_migration_that_was_passed_over_is_refused() {
        let all = migrations(&FILES);
        let mut some = applied(&all);
        some.remove(1);
        assert_eq!(all.pending(&some).expect_err("skipped"), [Discrepancy::Skipped { file: "0002_b.sql".to_owned() }]);
    }
}
