//! A program with an engine in it, for the tests of the engine: `engine …` is the engine, as in every pipeline's
//! binary; `host <path>` starts one, prints its address, and waits until its standard input ends.

use std::{
    env,
    io::{self, Read as _, Write as _},
    net::SocketAddr,
    process::ExitCode,
    time::Duration,
};

use moose_runtime::engine::{self, Engine, EngineOptions, SupervisorOptions};

fn main() -> ExitCode {
    engine::run_if_asked();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    match *arguments.as_slice() {
        ["engine", path] => engine::main(&EngineOptions { path: path.into(), listen, supervised: false }),
        ["host", path] => host(&SupervisorOptions { program: None, path: path.into(), listen }),
        ["locate"] => match engine::locate() {
            Ok(path) => say(&path.display().to_string()),
            Err(error) => fail(&error.to_string()),
        },
        _ => fail("usage: engine_host engine <path> | host <path> | locate"),
    }
}

fn host(options: &SupervisorOptions) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.to_string()),
    };
    runtime.block_on(async {
        match Engine::start(options.clone()).await {
            Ok(engine) => {
                say(&engine.address().to_string());
                let _ = tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await;
                if engine.stop(Duration::from_secs(10)).await { ExitCode::SUCCESS } else { ExitCode::FAILURE }
            }
            Err(error) => fail(&error.to_string()),
        }
    })
}

fn say(line: &str) -> ExitCode {
    let _ = writeln!(io::stdout(), "{line}");
    ExitCode::SUCCESS
}

fn fail(line: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "{line}");
    ExitCode::FAILURE
}
