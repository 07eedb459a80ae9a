//! The build-script side: evaluates the declarations, writes DDL, a fingerprint and the draft of a migration, and
//! embeds the package's migrations.
//!
//! It writes to the build's output directory alone, unless a migration is to be saved. So two target directories don't
//! disturb each other, and packaged, vendored and documentation builds work like any other.

mod environment;
mod error;
mod report;
mod watch;

use std::{env, fmt::Write as _, fs, io, io::Write as _, path::Path, process};

use serde::Serialize;

use crate::{
    declare::{fingerprint::LinkedSchema, model::Model},
    migration::{DIRECTORY, Draft, Migrations},
    schema::Storage,
};

use environment::{Environment, Mode};
use error::BuildError;
use report::Report;

/// Database name in the generated DDL; the configuration of the running program decides.
const DATABASE: &str = "moose";

/// Evaluates the declarations that are compiled into this build script.
///
/// The DDL of every table goes to `$OUT_DIR/moose.sql` and into the build's output (`cargo build -vv` shows it), the
/// schema and the migrations of the package to `$OUT_DIR/moose-schema.json`, where `run!` and `app!` find them through
/// `MOOSE_SCHEMA`. What is wrong with the declarations or with the files in `migrations/` fails the build.
///
/// What the declarations ask for beyond `migrations/` goes to `$OUT_DIR/draft.sql` and is a warning that lists the
/// changes. `MOOSE_SAVE_MIGRATION=<name> cargo build` saves it. With `MOOSE_MIGRATIONS=locked`, and when `CI` is set (not to
/// `false` or `0`) and `migrations/` exists, it is an error.
///
/// ```no_run
/// // build.rs
/// # /*
/// #[path = "src/pipelines/mod.rs"]
/// #[allow(dead_code)]
/// mod pipelines;
/// # */
///
/// fn main() {
///     moose_runtime::build::migrations();
/// }
/// ```
pub fn migrations() {
    let environment = Environment::read(|name| env::var_os(name), env::vars_os().map(|(name, _)| name));
    let outcome = environment.and_then(|environment| evaluate(&environment));
    let directives = match outcome {
        Ok(outcome) => outcome,
        Err(error) => Outcome::failed(&error),
    };
    let mut output = io::stdout().lock();
    // If this fails, cargo is gone, and nobody reads an error.
    let _ = output.write_all(directives.text.as_bytes()).and_then(|()| output.flush());
    if directives.failed {
        process::exit(1);
    }
}

/// What is printed for cargo, and whether the build fails.
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

fn evaluate(environment: &Environment) -> Result<Outcome, BuildError> {
    let model = Model::linked()?;
    let (migrations, report) = migrate(environment, &model)?;
    let sql = statements(&model);
    let schema_path = environment.output.join("moose-schema.json");
    write(&environment.output.join("moose.sql"), &sql)?;
    write(&schema_path, &schema_json(&model, &migrations)?)?;
    let watched = watch::lines(&environment.package, &environment.output);
    let mut text = directives(&watched, &schema_path, &sql);
    let kind = if report.failed { "error" } else { "warning" };
    for line in report.lines.iter().flat_map(|line| line.lines()) {
        let _ = writeln!(text, "cargo::{kind}={line}");
    }
    Ok(Outcome { text, failed: report.failed })
}

/// The migrations of the package, including the draft if it was to be saved, and the messages about it.
fn migrate(environment: &Environment, model: &Model) -> Result<(Migrations, Report), BuildError> {
    let directory = environment.package.join(DIRECTORY);
    let migrations = Migrations::read(&directory)?.unwrap_or_default();
    let draft_path = environment.output.join("draft.sql");
    if environment.mode == Mode::Ignore {
        return Ok((migrations, Report::default()));
    }
    let tables: Vec<_> = model.tables.iter().map(|table| table.table.clone()).collect();
    let draft = match Draft::of(&migrations, &tables, &model.dropped_tables) {
        Ok(draft) => draft,
        Err(refused) => return Ok((migrations, report::refused(environment, &refused))),
    };
    match (draft, &environment.mode) {
        (Some(draft), Mode::Save(name)) => {
            let path = draft.save(&directory, name)?;
            remove(&draft_path)?;
            let migrations = Migrations::read(&directory)?.unwrap_or_default();
            Ok((migrations, report::saved(&draft, &path)))
        }
        (Some(draft), _) => {
            write(&draft_path, &draft.sql())?;
            Ok((migrations, report::drafted(environment, &draft, &draft_path)))
        }
        (None, mode) => {
            remove(&draft_path)?;
            let report = if let Mode::Save(name) = mode { report::nothing_to_save(name) } else { Report::default() };
            Ok((migrations, report))
        }
    }
}

/// The DDL of all tables, by name.
fn statements(model: &Model) -> String {
    let statements: Vec<String> = (model.tables.iter())
        .map(|table| format!("{};\n", table.table.create_statement(DATABASE, &Storage::Server)))
        .collect();
    statements.join("\n")
}

/// What the build leaves for the binary.
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

/// The directives for cargo after a successful build.
fn directives(watched: &str, schema_path: &Path, sql: &str) -> String {
    let mut text = watched.to_owned();
    text.push_str("cargo::rustc-env=MOOSE_SCHEMA=");
    text.push_str(&schema_path.to_string_lossy());
    text.push('\n');
    if cfg!(feature = "runtime") {
        text.push_str(
            "cargo::warning=the build script compiles all of moose-runtime: in [build-dependencies] say \
             `default-features = false, features = [\"build\"]`, use resolver 2 or later, and put features of the program's \
             into [dependencies]: what [features] forwards as `moose-runtime/…` reaches the build script's too\n",
        );
    }
    text.push_str(sql);
    text
}

fn write(path: &Path, text: &str) -> Result<(), BuildError> {
    fs::write(path, text).map_err(|source| BuildError::Write { path: path.to_owned(), source })
}

fn remove(path: &Path) -> Result<(), BuildError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(BuildError::Write { path: path.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
