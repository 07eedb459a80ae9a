//! The commands of the generated binary.
//!
//! Results go to standard output, everything else to standard error. Every command ends with one of the exit codes of
//! `app/error.rs`. Every error message begins with `error: ` and ends with its causes.

mod addresses;
mod arguments;
mod check;
mod dead_letters;
mod dev;
mod error;
mod ls;
mod management;
mod migrate;
mod query;
mod readers;
mod run;
mod sample;
mod serve;
mod server;
mod terminal;
mod welcome;

use std::process::ExitCode;

use arguments::{Command, Invocation};
use error::CliError;

#[cfg(feature = "embedded")]
use crate::app::engine_path;
use crate::{app::exit_code, config::Config, declare::Program, machine::private};

/// Runs the command line of the process: what `moose_runtime::run!()` calls.
pub fn main(program: Program) -> ExitCode {
    // Before the configuration is read: the engine of a running application gets everything as arguments.
    #[cfg(feature = "embedded")]
    crate::engine::run_if_asked();
    let invocation = match arguments::parse(program.name, program.version, std::env::args_os()) {
        Ok(invocation) => invocation,
        Err(error) => {
            // Help goes to standard output and errors to standard error; if that is closed, there is nobody to tell.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    run(program, invocation).unwrap_or_else(|error| {
        terminal::tell(&format!("error: {}", terminal::chain(&error)));
        ExitCode::from(error.exit_code())
    })
}

fn run(program: Program, invocation: Invocation) -> Result<ExitCode, CliError> {
    let Invocation { command, file, flags } = invocation;
    let config = Config::load(program.name, file, flags)?;
    // For commands that write into the data directory; `migrate` writes into the package, which others may read too.
    if !matches!(command, Command::Migrate { .. }) {
        private::by_default();
    }
    let done = match command {
        Command::Dev { from } => {
            terminal::start_logging();
            wait_for(dev::dev(program, config, from))
        }
        Command::Run { from, allowed } => {
            terminal::start_logging();
            wait_for(run::run(program, config, from, allowed))
        }
        Command::Check { counts, json } => {
            let found = wait_for(async {
                if counts { check::counts(&config, json).await } else { check::check(program, &config, json).await }
            })?;
            return Ok(match found {
                check::Found::Good => ExitCode::SUCCESS,
                check::Found::Wrong => ExitCode::from(exit_code::FAILURE),
                check::Found::Pending => ExitCode::from(exit_code::PENDING),
            });
        }
        Command::Migrate { what, json } => {
            terminal::start_logging();
            let clean = wait_for(migrate::migrate(program, &config, what, json))?;
            return Ok(if clean { ExitCode::SUCCESS } else { ExitCode::from(exit_code::PENDING) });
        }
        Command::Ls { json } => wait_for(ls::ls(&config, json)),
        Command::DeadLetters { letters, json } => {
            return wait_for(dead_letters::dead_letters(&config, letters, json));
        }
        Command::Readers { what, json } => return wait_for(readers::readers(&config, what, json)),
        Command::Query { sql, json } => wait_for(query::query(&config, &sql, json)),
        #[cfg(feature = "embedded")]
        Command::Engine { path, listen, supervised } => {
            if path.is_none() {
                private::data_directory(&config.data_dir).map_err(CliError::system("use the data directory"))?;
            }
            let path = path.unwrap_or_else(|| engine_path(&config));
            let listen = listen.unwrap_or(config.engine.listen);
            let under = if supervised {
                crate::engine::Under::Parent
            } else {
                crate::engine::Under::Nobody { password: config.engine.password.clone(), log: config.engine.log }
            };
            return Ok(crate::engine::main(&crate::engine::EngineOptions { path, listen, under }));
        }
    };
    done.map(|()| ExitCode::SUCCESS)
}

fn wait_for<T>(command: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CliError::system("start the threads of the process"))?;
    let done = runtime.block_on(command);
    // Everything has been stopped in order; a download of the engine's library would otherwise be waited for.
    runtime.shutdown_background();
    done
}
