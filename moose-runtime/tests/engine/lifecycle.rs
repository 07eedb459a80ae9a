//! Life and death: parents, children, ports, directories.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use moose_runtime::{
    config::{Config, EngineConfig},
    internal::engine::{Access, Engine, EngineState, SupervisorOptions},
};

use crate::client::{Host, PIPELINE, ask_at, host_program, is_alive, open, send, signal, wait_until};

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

/// Whoever had it would be sent the password with the next INSERT.
#[test]
fn nobody_can_take_the_port_while_the_engine_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::start(&directory.path().join("engine"));
    let engine = host.engine_pid();
    signal(engine, "KILL");
    let (mut tries, started) = (0, Instant::now());
    while engine_of(&host).is_none_or(|now| now == engine) || !answers(&host) {
        assert!(TcpListener::bind(host.address).is_err(), "the port was free after {tries} tries");
        assert!(started.elapsed() < Duration::from_mins(1), "it answers again");
        tries += 1;
    }
    assert!(tries > 3, "{tries} tries");
    let address = host.address;
    assert!(host.stop());
    assert!(TcpListener::bind(address).is_ok(), "it is free in the end");
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
    let options = options(&directory.path().join("engine"));
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
    let engine = Engine::start(options(&directory.path().join("engine"))).await.unwrap();
    let address = engine.address();
    let endless = b"SELECT count() FROM system.numbers";
    let mut stream = open(address, "POST", "/", &PIPELINE, endless.len());
    stream.write_all(endless).unwrap();
    let running =
        "SELECT count() FROM system.processes WHERE query LIKE '%system.numbers%' AND query NOT LIKE '%processes%'";
    wait_until("the statement runs", || ask_at(address, running) == "1");
    let started = Instant::now();
    assert!(engine.stop(Duration::from_secs(15)).await);
    assert!(started.elapsed() < STOP, "{:?}", started.elapsed());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty(), "no result is made up: {}", String::from_utf8_lossy(&answer));
}

/// An orderly stop takes no longer, whoever is connected.
const STOP: Duration = Duration::from_secs(2);

fn options(path: &Path) -> SupervisorOptions {
    let access = Access::open(path, PIPELINE[1].1).unwrap();
    let config = EngineConfig { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..Config::default().engine };
    SupervisorOptions { program: Some(host_program()), ..SupervisorOptions::new(path.to_owned(), &config, &access) }
}

#[tokio::test]
async fn all_that_clickhouse_says_is_written_down_if_that_is_wanted() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("engine").join("clickhouse.log");
    let without = options(&directory.path().join("engine"));
    for wanted in [false, true] {
        let engine = Engine::start(SupervisorOptions { log: wanted, ..without.clone() }).await.unwrap();
        ask_at(engine.address(), "SELECT 'written down'");
        assert!(engine.stop(Duration::from_secs(10)).await);
        let said = fs::read_to_string(&log).unwrap_or_default();
        assert_eq!(said.contains("written down"), wanted, "{said}");
    }
}

#[test]
fn clients_do_not_keep_an_engine_that_is_told_to_end() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::start(&directory.path().join("engine"));
    ask_at(host.address, "CREATE TABLE cut (a UInt64) ENGINE = MergeTree ORDER BY a");
    let pid = host.engine_pid();
    let request = |target: &str, length: usize, body: &str| {
        let mut stream = TcpStream::connect(host.address).unwrap();
        let head = format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n");
        let [user, password] = PIPELINE.map(|(name, value)| format!("{name}: {value}\r\n"));
        stream.write_all(format!("{head}{user}{password}\r\n{body}").as_bytes()).unwrap();
        stream
    };
    // Connections on which nothing happens, before and after a statement; half an INSERT; a result that nobody reads.
    let mut kept: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(host.address).unwrap()).collect();
    for _ in 0..5 {
        let mut stream = request("/", 8, "SELECT 1");
        assert!(stream.read(&mut [0; 1000]).unwrap() > 0);
        kept.push(stream);
    }
    kept.push(request("/?query=INSERT+INTO+cut+FORMAT+TSV", 4, "1\n"));
    let endless = "SELECT number FROM system.numbers";
    kept.push(request("/", endless.len(), endless));
    thread::sleep(Duration::from_millis(200));
    let path = host.path.clone();
    let started = Instant::now();
    assert!(host.stop());
    assert!(started.elapsed() < STOP, "{:?}", started.elapsed());
    assert!(!is_alive(pid));
    drop(kept);
    let next = Host::start(&path);
    assert_eq!(ask_at(next.address, "SELECT count() FROM cut"), "0");
    assert!(next.stop());
}

#[test]
fn an_engine_whose_parent_is_killed_is_gone_within_a_second_whoever_is_connected() {
    let directory = tempfile::tempdir().unwrap();
    let mut host = Host::start(&directory.path().join("engine"));
    let engine = host.engine_pid();
    let endless = b"SELECT number FROM system.numbers";
    let mut reader = open(host.address, "POST", "/", &PIPELINE, endless.len());
    reader.write_all(endless).unwrap();
    thread::sleep(Duration::from_millis(200));
    let started = Instant::now();
    host.process.kill().unwrap();
    host.process.wait().unwrap();
    while is_alive(engine) {
        assert!(started.elapsed() < Duration::from_secs(1), "still there");
        thread::sleep(Duration::from_millis(5));
    }
    let started = Instant::now();
    assert!(Host::start(&host.path).stop());
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn what_prevents_a_start_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let said = Host::try_start(&file.join("engine")).err().unwrap();
    assert!(said.contains("could not keep the engine's passwords in "), "{said}");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let path = directory.path().join("engine");
    let arguments = ["engine", "--supervised", "--path", path.to_str().unwrap(), "--listen", &address];
    let mut child = Command::new(host_program());
    child.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    // Its end would be the end of the engine.
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"{\"users\":\"<clickhouse/>\",\"log\":false,\"has_port\":false}\n").unwrap();
    let output = child.wait_with_output().unwrap();
    drop(input);
    let (said, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(said.starts_with("moose-engine failed could not listen on "), "{said}");
    assert!(error.contains(&address) && error.contains("engine.listen"), "{error}");
}
