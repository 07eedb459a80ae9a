//! Life and death: parents, children, ports, directories.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use moose_runtime::engine::{Engine, EngineState, SupervisorOptions};

use crate::client::{Host, ask_at, host_program, is_alive, send, signal, wait_until};

fn answers(host: &Host) -> bool {
    std::panic::catch_unwind(|| send(host.address, "GET", "/ping", &[], b"").status == 200).unwrap_or(false)
}

fn engine_of(host: &Host) -> Option<u32> {
    fs::read_to_string(host.path.join("moose-engine.lock")).ok()?.trim().parse().ok()
}

#[test]
fn an_engine_ends_with_its_parent_and_the_next_start_waits_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("engine");
    let mut host = Host::start(&path);
    ask_at(host.address, "CREATE TABLE kept (a UInt8) ENGINE = MergeTree ORDER BY a");
    ask_at(host.address, "INSERT INTO kept VALUES (1)");
    let engine = host.engine_pid();
    assert!(is_alive(engine) && engine != host.process.id());
    host.process.kill().unwrap();
    host.process.wait().unwrap();
    // At once, while the orphan may still hold the directory.
    let next = Host::start(&path);
    assert_eq!(ask_at(next.address, "SELECT count() FROM kept"), "1");
    wait_until("the orphan is gone", || !is_alive(engine));
    let engine = next.engine_pid();
    assert!(next.stop(), "an engine that is told to end ends in order");
    assert!(!is_alive(engine));
}

#[test]
fn an_engine_that_dies_is_started_again_on_the_same_port() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::start(&directory.path().join("engine"));
    ask_at(host.address, "CREATE TABLE kept (a UInt8) ENGINE = MergeTree ORDER BY a");
    for round in 1..4 {
        let engine = host.engine_pid();
        ask_at(host.address, "INSERT INTO kept VALUES (1)");
        signal(engine, "KILL");
        wait_until("another engine has taken over", || engine_of(&host).is_some_and(|now| now != engine));
        wait_until("it answers", || answers(&host));
        assert_eq!(ask_at(host.address, "SELECT count() FROM kept"), round.to_string());
    }
    // Signals of the terminal are not for it.
    let engine = host.engine_pid();
    signal(engine, "INT");
    signal(engine, "HUP");
    assert!(answers(&host) && is_alive(engine));
    assert!(host.stop());
}

#[test]
fn an_engine_alone_ends_in_order_on_a_signal_and_holds_its_directory() {
    let directory = tempfile::tempdir().unwrap();
    let start = || {
        let mut command = Command::new(host_program());
        command.arg("engine").arg(directory.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    for name in ["TERM", "INT"] {
        let mut first = start().spawn().unwrap();
        let lock = directory.path().join("moose-engine.lock");
        let pid = first.id().to_string();
        wait_until("the engine is open", || fs::read_to_string(&lock).is_ok_and(|holder| holder.trim() == pid));
        wait_until("the engine has its database", || directory.path().join("metadata").join("moose.sql").exists());
        let second = start().output().unwrap();
        let said = String::from_utf8_lossy(&second.stderr).into_owned();
        assert!(!second.status.success());
        assert!(said.contains("is in use by process ") && said.contains("stop that first"), "{said}");
        signal(first.id(), name);
        assert!(first.wait().unwrap().success(), "after SIG{name}");
    }
}

#[tokio::test]
async fn a_restart_on_request_keeps_address_and_data() {
    let directory = tempfile::tempdir().unwrap();
    let options = SupervisorOptions {
        program: Some(host_program()),
        path: directory.path().join("engine"),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
    };
    let engine = Engine::start(options.clone()).await.unwrap();
    let address = engine.address();
    assert_eq!(engine.url(), format!("http://{address}"));
    let pid = || fs::read_to_string(options.path.join("moose-engine.lock")).unwrap();
    ask_at(address, "CREATE TABLE kept (a UInt8) ENGINE = MergeTree ORDER BY a");
    ask_at(address, "INSERT INTO kept VALUES (1)");
    for _ in 0..3 {
        let before = pid();
        engine.restart().await.unwrap();
        assert_ne!(pid(), before);
        assert_eq!(*engine.state().borrow(), EngineState::Ready(address));
        assert_eq!(ask_at(address, "SELECT count() FROM kept"), "1");
    }
    let mut state = engine.state();
    assert!(engine.stop(Duration::from_secs(10)).await);
    assert!(state.wait_for(|state| matches!(state, EngineState::Ended(_))).await.is_ok());
}

#[tokio::test]
async fn a_stop_ends_a_statement_that_would_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let path = directory.path().join("engine");
    let engine = Engine::start(SupervisorOptions { program: Some(host_program()), path, listen }).await.unwrap();
    let address = engine.address();
    let endless = thread::spawn(move || send(address, "POST", "/", &[], b"SELECT count() FROM system.numbers"));
    let running =
        "SELECT count() FROM system.processes WHERE query LIKE '%system.numbers%' AND query NOT LIKE '%processes%'";
    wait_until("the statement runs", || ask_at(address, running) == "1");
    assert!(engine.stop(Duration::from_secs(15)).await);
    assert_eq!(endless.join().unwrap().header("x-clickhouse-exception-code"), Some("394"));
}

#[test]
fn what_prevents_a_start_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let said = Host::try_start(&file.join("engine")).err().unwrap();
    assert!(said.contains("could not prepare the engine's data directory"), "{said}");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let path = directory.path().join("engine");
    let arguments = ["engine", "--supervised", "--path", path.to_str().unwrap(), "--listen", &address];
    let output = Command::new(host_program()).args(arguments).stdin(Stdio::piped()).output().unwrap();
    let (said, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(said.starts_with("moose-engine failed could not listen on "), "{said}");
    assert!(error.contains(&address) && error.contains("engine.listen"), "{error}");
}
