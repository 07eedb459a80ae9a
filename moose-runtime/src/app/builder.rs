//! The builder of an application: declarations, configuration and options, before it starts.

use std::path::PathBuf;

use super::Migrating;
use crate::{
    config::Config,
    declare::{Program, Resource},
    sync::ResumeFrom,
};

/// Builds an application.
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

    /// Uses this configuration instead of the one from file and environment.
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

    /// Runs this program as the embedded engine's process instead of the current one: for programs that do not begin
    /// with `run!()` or `app!()`, such as test binaries.
    #[must_use]
    pub fn engine_program(mut self, program: impl Into<PathBuf>) -> Self {
        self.engine_program = Some(program.into());
        self
    }

    /// Where to resume for tables that were dropped or replaced since they were last synced; without it their workers
    /// hold.
    #[must_use]
    pub fn resume_from(mut self, resume: ResumeFrom) -> Self {
        self.resume = Some(resume);
        self
    }

    /// Whether the start fails if a table can't be written exactly once; without it, that is only reported.
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
