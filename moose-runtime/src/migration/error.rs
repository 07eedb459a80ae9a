//! Errors in migration files.

use std::{io, path::PathBuf};

/// Why migrations can't be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrationError {
    /// A file or the directory can't be read.
    #[error("failed to read {}: {source}", .path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A file can't be written.
    #[error("failed to write {}: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A file ends in `.sql` but is not named like a migration.
    #[error(
        "`{file}` in migrations/ is not named as a migration is: `0001_<name>.sql`, with ASCII letters, digits and `_`"
    )]
    FileName {
        /// Name of the file.
        file: String,
    },
    /// The name is not valid in a file's name.
    #[error("`{name}` can't be the name of a migration: use up to 80 ASCII letters, digits and `_`")]
    Name {
        /// The name.
        name: String,
    },
    /// Another migration has this name.
    #[error("there is a migration `{file}` already: choose another name than `{name}`")]
    NameTaken {
        /// The name.
        name: String,
        /// The file that has it.
        file: String,
    },
    /// Another migration was added meanwhile.
    #[error("failed to save `{file}`: migrations/ has changed since this was drafted; build again")]
    Overtaken {
        /// Name of the file that was to be written.
        file: String,
    },
    /// An expression in a declaration would change where its statement ends.
    #[error(
        "an expression of the declarations ends its statement or begins a comment: take `;` and comments out of it; in \
         \"{statement}\""
    )]
    Expression {
        /// The statement as generated.
        statement: String,
    },
    /// Two files have one number.
    #[error(
        "two migrations have the number {number}: `{first}` and `{second}`; where two branches each added one, delete \
         your own, take schema.json as the other branch has it, and save yours again"
    )]
    SameNumber {
        /// The number.
        number: u32,
        /// One file.
        first: String,
        /// The other file.
        second: String,
    },
    /// A number is missing.
    #[error("migration {missing} is missing before `{file}`: numbers begin at 1 and have no gaps")]
    Gap {
        /// The first number that is missing.
        missing: u32,
        /// The file after the gap.
        file: String,
    },
    /// A quote, comment, heredoc or parenthesis is not closed.
    #[error("`{file}`, line {line}: the {what} that begins here has no end")]
    Unended {
        /// Name of the file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// `string`, `quoted name`, `comment` or `heredoc`.
        what: &'static str,
    },
    /// An unknown directive.
    #[error(
        "`{file}`, line {line}: `{text}` is no directive: write `-- moose: drain <table>` or `-- moose: resume <table>`"
    )]
    Directive {
        /// Name of the file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// The comment.
        text: String,
    },
    /// A directive in the middle of a statement.
    #[error("`{file}`, line {line}: a directive stands between statements: end the one before with `;`")]
    DirectiveInStatement {
        /// Name of the file.
        file: String,
        /// Line, from 1.
        line: usize,
    },
    /// `drain` and `resume` are not in pairs.
    #[error("`{file}`, line {line}: {what}")]
    Pairing {
        /// Name of the file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong, such as "table `events` is drained and never resumed".
        what: String,
    },
    /// `schema.json` can't be parsed.
    #[error("failed to read migrations/schema.json: {source}; restore it from version control")]
    Schema {
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// `schema.json` was written by a later version of this library.
    #[error(
        "migrations/schema.json has layout {found}, this version reads up to layout {known}: use a later moose-runtime"
    )]
    SchemaVersion {
        /// Its layout.
        found: u32,
        /// The latest layout known.
        known: u32,
    },
    /// There are migrations, but no `schema.json`.
    #[error("migrations/schema.json is missing beside `{file}`: restore it from version control")]
    SchemaMissing {
        /// The first migration.
        file: String,
    },
    /// `schema.json` was saved with a migration that does not exist.
    #[error(
        "migrations/schema.json was saved with `{saved}`, and {}: restore both from one commit",
        .found.as_ref().map_or("that file is missing".to_owned(), |found| format!("the file of that number is `{found}`"))
    )]
    SchemaOutOfStep {
        /// The file that it was saved with.
        saved: String,
        /// The file of that number, if there is one.
        found: Option<String>,
    },
    /// The migrations embedded in the binary can't be parsed.
    #[error(
        "failed to read the migrations that are embedded in this binary: {source}; build it again with one version of \
         moose-runtime in [dependencies] and [build-dependencies]"
    )]
    Embedded {
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// The migrations embedded in the binary have another layout.
    #[error(
        "the migrations that are embedded in this binary have layout {found}, it reads layout {expected}: use one version \
         of moose-runtime in [dependencies] and [build-dependencies]"
    )]
    EmbeddedVersion {
        /// Its layout.
        found: u32,
        /// The expected layout.
        expected: u32,
    },
}
