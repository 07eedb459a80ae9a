//! Results larger than memory should hold, and results that fail on the way.

use std::{fs, io::Read as _, net::Shutdown};

use crate::client::{Response, SHARED, ask, encode, open, post, read, wait_until};

/// Anonymous memory of the engine's process, in MiB.
fn memory() -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", SHARED.engine_pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

fn running(mark: &str) -> String {
    ask(&format!("SELECT count() FROM system.processes WHERE query LIKE '%{mark}%' AND query NOT LIKE '%processes%'"))
}

#[test]
fn a_large_result_comes_whole_with_flat_memory_in_any_format() {
    let before = memory();
    let mut most = 0;
    for (format, start, end) in [
        ("RowBinaryWithNamesAndTypes", &b"\x01\x06number\x06UInt64"[..], &[][..]),
        ("JSON", b"{\n\t\"meta\":", b"\n}\n"),
        ("CSVWithNames", b"\"number\"\n0\n", b"\n19999999\n"),
    ] {
        let sql = format!("SELECT number FROM numbers(20000000) FORMAT {format}");
        let mut stream = open(SHARED.address, "GET", &format!("/?query={}", encode(&sql)), &[], 0);
        let mut first = vec![0; 1 << 16];
        stream.read_exact(&mut first).unwrap();
        // Nothing is read for as long as it takes the engine to fill every buffer there is.
        let mut last = 0;
        wait_until("the engine waits for its reader", || {
            std::thread::sleep(std::time::Duration::from_millis(100));
            let now = memory();
            most = most.max(now);
            std::mem::replace(&mut last, now) == now
        });
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        most = most.max(memory());
        let response = [first, rest].concat();
        let head = response.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let (head, body) = response.split_at(head + 4);
        assert!(String::from_utf8_lossy(head).contains("transfer-encoding: chunked"));
        let body = &body[body.windows(2).position(|window| window == b"\r\n").unwrap() + 2..];
        assert!(body.starts_with(start), "{format}");
        let end = [end, b"\r\n0\r\n\r\n"].concat();
        assert!(body.ends_with(&end), "{format}: {:?}", String::from_utf8_lossy(&body[body.len() - 60..]));
        assert!(body.len() > 100_000_000, "{format}");
    }
    assert!(most < before + 150, "{most} MiB, before {before} MiB");
}

#[test]
fn a_result_that_fails_on_the_way_is_visibly_not_whole() {
    let failing = "SELECT number, throwIf(number = 3000000) FROM numbers(4000000) SETTINGS max_threads = 1";
    let check = |response: Response| {
        assert_eq!(response.status, 200);
        assert!(!response.whole);
        let tag = response.header("x-clickhouse-exception-tag").unwrap().to_owned();
        let text = response.text();
        let block = text.split_once(&format!("\r\n__exception__\r\n{tag}\r\n")).unwrap().1;
        assert!(block.starts_with("Code: 395. DB::Exception: Value passed to 'throwIf'"), "{block}");
        assert!(block.ends_with(&format!(" {tag}\r\n__exception__\r\n")), "{block}");
    };
    check(post("", failing));
    check(post("", format!("{failing} FORMAT JSON")));
    // Held back, the same is a clean error.
    let response = post("wait_end_of_query=1", failing);
    assert_eq!((response.status, response.whole), (500, true));
    assert_eq!(response.header("x-clickhouse-exception-code"), Some("395"));
}

#[test]
fn a_reading_statement_ends_when_its_client_goes() {
    let sql = "SELECT number, 'walked away' FROM numbers(100000000000)";
    let mut stream = open(SHARED.address, "GET", &format!("/?query={}", encode(sql)), &[], 0);
    stream.read_exact(&mut [0; 4096]).unwrap();
    assert_eq!(running("walked away"), "1");
    stream.shutdown(Shutdown::Both).unwrap();
    wait_until("the statement has ended", || running("walked away") == "0");
    // One that has not yet sent anything.
    let sql = "SELECT count() FROM system.numbers WHERE NOT ignore('gone early')";
    let stream = open(SHARED.address, "GET", &format!("/?query={}", encode(sql)), &[], 0);
    wait_until("the statement runs", || running("gone early") == "1");
    drop(stream);
    wait_until("the statement has ended", || running("gone early") == "0");
}

#[test]
fn what_writes_goes_on_when_its_client_goes() {
    ask("CREATE TABLE left_alone (a UInt64) ENGINE = MergeTree ORDER BY a");
    let sql = "INSERT INTO left_alone SELECT number + sleepEachRow(0.1) FROM numbers(10) SETTINGS max_block_size = 1";
    let stream = open(SHARED.address, "POST", &format!("/?query={}", encode(sql)), &[], 0);
    wait_until("the statement runs", || running("INSERT INTO left_alone") == "1");
    drop(stream);
    wait_until("its rows are there", || ask("SELECT count() FROM left_alone") == "10");
}

#[test]
fn wait_end_of_query_gives_the_whole_summary() {
    let response = post("wait_end_of_query=1", "SELECT number FROM numbers(1000000)");
    assert!(response.header("x-clickhouse-summary").unwrap().contains("\"result_rows\":\"1000000\""));
    assert_eq!(response.header("content-length"), Some("6888890"));
    assert!(read(open(SHARED.address, "GET", "/ping", &[], 0)).whole);
}
