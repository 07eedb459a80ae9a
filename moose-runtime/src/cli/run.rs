//! `run`: the pipeline in production. Like `dev`, but unsafe options are refused unless each is allowed by name, and
//! nothing but log lines is printed.

use super::{
    arguments::{Allowed, From},
    error::CliError,
    serve::serve,
};
use crate::{
    app::{App, Migrating},
    config::Config,
    declare::Program,
};

/// Runs until Ctrl-C, SIGTERM, or a component ends for good.
pub(super) async fn run(
    program: Program,
    config: Config,
    from: Option<From>,
    allowed: Allowed,
) -> Result<(), CliError> {
    if !allowed.anonymous {
        return Err(CliError::Anonymous { listen: config.http.listen });
    }
    let mut builder = App::new(program).config(config).refuse_unsafe_tables(!allowed.unsafe_tables);
    builder = builder.migrating(if allowed.migrate { Migrating::Apply } else { Migrating::Refuse });
    if let Some(from) = from {
        builder = builder.resume_from(from.into());
    }
    serve(builder, |app| {
        let (http, management) = (app.http_address(), app.management_address());
        tracing::info!(%http, %management, clickhouse = app.engine_url(), version = program.version, "ready");
        Ok(())
    })
    .await
}
