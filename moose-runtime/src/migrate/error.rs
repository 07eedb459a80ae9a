//! Errors of applying migrations.

use crate::{
    clickhouse::ClickHouseError,
    drain::DrainError,
    migration::{Discrepancy, MigrationError},
};

/// Why migrations can't be applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// ClickHouse refused, or could not be reached.
    #[error(transparent)]
    ClickHouse(#[from] ClickHouseError),
    /// The files can't be read.
    #[error(transparent)]
    Files(#[from] MigrationError),
    /// A table can't be drained.
    #[error(transparent)]
    Drain(#[from] DrainError),
    /// The files differ from what was applied.
    #[error("the migrations are not those that were applied:{}", list(.differences))]
    Differ {
        /// All differences.
        differences: Vec<Discrepancy>,
    },
    /// A migration is partly applied, and that part of the file has changed.
    #[error(
        "migration `{file}` was applied up to its step {done}, and step {step} (line {line}) is not what was run: restore \
         what was run; what follows it may be changed"
    )]
    ChangedInTheMiddle {
        /// Name of the file.
        file: String,
        /// How many steps are done.
        done: usize,
        /// The step that differs, from 1.
        step: usize,
        /// Its line in the file; 0 where the file has no such step any more.
        line: usize,
    },
    /// A statement failed.
    #[error(
        "migration `{file}`, line {line}: {source}\n  {statement}\nwhat came before it is done; mend the cause or this \
         statement, and run `migrate apply` again: it goes on here"
    )]
    Statement {
        /// Name of the file.
        file: String,
        /// Line of the statement.
        line: usize,
        /// Its beginning.
        statement: String,
        /// The cause.
        source: ClickHouseError,
    },
    /// It is unknown whether a statement took effect.
    #[error(
        "migration `{file}`, line {line}: the process ended while this statement ran, and whether it took effect can't be \
         found out:\n  {statement}\nlook yourself, then run `migrate apply --in-doubt done` or `migrate apply --in-doubt again`"
    )]
    InDoubt {
        /// Name of the file.
        file: String,
        /// Line of the statement.
        line: usize,
        /// Its beginning.
        statement: String,
    },
    /// A statement was interrupted, and the file has another one at its place.
    #[error(
        "migration `{file}`, line {line}: the process ended while the statement that stood here ran, and this is another \
         one:\n  {statement}\nrestore what stood here, or look yourself whether it took effect, then run \
         `migrate apply --in-doubt done` (it did, and this one is not run) or `migrate apply --in-doubt again` (this one is \
         run)"
    )]
    ChangedInDoubt {
        /// Name of the file.
        file: String,
        /// Line of the statement.
        line: usize,
        /// Its beginning.
        statement: String,
    },
    /// The tables of a statement are not those recorded before it.
    #[error(
        "migration `{file}`, line {line}: the tables are not those that were there when it began: {what}; put them back, or \
         finish by hand and run `migrate apply --in-doubt done`"
    )]
    Moved {
        /// Name of the file.
        file: String,
        /// Line of the statement.
        line: usize,
        /// What was found.
        what: String,
    },
    /// A mutation fails.
    #[error(
        "migration `{file}`, line {line}: ClickHouse can't finish mutation {mutation} of table `{table}`: {reason}\nmend the \
         rows, or take it back with `KILL MUTATION WHERE table = '{table}' AND mutation_id = '{mutation}'`, and run \
         `migrate apply` again"
    )]
    Mutation {
        /// Name of the file.
        file: String,
        /// Line of the statement.
        line: usize,
        /// The table.
        table: String,
        /// Its mutation.
        mutation: String,
        /// ClickHouse's message.
        reason: String,
    },
    /// Another process has taken the lock over.
    #[error(
        "the lock of the migrations was taken over by {by}, because it was not renewed in time; nothing goes on here"
    )]
    LockLost {
        /// Its holder now.
        by: String,
    },
    /// The lock's table is not a lock.
    #[error(
        "table `{table}` is in the way: it is no lock of ours; give it another name with `RENAME TABLE {table} TO …`"
    )]
    StrangeLock {
        /// Its name.
        table: String,
    },
    /// The history can't be read.
    #[error("the history of migrations in table `{table}` can't be understood: {reason}")]
    History {
        /// Its name.
        table: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// No baseline is possible.
    #[error("{reason}")]
    Baseline {
        /// Why not.
        reason: String,
    },
}

fn list(differences: &[Discrepancy]) -> String {
    differences.iter().map(|difference| format!("\n  {difference}")).collect::<Vec<_>>().concat()
}
