//! The builder of an application: declarations, configuration and options, before it starts.

use std::path::PathBuf;

use super::Migrating;
use crate::{
    config::Config,
    declare::{Program, Resource},
    sync::ResumeFrom,
};

/// What an application is to be.
#[derive(Clone, Debug)]
pub struct AppBuilder {
    pub(super) program: Program,
    pub(super) config: Option<Config>,
    pub(super) resources: Option<Vec<&'static dyn Resource>>,
    pub(super) engine_program: Option<PathBuf>,
    pub(super) resume: Option<ResumeFrom>,
    pub(super) refuse_unsafe: bool,
    pub(super) migrating: Migrating,
}

impl AppBuilder {
    pub(super) fn new(program: Program) -> Self {
        Self {
            program,
            config: None,
            resources: None,
            engine_program: None,
            resume: None,
            refuse_unsafe: false,
            migrating: Migrating::default(),
        }
    }

    /// Runs on this configuration instead of the one from file and environment.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = Some(config);
        self
    }

    /// Runs these resources instead of all that are linked.
    #[must_use]
    pub fn resources(mut self, resources: &[&'static dyn Resource]) -> Self {
        self.resources = Some(resources.to_vec());
        self
    }

    /// Starts the embedded engine out of this program instead of the running one: for programs that do not begin with
    /// `run!()` or `app!()`, such as test binaries.
    #[must_use]
    pub fn engine_program(mut self, program: impl Into<PathBuf>) -> Self {
        self.engine_program = Some(program.into());
        self
    }

    /// What to do about tables that were dropped or replaced since they were synced last; without it their workers hold.
    #[must_use]
    pub fn resume_from(mut self, resume: ResumeFrom) -> Self {
        self.resume = Some(resume);
        self
    }

    /// Whether a table that can't be written exactly once ends the start; without it, that is only said.
    #[must_use]
    pub fn refuse_unsafe_tables(mut self, refuse: bool) -> Self {
        self.refuse_unsafe = refuse;
        self
    }

    /// What to do about migrations. Without it, as in `dev` with nobody to ask: missing tables are created, and changes that
    /// take no values away are applied.
    #[must_use]
    pub fn migrating(mut self, migrating: Migrating) -> Self {
        self.migrating = migrating;
        self
    }
}
