//! The running application: declarations and configuration in, a pipeline out.
//!
//! [`App::new`] (or the macro `app!()`) begins, [`AppBuilder::start`] starts everything in order, [`RunningApp::stop`]
//! stops it in the opposite order. The commands of the generated binary, the examples and the tests all use these
//! calls.

mod accounts;
pub(crate) mod addresses;
mod builder;
#[cfg(feature = "embedded")]
mod caretaker;
mod database;
mod error;
mod letters;
mod migrations;
mod parts;
mod producer;
mod readers;
mod running;
mod schema_state;
mod start;
pub(crate) mod streams;
mod tables;
mod topology;

pub(crate) use accounts::Books;
pub(crate) use addresses::{ADDRESSES_FILE, Addresses};
pub use builder::AppBuilder;
pub(crate) use database::engine_path;
pub use error::AppError;
pub(crate) use error::exit_code;
pub(crate) use letters::{LetterCommand, LetterDesk, Selection};
pub use migrations::Migrating;
pub use producer::Producer;
pub(crate) use readers::{ReaderCommand, ReaderDesk};
pub use running::RunningApp;
pub(crate) use schema_state::SchemaState;
pub use topology::{ApiNode, StreamNode, Subscription, TableNode, Topology};

#[cfg(feature = "embedded")]
pub use crate::engine::{Access, AccessError, Attempt, EngineError, LibraryError};
pub use crate::{
    clickhouse::{ClickHouseError, Client, Query},
    drain::DrainError,
    migrate::{Confirm, MigrateError},
    migration::{Discrepancy, MigrationError},
    stream::{Retention, StreamError, TopicSpec},
    sync::{
        ResumeFrom,
        check::{Effect, Flaw, Promise, Report, TableReport},
    },
    telemetry::{Component, Delivery, Failure, Health, Metrics, Reason, Severity},
};

use crate::declare::Program;

/// The entry point: [`App::new`] begins an application.
#[derive(Clone, Copy, Debug)]
pub struct App;

impl App {
    /// An application of the program's declarations. The macro `app!()` fills `program` in.
    ///
    /// To be called first thing in `main`: the embedded engine is a child process of the same program, and in that
    /// process this call does not return.
    #[expect(clippy::new_ret_no_self, reason = "an application exists only once it has started")]
    pub fn new(program: Program) -> AppBuilder {
        #[cfg(feature = "embedded")]
        crate::engine::run_if_asked();
        AppBuilder::new(program)
    }
}
