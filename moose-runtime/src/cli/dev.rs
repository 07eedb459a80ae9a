//! `dev`: runs the whole pipeline in this process until it is asked to stop.

use std::net::SocketAddr;

use super::{
    arguments::From,
    error::CliError,
    serve::serve,
    terminal,
    welcome::{Door, Welcome, tables_of},
};
use crate::{
    app::{App, Migrating, RunningApp},
    config::Config,
    declare::Program,
};

/// Runs until Ctrl-C, SIGTERM, or a component ends for good.
pub(super) async fn dev(program: Program, config: Config, from: Option<From>) -> Result<(), CliError> {
    let mut builder = App::new(program).config(config).migrating(Migrating::Develop { confirm: terminal::confirm });
    if let Some(from) = from {
        builder = builder.resume_from(from.into());
    }
    serve(builder, |app| {
        terminal::print(welcome(program, app).as_bytes()).map_err(CliError::system("say that it is ready"))
    })
    .await
}

fn welcome(program: Program, app: &RunningApp) -> String {
    let config = app.config();
    let called = std::env::args().next();
    let (http, management): (SocketAddr, SocketAddr) = (app.http_address(), app.management_address());
    Welcome {
        program: (program.name, program.version),
        called: called.as_deref().unwrap_or(program.name),
        doors: Door::of(app.topology()),
        tables: tables_of(app.topology()),
        http,
        management,
        clickhouse: &app.engine_url(),
        users: users(app),
        database: &config.clickhouse.database,
        data_dir: &config.data_dir,
    }
    .text()
}

#[cfg(feature = "embedded")]
fn users(app: &RunningApp) -> Option<[(&str, &str); 2]> {
    use crate::engine::{PIPELINE_USER, READING_USER};
    let access = app.engine_access()?;
    Some([(PIPELINE_USER, access.moose.as_str()), (READING_USER, access.readonly.as_str())])
}

#[cfg(not(feature = "embedded"))]
fn users(_: &RunningApp) -> Option<[(&str, &str); 2]> {
    None
}
