//! A program with an engine in it, for the tests of the engine: `engine …` is the engine, as in every pipeline's
//! binary; `host <path>` starts one, prints its address, and waits until its standard input ends; `plain <path>` does so
//! with users of its own, as any server has them.

use std::{
    env,
    io::{self, Read as _, Write as _},
    net::SocketAddr,
    path::Path,
    process::ExitCode,
    time::Duration,
};

use moose_runtime::{
    config::{Config, EngineConfig},
    internal::engine::{self, Access, Engine, EngineOptions, SupervisorOptions, Under, Users},
};

/// Of the pipeline's user.
const PASSWORD: &str = "password-of-the-tests";

/// Whoever comes may do everything.
const PLAIN: &str = "<clickhouse><profiles><default/></profiles><users><default><password/><networks><ip>127.0.0.1</ip>\
    </networks><profile>default</profile><quota>default</quota></default></users><quotas><default/></quotas></clickhouse>";

fn main() -> ExitCode {
    engine::run_if_asked();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    match *arguments.as_slice() {
        ["engine", path] => {
            let under = Under::Nobody { password: PASSWORD.to_owned(), log: false };
            engine::main(&EngineOptions { path: path.into(), listen, under })
        }
        ["plain", path] => {
            let users = Users::custom(PLAIN);
            host(&SupervisorOptions { program: None, path: path.into(), listen, users, log: false })
        }
        ["host", path] => {
            let config = EngineConfig { listen, password: PASSWORD.to_owned(), ..Config::default().engine };
            match Access::open(Path::new(path), PASSWORD) {
                Ok(access) => host(&SupervisorOptions::new(path.into(), &config, &access)),
                Err(error) => fail(&error.to_string()),
            }
        }
        ["locate"] => match engine::locate() {
            Ok(path) => say(&path.display().to_string()),
            Err(error) => fail(&error.to_string()),
        },
        _ => fail("usage: engine_host engine <path> | host <path> | plain <path> | locate"),
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
