//! `dev`: the whole pipeline in this process, until it is asked to stop.

use std::{net::SocketAddr, pin::pin};

use super::{
    arguments::From,
    error::CliError,
    terminal,
    welcome::{Door, Welcome, tables_of},
};
use crate::{
    app::{App, RunningApp},
    config::Config,
    declare::Program,
    shutdown,
    sync::ResumeFrom,
};

/// Runs until Ctrl-C, SIGTERM, or a part that dies for good.
pub(super) async fn dev(program: Program, config: Config, from: Option<From>) -> Result<(), CliError> {
    let mut requested = pin!(shutdown::requested());
    let mut builder = App::new(program).config(config);
    if let Some(from) = from {
        builder = builder.resume_from(match from {
            From::Earliest => ResumeFrom::Earliest,
            From::Next => ResumeFrom::Next,
        });
    }
    let starting = Box::pin(builder.start());
    let app = tokio::select! {
        biased;
        request = &mut requested => {
            request.map_err(CliError::system("listen for signals"))?;
            terminal::tell("stopped before it was ready");
            return Ok(());
        }
        app = starting => app?,
    };
    terminal::print(welcome(program, &app).as_bytes()).map_err(CliError::system("say that it is ready"))?;
    let failure = tokio::select! {
        biased;
        request = &mut requested => {
            request.map_err(CliError::system("listen for signals"))?;
            terminal::tell("\nstopping: the door closes, what was accepted is finished (Ctrl-C again: at once)");
            None
        }
        failure = app.failed() => {
            terminal::tell(&format!("error: {}", terminal::chain(&failure)));
            terminal::tell("stopping the other parts");
            Some(failure)
        }
    };
    let stopped = Box::pin(app.stop()).await;
    match failure {
        Some(failure) => return Err(failure.into()),
        None => stopped?,
    }
    terminal::tell("stopped");
    Ok(())
}

fn welcome(program: Program, app: &RunningApp) -> String {
    let config = app.config();
    let called = std::env::args().next();
    let (http, management): (SocketAddr, SocketAddr) = (app.http_address(), app.management_address());
    Welcome {
        program: (program.name, program.version),
        called: called.as_deref().unwrap_or(program.name),
        doors: Door::of(app.model()),
        tables: tables_of(app.model()),
        http,
        management,
        clickhouse: &app.engine_url(),
        database: &config.clickhouse.database,
        data_dir: &config.data_dir,
    }
    .text()
}
