//! Migrations as files: `migrations/NNNN_<name>.sql`, and `migrations/schema.json`, the schema that they lead to.
//!
//! What stands here is the format and nothing that runs: the build script and the commands of the binary read, embed and
//! write these files through this room ([`Draft`] is what they would write), and whoever applies them finds in a
//! [`Migration`] the [`Step`]s to take. Which of them can't simply be run again after a kill is said at
//! [`schema::change`](crate::schema::change).
//!
//! A file is SQL with comments. Its statements end with `;` and don't name the database. A comment that begins with
//! `-- moose:` and stands between two statements is a directive:
//!
//! - `-- moose: drain <table>`: before going on, no INSERT of the table is under way, and none begins;
//! - `-- moose: resume <table>`: the table takes INSERTs again.
//!
//! Numbers begin at 1 and have no gaps, so two branches that each add a migration can't be merged without a conflict
//! that somebody sees. A file that was applied is known by its number, its name and the checksum of its text, in which
//! only the kind of line ends does not count.

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
