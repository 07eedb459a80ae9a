//! Reads all migrations of a package, in order, from its directory.

use std::{fs, io, path::Path};

use super::{Migration, MigrationError, RecordedSchema};

/// Name of the directory in the package.
pub const DIRECTORY: &str = "migrations";

/// Name of the file in it that holds the schema.
pub const SCHEMA_FILE: &str = "schema.json";

/// The migrations of a package: numbered from 1 without gaps, and consistent with the schema that they lead to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Migrations {
    pub(super) files: Vec<Migration>,
    pub(super) schema: Option<RecordedSchema>,
}

impl Migrations {
    /// Reads the directory; `None` if there is none.
    pub fn read(directory: &Path) -> Result<Option<Self>, MigrationError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| MigrationError::Read { path, source }
        };
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(at(directory)(source)),
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(at(directory))?.path();
            if path.extension().is_some_and(|extension| extension == "sql") {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                files.push(Migration::parse(&name, &fs::read_to_string(&path).map_err(at(&path))?)?);
            }
        }
        let schema_path = directory.join(SCHEMA_FILE);
        let schema = match fs::read_to_string(&schema_path) {
            Ok(json) => Some(RecordedSchema::parse(&json)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(at(&schema_path)(source)),
        };
        Self::of(files, schema).map(Some)
    }

    /// Sorts the files and checks that they and the schema belong together.
    pub fn of(mut files: Vec<Migration>, schema: Option<RecordedSchema>) -> Result<Self, MigrationError> {
        files.sort_by(|left, right| (left.number(), left.name()).cmp(&(right.number(), right.name())));
        for (before, after) in files.iter().zip(files.iter().skip(1)) {
            if before.number() == after.number() {
                return Err(MigrationError::SameNumber {
                    number: before.number(),
                    first: before.file(),
                    second: after.file(),
                });
            }
        }
        for (expected, file) in (1..).zip(&files) {
            if file.number() != expected {
                return Err(MigrationError::Gap { missing: expected, file: file.file() });
            }
        }
        check_step(&files, schema.as_ref())?;
        Ok(Self { files, schema })
    }

    /// The migrations, by number.
    pub fn files(&self) -> &[Migration] {
        &self.files
    }

    /// The schema that they lead to; `None` if nothing has been saved yet.
    pub fn schema(&self) -> Option<&RecordedSchema> {
        self.schema.as_ref()
    }

    /// The number of the next migration.
    pub fn next_number(&self) -> u32 {
        self.files.last().map_or(1, |file| file.number().saturating_add(1))
    }
}

/// Migrations written by hand may follow the one that the schema was saved with; none may be missing.
fn check_step(files: &[Migration], schema: Option<&RecordedSchema>) -> Result<(), MigrationError> {
    match (schema, files.first()) {
        (None, Some(first)) => Err(MigrationError::SchemaMissing { file: first.file() }),
        (None, None) => Ok(()),
        (Some(schema), _) => {
            let saved = schema.saved_with.file();
            let found = files.iter().find(|file| file.number() == schema.saved_with.number).map(Migration::file);
            if found.as_ref() == Some(&saved) { Ok(()) } else { Err(MigrationError::SchemaOutOfStep { saved, found }) }
        }
    }
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
