//! What the machine gives and what it keeps from others: open files, the time of a stop, and whose files ours are.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use moose_runtime::internal::engine;
use moose_tests::{
    http,
    pipelines::NUMBERS,
    process::{Launch, Process, cpu_time},
    random::Random,
    wait::eventually,
};
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, task::JoinSet, time::timeout};

use crate::stage::{LATE, PIPELINE, SOON, Stage, numbers, post_numbers};

/// The pipeline, after `commands` of a shell.
fn launch_after(commands: &str, directory: &Path) -> Launch {
    Launch::new("sh", directory.join("data")).argument("-c").argument(&format!("{commands}; exec {PIPELINE} dev"))
}

fn directory() -> TempDir {
    TempDir::new().expect("a temporary directory")
}

/// A client with one connection, which it keeps.
struct Kept {
    sender: http1::SendRequest<Full<Bytes>>,
}

impl Kept {
    async fn to(address: std::net::SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("a connection");
        tokio::spawn(connection);
        Self { sender }
    }

    /// Posts events; answers status and text.
    async fn post(&mut self, body: String) -> (u16, String) {
        let request = Request::post("/ingest/events").header("host", "door").body(Full::new(Bytes::from(body)));
        self.sender.ready().await.expect("an open connection");
        let answer = self.sender.send_request(request.expect("a request")).await.expect("an answer");
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.expect("a whole answer").to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    }
}

/// Events of 10 KB that do not pack.
fn events(random: &mut Random, first: u64, count: u64) -> String {
    let event = |id: u64| {
        let user = (0..640).fold(String::new(), |text, _| format!("{text}{:016x}", random.below(u64::MAX)));
        format!(r#"{{"id":"{id}","userId":"{user}","timestamp":"2024-01-15T10:30:00Z","eventType":"e"}}"#)
    };
    let events: Vec<String> = (first..first + count).map(event).collect();
    format!("[{}]", events.join(","))
}

fn open_files(process: &Process) -> usize {
    fs::read_dir(format!("/proc/{}/fd", process.id())).expect("a running process").count()
}

#[tokio::test]
async fn idle_clients_of_all_ports_leave_the_log_its_files() {
    const REQUESTS: u64 = 40;
    let (stage, directory) = (Stage::new().await, directory());
    // A server of its own: the embedded engine would need more files.
    let mut process = launch_after("ulimit -n 256", directory.path())
        .environment("MOOSE_CLICKHOUSE__URL", &stage.engine.url())
        .environment("MOOSE_CLICKHOUSE__DATABASE", &stage.database)
        .start();
    let addresses = process.addresses(LATE).await;
    let mut kept = Kept::to(addresses.http).await;
    let random = &mut Random::with_seed(7);
    assert_eq!(kept.post(events(random, 0, 1)).await.0, 200);

    // Those that the system's queue has no room for go on trying.
    let mut idle = JoinSet::new();
    for number in 0..300 {
        idle.spawn(async move {
            let mut slow = TcpStream::connect(addresses.http).await.expect("a connection");
            if number % 2 == 0 {
                let head = b"POST /ingest/events HTTP/1.1\r\nhost: door\r\ncontent-length: 1000000\r\n\r\n[";
                slow.write_all(head).await.expect("sent");
            }
            std::future::pending::<()>().await;
        });
        idle.spawn(async move {
            let _held = TcpStream::connect(addresses.management).await.expect("a connection");
            std::future::pending::<()>().await;
        });
    }
    eventually(LATE, || async {
        let open = open_files(&process);
        if open > 120 { Ok(()) } else { Err(format!("{open} files are open")) }
    })
    .await;
    // More than the memory of a segment: its tables are written meanwhile, for which files are opened.
    for request in 0..REQUESTS {
        let (status, text) = kept.post(events(random, 1 + request * 100, 100)).await;
        assert_eq!(status, 200, "request {request}: {text}\n{}", process.output());
        assert!(open_files(&process) < 256 - 20, "{} files are open", open_files(&process));
    }
    drop(idle);
    let asked = Instant::now();
    let answer = http::post_json(&format!("http://{}/ingest/events", addresses.http), events(random, 9999, 1)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    stage.shows("SELECT count() FROM events", &(REQUESTS * 100 + 2).to_string(), LATE).await;
    let ready = http::get(&format!("http://{}/ready", addresses.management)).await;
    assert_eq!(ready.status, 200, "{}", ready.text());
    let output = process.output();
    assert!(output.contains("http.max_connections") && output.contains("256 files"), "{output}");
    process.interrupt();
    assert!(process.wait(LATE).success(), "{}", process.output());
}

#[tokio::test]
async fn the_limit_of_open_files_is_raised_and_too_low_a_one_is_told() {
    let limit = |process: u32| {
        let limits = fs::read_to_string(format!("/proc/{process}/limits")).expect("a running process");
        let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("the limit").to_owned();
        line.split_whitespace().skip(3).take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    let directory = directory();
    let mut process = launch_after("ulimit -S -n 300; ulimit -H -n 2000", directory.path()).start();
    process.addresses(LATE).await;
    assert_eq!(limit(process.id()), ["2000", "2000"]);
    for child in process.children() {
        assert_eq!(limit(child), ["2000", "2000"], "the engine opens files too");
    }
    assert!(!process.output().contains("max_connections"), "there are enough:\n{}", process.output());
    drop(process);

    let server = [("MOOSE_CLICKHOUSE__URL", "http://127.0.0.1:1")];
    for (limit, with, least) in [(100, &server[..], "144"), (1000, &[][..], "1024")] {
        let launch = launch_after(&format!("ulimit -n {limit}"), directory.path());
        let launch = with.iter().fold(launch, |launch, (name, value)| launch.environment(name, value));
        let (status, output) = launch.run();
        assert!(!status.success(), "{output}");
        for piece in [&format!("{limit} files"), least, "ulimit", "LimitNOFILE"] {
            assert!(output.contains(piece), "no `{piece}` in:\n{output}");
        }
    }
}

#[tokio::test]
async fn accepting_goes_on_when_files_are_free_again() {
    let directory = directory();
    let mut process = Launch::new(PIPELINE, directory.path().join("data")).start();
    let addresses = process.addresses(LATE).await;
    let id = process.id().to_string();
    let files = |limit: &str| {
        let done = Command::new("prlimit").args(["--pid", &id, &format!("--nofile={limit}:")]).status();
        assert!(done.is_ok_and(|status| status.success()), "prlimit sets the limit");
    };
    files("3");
    let urls = [format!("http://{}/", addresses.http), format!("http://{}/health", addresses.management)];
    let asking: Vec<_> = urls.map(|url| tokio::spawn(async move { http::get(&url).await.status })).into();
    let before = cpu_time(process.id());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(asking.iter().all(|asking| !asking.is_finished()), "no file can be opened");
    let spent = cpu_time(process.id()).saturating_sub(before);
    assert!(spent < Duration::from_millis(700), "{spent:?} of two seconds");
    files("1000");
    for (asking, status) in asking.into_iter().zip([404, 200]) {
        assert_eq!(timeout(SOON, asking).await.expect("in time").expect("an answer"), status);
    }
    let complaints = process.output().matches("connections can't be accepted").count();
    assert!((1..=2).contains(&complaints), "once for each port:\n{}", process.output());
}

/// What others may read or more, below and with `path`.
fn open_to_others(path: &Path) -> Vec<PathBuf> {
    // The engine's files come and go meanwhile.
    let Ok(found) = fs::symlink_metadata(path) else { return Vec::new() };
    let mut open = Vec::new();
    if !found.is_symlink() && found.mode() & 0o077 != 0 {
        open.push(path.to_owned());
    }
    if found.is_dir() {
        open.extend(fs::read_dir(path).into_iter().flatten().flatten().flat_map(|entry| open_to_others(&entry.path())));
    }
    open
}

#[tokio::test]
async fn the_data_directory_is_the_users_alone_and_an_older_one_becomes_it() {
    let directory = directory();
    let data = directory.path().join("data");
    for round in 0..2 {
        let mut process = launch_after("umask 022", directory.path()).start();
        let addresses = process.addresses(LATE).await;
        let event = format!(r#"{{"id":"{round}","userId":"u","timestamp":"2024-01-15T10:30:00Z","eventType":"e"}}"#);
        assert_eq!(http::post_json(&format!("http://{}/ingest/events", addresses.http), event).await.status, 200);
        let engine = addresses.engine_url();
        eventually(LATE, || async {
            let rows = http::sql(&engine, "SELECT count() FROM events").await;
            if rows == (round + 1).to_string() { Ok(()) } else { Err(rows) }
        })
        .await;
        assert_eq!(open_to_others(&data), Vec::<PathBuf>::new(), "round {round}");
        process.interrupt();
        assert!(process.wait(LATE).success(), "{}", process.output());
        assert_eq!(open_to_others(&data), Vec::<PathBuf>::new(), "round {round}, stopped");
        // As an older build left it, with a link to somebody else's.
        let opened = Command::new("chmod").args(["-R", "a+rX"]).arg(&data).status();
        assert!(opened.is_ok_and(|status| status.success()) && !open_to_others(&data).is_empty());
        let other = directory.path().join("other");
        fs::write(&other, "x").expect("a file");
        fs::set_permissions(&other, fs::Permissions::from_mode(0o644)).expect("its rights");
        let _ = symlink(&other, data.join("stream/other"));
    }
    // A command opens the streams too.
    let check = Launch::new("sh", &data).argument("-c").argument(&format!("umask 022; exec {PIPELINE} check --counts"));
    let (status, output) = check.run();
    assert!(status.success(), "{output}");
    assert_eq!(open_to_others(&data), Vec::<PathBuf>::new(), "after a command");
    let other = fs::metadata(directory.path().join("other")).expect("the file");
    assert_eq!(other.mode() & 0o777, 0o644, "a link was followed");
}

#[tokio::test]
async fn a_stalled_client_costs_a_stop_a_third_and_the_tables_keep_theirs() {
    let stage = Stage::new().await;
    let mut config = stage.config();
    config.shutdown.deadline = Duration::from_secs(15);
    // Its range stays open until the stop.
    config.sync.max_delay = Duration::from_mins(5);
    let app = stage.start_with(&[&NUMBERS], config).await;
    let mut stalled = TcpStream::connect(app.http_address()).await.expect("a connection");
    let head = b"POST /ingest/numbers HTTP/1.1\r\nhost: door\r\ncontent-length: 100\r\n\r\n[";
    stalled.write_all(head).await.expect("sent");
    let mut unread = TcpStream::connect(app.management_address()).await.expect("a connection");
    unread.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{").await.expect("sent");
    post_numbers(&app, 0..10).await;
    let begun = Instant::now();
    app.stop().await.expect("an orderly stop");
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(5 + 3), "a third, and the time of the rest: {took:?}");
    assert_eq!(stage.sql("SELECT count() FROM numbers").await, "10", "what was accepted is in the table");
}

#[tokio::test]
async fn a_library_that_is_named_needs_no_home() {
    let library = tokio::task::spawn_blocking(engine::locate).await.expect("looked").expect("a library");
    let directory = directory();
    let mut process = Launch::new(PIPELINE, directory.path().join("data"))
        .environment("MOOSE_ENGINE_LIBRARY", &library.display().to_string())
        .environment("HOME", "")
        .environment("XDG_CACHE_HOME", "")
        .start();
    process.addresses(LATE).await;
}

/// Standard error is a pipe whose reader has gone, as under a supervisor that was restarted.
#[tokio::test]
async fn a_log_that_nobody_reads_ends_nobody() {
    let stage = Stage::new().await;
    let launch = Launch::new(PIPELINE, stage.data_dir())
        .environment("MOOSE_CLICKHOUSE__URL", &stage.engine.url())
        .environment("MOOSE_CLICKHOUSE__DATABASE", &stage.database);
    let mut command = launch.command();
    let mut pipeline = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let file = stage.data_dir().join("addresses.json");
    let door = eventually(LATE, || async {
        let addresses = fs::read(&file).map_err(|error| error.to_string())?;
        let addresses: serde_json::Value = serde_json::from_slice(&addresses).map_err(|error| error.to_string())?;
        addresses["http"].as_str().map(str::to_owned).ok_or_else(|| addresses.to_string())
    })
    .await;
    drop(pipeline.stderr.take());
    let url = format!("http://{door}/ingest/numbers");
    // Each flush is a line of the log.
    for (ids, rows) in [(0..10, "10"), (10..20, "20"), (20..30, "30")] {
        let answer = http::post(&url, "application/x-ndjson", numbers(ids)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        stage.shows("SELECT count() FROM numbers", rows, LATE).await;
    }
    pipeline.kill().expect("it still runs");
    pipeline.wait().expect("a killed process ends");
}
