//! `schema.json`: the schema that the migrations lead to, as a file.

use serde::{Deserialize, Serialize};

use crate::schema::Table;

use super::{MigrationError, file};

/// The content of `schema.json`. Written with each saved migration and read by the next build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedSchema {
    /// Version of this layout; 1 today.
    pub version: u32,
    /// The migration that it was saved with.
    pub saved_with: Saved,
    /// The tables, by name.
    pub tables: Vec<Table>,
    /// Names of old tables that rebuilds have kept and that were not dropped yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
}

/// Number and name of a migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// Its number.
    pub number: u32,
    /// Its name.
    pub name: String,
}

impl Saved {
    /// Name of the file.
    pub fn file(&self) -> String {
        file::file_name(self.number, &self.name)
    }
}

impl RecordedSchema {
    /// The latest layout known.
    pub const VERSION: u32 = 1;

    pub(super) fn parse(json: &str) -> Result<Self, MigrationError> {
        /// Read first, since another layout may lack the rest.
        #[derive(Deserialize)]
        struct Layout {
            version: u32,
        }
        let malformed = |source| MigrationError::Schema { source };
        let Layout { version } = serde_json::from_str(json).map_err(malformed)?;
        if version != Self::VERSION {
            return Err(MigrationError::SchemaVersion { found: version, known: Self::VERSION });
        }
        serde_json::from_str(json).map_err(malformed)
    }
}
