//! Migrations embedded in the binary: reading and writing the text that the build script leaves for it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize, Serializer};

use super::{DIRECTORY, Migration, MigrationError, Migrations, RecordedSchema};

/// Version of the text's layout.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Embedded {
    version: u32,
    files: Vec<EmbeddedFile>,
    schema: Option<RecordedSchema>,
}

#[derive(Serialize, Deserialize)]
struct EmbeddedFile {
    file: String,
    sql: String,
}

/// What [`Migrations::embedded`] reads, under the key `migrations`.
impl Serialize for Migrations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let files = self.files.iter().map(|file| EmbeddedFile { file: file.file(), sql: file.sql().to_owned() });
        Embedded { version: VERSION, files: files.collect(), schema: self.schema.clone() }.serialize(serializer)
    }
}

impl Migrations {
    /// Reads the migrations from the build script's output, which is the text of
    /// [`Program::schema`](crate::declare::Program::schema).
    pub fn embedded(text: &str) -> Result<Self, MigrationError> {
        /// Read first, since another layout may lack the rest.
        #[derive(Deserialize)]
        struct Layout {
            migrations: Version,
        }
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        #[derive(Deserialize)]
        struct Whole {
            migrations: Embedded,
        }
        let malformed = |source| MigrationError::Embedded { source };
        let Layout { migrations: Version { version } } = serde_json::from_str(text).map_err(malformed)?;
        if version != VERSION {
            return Err(MigrationError::EmbeddedVersion { found: version, expected: VERSION });
        }
        let Whole { migrations } = serde_json::from_str(text).map_err(malformed)?;
        let files: Result<Vec<_>, _> =
            migrations.files.iter().map(|file| Migration::parse(&file.file, &file.sql)).collect();
        Self::of(files?, migrations.schema)
    }

    /// The migrations of a running program: those that its build script embedded; without a build script, those in
    /// `migrations/` of the [package's directory](package_directory).
    pub fn of_program(schema: Option<&str>) -> Result<Self, MigrationError> {
        match schema {
            Some(text) => Self::embedded(text),
            None => Ok(Self::read(&package_directory().join(DIRECTORY))?.unwrap_or_default()),
        }
    }
}

/// Directory of the running program's package: the one that `cargo run` sets, else the current one.
pub fn package_directory() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from("."), PathBuf::from)
}
