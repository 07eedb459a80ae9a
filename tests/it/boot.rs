//! What a start says when it can't: each time what is wrong, where, and what to do, and nothing stays behind.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::ExitStatus,
    time::{Duration, SystemTime},
};

use moose_tests::{http, process::Launch, wait::eventually};
use tempfile::TempDir;

use crate::stage::{LATE, PIPELINE};

fn directory() -> TempDir {
    TempDir::new().expect("a temporary directory")
}

fn launch(directory: &Path) -> Launch {
    Launch::new(PIPELINE, directory.join("data"))
}

/// A start that is expected to fail; answers what it said.
fn refused(launch: &Launch) -> String {
    let (status, output) = launch.run();
    assert!(!status.success(), "{output}");
    assert!(code(status) < 100, "no panic, no signal: {status}\n{output}");
    assert!(!output.contains("panicked"), "{output}");
    output
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or(i32::MAX)
}

#[track_caller]
fn says(output: &str, pieces: &[&str]) {
    for piece in pieces {
        assert!(output.contains(piece), "no `{piece}` in:\n{output}");
    }
}

#[tokio::test]
async fn a_program_comes_up_takes_an_event_and_goes_when_it_is_told_to() {
    let directory = directory();
    let mut process = launch(directory.path()).start();
    let addresses = process.addresses(LATE).await;
    let event = r#"{"id":"evt_123","userId":"user_456","timestamp":"2024-01-15T10:30:00Z","eventType":"click"}"#;
    let answer = http::post_json(&format!("http://{}/ingest/events", addresses.http), event).await;
    assert_eq!(answer.text(), r#"{"accepted":1}"#);
    let ready = http::get(&format!("http://{}/ready", addresses.management)).await;
    assert_eq!(ready.status, 200, "{}", ready.text());
    assert_eq!(http::get(&format!("http://{}/health", addresses.management)).await.status, 200);
    let engine = addresses.engine_url();
    eventually(LATE, || async {
        let id = http::sql(&engine, "SELECT id FROM events").await;
        if id == "evt_123" { Ok(()) } else { Err(id) }
    })
    .await;
    // Counted when the cursor has passed, a moment after the row can be seen.
    eventually(LATE, || async {
        let metrics = http::get(&format!("http://{}/metrics", addresses.management)).await.text();
        let inserted = metrics.contains("moose_records_inserted_total{table=\"events\"} 1");
        if inserted { Ok(()) } else { Err(metrics) }
    })
    .await;
    let metrics = http::get(&format!("http://{}/metrics", addresses.management)).await.text();
    says(
        &metrics,
        &[
            "moose_records_accepted_total{api=\"events\"} 1",
            "moose_records_rejected_total{api=\"events\",reason=\"wrong_type\"} 0",
            "moose_records_dead_lettered_total{table=\"events\",reason=\"invalid\"} 0",
            "moose_holds{table=\"events\",reason=\"unreachable\"} 0",
            "moose_batch_rows_sum{table=\"events\"} 1",
            "moose_batch_bytes_count{table=\"events\"} 1",
            "moose_insert_seconds_count{table=\"events\"} 1",
            "moose_lag_seconds{stream=\"events\",table=\"events\",partition=\"0\"} 0",
        ],
    );
    let flushed = metrics.lines().find_map(|line| {
        line.strip_prefix("moose_last_flush_timestamp_seconds{table=\"events\"} ")?.parse::<f64>().ok()
    });
    let written = fs::metadata(directory.path().join("data/addresses.json")).and_then(|file| file.modified());
    let since_start = written.expect("a time of the file").duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    assert!(flushed.is_some_and(|at| at > since_start.as_secs_f64()), "later than the start: {flushed:?}");
    process.interrupt();
    assert!(process.wait(LATE).success(), "{}", process.output());
    assert!(!directory.path().join("data/addresses.json").exists(), "a process that is gone has no addresses");
}

#[tokio::test]
async fn a_second_instance_on_the_same_directory_is_told_who_has_it() {
    let directory = directory();
    let mut first = launch(directory.path()).start();
    let addresses = first.addresses(LATE).await;
    let output = refused(&launch(directory.path()));
    says(&output, &[&first.id().to_string(), &directory.path().join("data").display().to_string()]);
    assert_eq!(http::get(&format!("http://{}/ready", addresses.management)).await.status, 200, "the first one goes on");
}

#[test]
fn a_port_in_use_is_named_with_the_key_that_changes_it() {
    let directory = directory();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    for (variable, key) in [("MOOSE_HTTP__LISTEN", "http.listen"), ("MOOSE_MANAGEMENT__LISTEN", "management.listen")] {
        says(&refused(&launch(directory.path()).environment(variable, &address)), &[&address, key, variable]);
    }
    says(
        &refused(&launch(directory.path()).environment("MOOSE_ENGINE__LISTEN", &address)),
        &[&address, "engine.listen"],
    );
}

#[test]
fn a_directory_that_can_not_be_written_is_named_with_the_key_that_changes_it() {
    let directory = directory();
    let file = directory.path().join("file");
    fs::write(&file, "not a directory").expect("a file");
    // Even the superuser can't make a directory under a file or under /proc.
    for data_dir in [file.join("data"), Path::new("/proc/moose-test").to_owned()] {
        let launch = launch(directory.path()).environment("MOOSE_DATA_DIR", &data_dir.display().to_string());
        says(&refused(&launch), &[&data_dir.display().to_string(), "MOOSE_DATA_DIR"]);
    }
}

#[test]
fn a_damaged_library_is_named() {
    let directory = directory();
    let library = directory.path().join("libchdb.so");
    fs::write(&library, vec![0x7f; 1 << 20]).expect("a file");
    let path = library.display().to_string();
    let output = refused(&launch(directory.path()).environment("MOOSE_ENGINE_LIBRARY", &path));
    says(&output, &[&path]);
    fs::remove_file(&library).expect("removed");
    let output = refused(&launch(directory.path()).environment("MOOSE_ENGINE_LIBRARY", &path));
    says(&output, &[&path, "MOOSE_ENGINE_LIBRARY"]);
}

#[test]
fn a_missing_library_without_network_is_told_with_the_ways_to_get_it() {
    let directory = directory();
    let nowhere = "http://127.0.0.1:1";
    let home = directory.path().join("home").display().to_string();
    let mut launch = launch(directory.path()).environment("HOME", &home).environment("XDG_CACHE_HOME", &home);
    for proxy in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"] {
        launch = launch.environment(proxy, nowhere);
    }
    let launch = launch
        .environment("npm_config_registry", nowhere)
        .environment("npm_config_fetch_retries", "0")
        .environment("MOOSE_ENGINE_LIBRARY", "");
    let started = std::time::Instant::now();
    says(&refused(&launch), &["MOOSE_ENGINE_LIBRARY"]);
    assert!(started.elapsed() < Duration::from_mins(1));
}

#[tokio::test]
async fn ctrl_c_ends_a_fetch_of_the_library_at_once() {
    let directory = directory();
    let home = directory.path().join("home").display().to_string();
    // Takes the request and never answers it.
    let archive = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", archive.local_addr().expect("its address"));
    let launch = launch(directory.path())
        .environment("HOME", &home)
        .environment("XDG_CACHE_HOME", &home)
        .environment("MOOSE_TEST_ENGINE_ARCHIVE", &address)
        .environment("MOOSE_ENGINE_LIBRARY", "");
    let mut process = launch.start();
    let asked = tokio::task::spawn_blocking(move || archive.accept());
    let _asked = tokio::time::timeout(LATE, asked).await.expect("it asks the archive");
    process.interrupt();
    let status = process.wait(Duration::from_secs(10));
    assert!(status.success(), "{status}\n{}", process.output());
    says(&process.output(), &["stopped before it was ready"]);
}
