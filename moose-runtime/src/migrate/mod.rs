//! Runs migrations: the history is kept in the database, one runner works at a time, and after any interruption the
//! next runner resumes.
//!
//! - `history`: the table `_moose_migrations`, a row before and after each step;
//! - `lock`: the table `_moose_migration_lock`, whose lease outlives its holder by half a minute;
//! - `words`, `statement`: what a statement does, as far as repeating it depends on that;
//! - `apply`: applies what is pending, one migration after the other;
//! - `runner`, `steps`, `sending`: execute the steps of one migration, and send its statements;
//! - `outcome`: finds out whether an interrupted step took effect;
//! - `develop`: updates a development database to the declarations, without files;
//! - `section`: the steps between `drain` and `resume`: a copy, and its exchange;
//! - `swap`: which table has which name, recorded before that changes;
//! - `drift`: how the real tables differ from what the migrations lead to;
//! - `status`: all of that at a glance.
//!
//! ClickHouse has no transactions over several statements, so every step is either idempotent, or its outcome can be
//! found out: of a table by its identity, of a column by the table's definition, of a mutation by the table's list of
//! them; a copy is started again from the beginning. Of any other step the operator is asked.
//!
//! A runner may be frozen between its last check and its statement, and wake up when another has taken over. So the
//! table that it copies into has a unique name; exchanges and renames are sent behind its fence
//! ([`Fence`](crate::drain::Fence)); and a table is renamed by its identity before it is dropped.

mod apply;
mod baseline;
mod develop;
mod drift;
mod error;
mod history;
mod lock;
mod mutations;
mod options;
mod outcome;
mod runner;
mod section;
mod sending;
mod shape;
mod statement;
mod status;
mod steps;
mod swap;
mod words;

pub use apply::{Done, apply};
pub use baseline::baseline;
pub use develop::{Confirm, Developed, develop};
pub use drift::{Drift, drift, unsaved};
pub use error::MigrateError;
pub use history::{History, Progress};

pub use options::{InDoubt, Options};
pub use status::{Status, status};
