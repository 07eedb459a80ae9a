//! Running migrations: what was applied is remembered in the database, one runner works at a time, and whatever it is
//! interrupted by, the next one goes on.
//!
//! - `history`: the table `_moose_migrations`, a row before and after each step;
//! - `lock`: the table `_moose_migration_lock`, whose lease outlives its holder by half a minute;
//! - `words`, `statement`: what a statement does, as far as repeating it depends on that;
//! - `apply`: brings what is pending to its end, one migration after the other;
//! - `runner`, `steps`, `sending`: take the steps of one, and send its statements;
//! - `outcome`: what became of a step that was interrupted;
//! - `develop`: brings a development database to the declarations, without files;
//! - `section`: what a table is drained for: a copy, and its exchange;
//! - `swap`: which table stands under which name, noted before it changes;
//! - `drift`: how the real tables differ from what the migrations lead to;
//! - `status`: all of that at a glance.
//!
//! ClickHouse has no transactions over statements, so every step is either the same when it is done again, or its outcome
//! can be found out: a table by its identity, a column by the table's text, a mutation by the table's list of them, a copy
//! by beginning it anew. Of any other the operator is asked.
//!
//! A runner may be frozen between its last look and its statement, and wake up when another has gone on in its place. So
//! what it copies into has a name of its own; exchanges and renamings go out behind its fence ([`Fence`](crate::drain::Fence));
//! and a table is renamed by its identity before it is dropped.

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
