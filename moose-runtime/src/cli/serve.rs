//! Runs a pipeline in this process from its start until it is asked to stop: the common part of `dev` and `run`.

use std::pin::pin;

use super::{error::CliError, terminal};
use crate::{
    app::{AppBuilder, RunningApp},
    shutdown,
};

/// Starts, announces, and runs until Ctrl-C, SIGTERM, or a component ends for good.
pub(super) async fn serve(
    builder: AppBuilder,
    announce: impl FnOnce(&RunningApp) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut requested = pin!(shutdown::requested());
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
    announce(&app)?;
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
