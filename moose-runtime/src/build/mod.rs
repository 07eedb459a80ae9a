//! The build-script side: the declarations, evaluated, become DDL and a fingerprint, and the package's migrations are
//! embedded.
//!
//! Reads `migrations/` and writes to the build's output directory alone, so packaged, vendored and documentation builds
//! are like any other.

mod watch;

use std::{
    env,
    fmt::Write as _,
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    process,
};

use serde::Serialize;

use crate::{
    declare::{DeclarationErrors, LinkedSchema, Model},
    migration::{DIRECTORY, MigrationError, Migrations},
    schema::Storage,
};

/// What of the environment the build script's output depends on, beside what cargo sets.
const VARIABLES: [&str; 0] = [];

/// Database under which the DDL is shown; the configuration of the running program decides.
const DATABASE: &str = "moose";

/// Evaluates the declarations that are compiled into this build script.
///
/// The DDL of every table goes to `$OUT_DIR/moose.sql` and into the build's output (`cargo build -vv` shows it), the
/// schema and the migrations of the package to `$OUT_DIR/moose-schema.json`, where `run!` and `app!` find them through
/// `MOOSE_SCHEMA`. What is wrong with the declarations or with the files in `migrations/` fails the build.
///
/// ```ignore
/// // build.rs
/// #[path = "src/pipelines/mod.rs"]
/// #[allow(dead_code)]
/// mod pipelines;
///
/// fn main() {
///     moose_runtime::build::migrations();
/// }
/// ```
pub fn migrations() {
    let directives = match evaluate() {
        Ok(outcome) => outcome,
        Err(error) => Outcome::failed(&error),
    };
    let mut output = io::stdout().lock();
    // Cargo has gone where this fails, and nobody reads an error.
    let _ = output.write_all(directives.text.as_bytes()).and_then(|()| output.flush());
    if directives.failed {
        process::exit(1);
    }
}

/// What cargo is told.
struct Outcome {
    text: String,
    failed: bool,
}

impl Outcome {
    fn failed(error: &BuildError) -> Self {
        let lines = error.to_string();
        let text = lines.lines().fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "cargo::error={line}");
            text
        });
        Self { text, failed: true }
    }
}

/// Why a build script can't do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
enum BuildError {
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
    #[error("failed to write {}: {source}", .path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("failed to write the schema as JSON: {source}")]
    Json {
        #[from]
        source: serde_json::Error,
    },
}

fn evaluate() -> Result<Outcome, BuildError> {
    let directory = env::var_os("OUT_DIR").map(PathBuf::from).ok_or(BuildError::NotABuildScript)?;
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).ok_or(BuildError::NotABuildScript)?;
    let model = Model::linked()?;
    let migrations = Migrations::read(&package.join(DIRECTORY))?.unwrap_or_default();
    let sql = statements(&model);
    let schema_path = directory.join("moose-schema.json");
    write(&directory.join("moose.sql"), &sql)?;
    write(&schema_path, &schema_json(&model, &migrations)?)?;
    let watched = watch::lines(&package, &directory);
    Ok(Outcome { text: directives(&watched, &schema_path, &sql), failed: false })
}

/// The DDL of all tables, by name.
fn statements(model: &Model) -> String {
    let statements: Vec<String> = (model.tables.iter())
        .map(|table| format!("{};\n", table.table.create_statement(DATABASE, &Storage::Server)))
        .collect();
    statements.join("\n")
}

/// What the binary is to know of its build.
#[derive(Serialize)]
struct Left<'a> {
    #[serde(flatten)]
    declared: LinkedSchema,
    migrations: &'a Migrations,
}

fn schema_json(model: &Model, migrations: &Migrations) -> Result<String, serde_json::Error> {
    let mut json = serde_json::to_string_pretty(&Left { declared: LinkedSchema::of(model), migrations })?;
    json.push('\n');
    Ok(json)
}

/// What a good build script says to cargo.
fn directives(watched: &str, schema_path: &Path, sql: &str) -> String {
    let mut text = watched.to_owned();
    text.push_str("cargo::rustc-env=MOOSE_SCHEMA=");
    text.push_str(&schema_path.to_string_lossy());
    text.push('\n');
    if cfg!(feature = "runtime") {
        text.push_str(
            "cargo::warning=the build script compiles all of moose-runtime: in [build-dependencies] say \
             `default-features = false, features = [\"build\"]`, and use resolver 2 or later\n",
        );
    }
    text.push_str(sql);
    text
}

fn write(path: &Path, text: &str) -> Result<(), BuildError> {
    fs::write(path, text).map_err(|source| BuildError::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
