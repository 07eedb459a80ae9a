//! The embedded ClickHouse: a library in a child process with ClickHouse's HTTP interface.
//!
//! To the rest of the pipeline it is a ClickHouse server at an address ([`Engine::address`]); a crash of it is an
//! outage of that server. [`Engine`] is the parent's side; [`main`] and [`run_if_asked`] are the child's.

mod child;
mod error;
mod exception;
mod ffi;
mod library;
mod mend;
mod server;
mod sql;
mod supervisor;

pub use self::{
    child::{EngineOptions, main, run_if_asked},
    error::{EngineError, OpenError},
    library::{Attempt, LIBRARY_VARIABLE, LibraryError, locate},
    supervisor::{Engine, EngineState, SupervisorOptions},
};
