//! Errors of the build script.

use std::{io, path::PathBuf};

use crate::{declare::DeclarationErrors, migration::MigrationError};

/// Why a build script can't do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum BuildError {
    #[error("{source}")]
    Declarations {
        #[from]
        source: DeclarationErrors,
    },
    #[error(transparent)]
    Migrations {
        #[from]
        source: MigrationError,
    },
    #[error("OUT_DIR is not set: `moose_runtime::build::migrations()` runs in a build script (build.rs)")]
    NotABuildScript,
    #[error("MOOSE_MIGRATIONS is `{value}`: it is `locked` or not set")]
    Mode { value: String },
    #[error("MOOSE_SAVE_MIGRATION is set and MOOSE_MIGRATIONS is `locked`: take one of them away")]
    SaveLocked,
    #[error("failed to write {}: {source}", .path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("failed to write the schema as JSON: {source}")]
    Json {
        #[from]
        source: serde_json::Error,
    },
}
