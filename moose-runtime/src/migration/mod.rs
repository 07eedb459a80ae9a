//! Migrations as files: `migrations/NNNN_<name>.sql`, and `migrations/schema.json`, the schema that they lead to.
//!
//! This is the file format; nothing here runs a migration. The build script and the commands of the binary read, embed
//! and write these files through this module ([`Draft`] is what they would write), and a [`Migration`] gives a runner
//! the [`Step`]s to execute. Which of them can't simply be repeated after a kill is documented in
//! [`schema::change`](crate::schema::change).
//!
//! A file is SQL with comments. Its statements end with `;` and don't name the database. A comment that begins with `--
//! moose:` and is between two statements is a directive:
//!
//! - `-- moose: drain <table>`: before going on, no INSERT into the table is under way, and none begins;
//! - `-- moose: resume <table>`: the table takes INSERTs again.
//!
//! Numbers begin at 1 and have no gaps, so two branches that each add a migration can't be merged without a visible
//! conflict. An applied file is identified by its number, its name and the checksum of its text, which ignores the kind
//! of line endings.

#[cfg(feature = "runtime")]
mod applied;
mod directory;
mod draft;
mod embedded;
mod error;
mod file;
mod recorded;
mod steps;

#[cfg(feature = "runtime")]
pub use applied::{Applied, Discrepancy};
pub use directory::{DIRECTORY, Migrations, SCHEMA_FILE};
pub use draft::{Draft, Refused};
pub use embedded::package_directory;
pub use error::MigrationError;
pub use file::Migration;
pub use recorded::{RecordedSchema, Saved};
pub use steps::{Action, Step};
