//! The embedded ClickHouse: ClickHouse's own server, out of a library, in a child process.
//!
//! To the rest of the pipeline it is a ClickHouse server at an address ([`Engine::address`]); a crash of it is an
//! outage of that server. [`Engine`] is the parent's side; [`main`] and [`run_if_asked`] are the child's.

mod access;
mod child;
mod config;
mod connections;
mod ending;
mod error;
mod ffi;
mod library;
mod lock;
mod log;
mod mend;
mod process;
mod report;
mod supervisor;
mod users;

pub use self::{
    access::{ACCESS_FILE, Access, AccessError, DATABASE, PIPELINE_USER, READING_USER},
    child::{EngineOptions, Under, main, run_if_asked},
    error::{EngineError, OpenError},
    library::{Attempt, LIBRARY_VARIABLE, LibraryError, locate},
    supervisor::{Engine, EngineState, SupervisorOptions},
    users::Users,
};
