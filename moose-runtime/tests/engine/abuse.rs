//! What must not end the engine: requests that are none, from somebody without a password and from somebody with one.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
    time::Duration,
};

use crate::client::{Host, PIPELINE, ask_at, encode, is_alive, send, signal};

/// Sends these bytes on a connection of their own, and waits for an answer or the end of the connection, or not even that.
fn throw(host: &Host, bytes: &[u8], wait: bool) {
    let mut stream = TcpStream::connect(host.address).unwrap();
    // It may answer, and close, before it has read everything.
    let _ = stream.write_all(bytes);
    if wait {
        let _ = stream.shutdown(Shutdown::Write);
        stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let _ = stream.read(&mut [0; 4096]);
    }
}

fn request(head: &str, body: &[u8]) -> Vec<u8> {
    [head.as_bytes(), b"\r\n\r\n", body].concat()
}

/// What only the pipeline's user may send.
fn login() -> String {
    PIPELINE.map(|(name, value)| format!("\r\n{name}: {value}")).concat()
}

/// It answers, and it is the process that it was.
fn is_unharmed(host: &Host, engine: u32, after: &str) {
    assert_eq!(ask_at(host.address, "SELECT 1"), "1", "after {after}");
    assert!(is_alive(engine) && host.engine_pid() == engine, "after {after}: the engine died and was started again");
}

#[test]
fn no_request_ends_the_engine() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::start(&directory.path().join("engine"));
    ask_at(host.address, "CREATE TABLE filled (a UInt64, s String) ENGINE = MergeTree ORDER BY a");
    let engine = host.engine_pid();
    let insert = format!("/?query={}", encode("INSERT INTO filled FORMAT Native"));
    let multipart = "Content-Type: multipart/form-data; boundary=b";
    for login in [String::new(), login()] {
        for path in ["/", "/ping", "/nosuch", &insert] {
            for (head, body) in [
                // Uncaught in the library, each of these once ended the process.
                ("Content-Length: x", &b""[..]),
                ("Content-Length: 18446744073709551616", b""),
                ("Content-Length: 5, 5", b"SELECT"),
                ("Content-Length: 0x5", b"SELECT"),
                ("Content-Length: +5", b"SELECT"),
                ("Content-Length: -1", b"SELECT"),
                ("Content-Length:", b""),
                ("Content-Length: 5\r\nTransfer-Encoding: chunked", b"5\r\nSELEC\r\n0\r\n\r\n"),
                ("Transfer-Encoding: chunked", b"zz\r\nx\r\n"),
                ("Transfer-Encoding: chunked", b"ffffffffffffffffff\r\nx\r\n"),
                ("Transfer-Encoding: gzip, chunked", b"5\r\nSELEC\r\n0\r\n\r\n"),
                ("Content-Length: 20\r\nContent-Encoding: gzip", b"zzzzzzzzzzzzzzzzzzzz"),
                ("Content-Length: 20\r\nContent-Encoding: zstd", b"zzzzzzzzzzzzzzzzzzzz"),
                ("Content-Length: 20\r\nContent-Encoding: br", b"zzzzzzzzzzzzzzzzzzzz"),
                ("Content-Length: 20\r\nContent-Encoding: nosuch", b"zzzzzzzzzzzzzzzzzzzz"),
                ("Content-Length: 1000000", b"\x01\x01"),
                ("Expect: 100-continue\r\nContent-Length: 9", b""),
                ("Authorization: Basic !!!!", b""),
                ("Authorization: Basic", b""),
                ("Authorization: Negotiate TlRMTVNTUAAB", b""),
                ("Authorization: Bearer x", b""),
                ("X-ClickHouse-SSL-Certificate-Auth: on", b""),
                ("traceparent: 00-zz-zz-zz", b""),
                ("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x", b""),
                (&format!("{multipart}\r\nContent-Length: 9"), b"--c\r\nabc\n"),
                (&format!("{multipart}\r\nContent-Length: 5"), b"--b--"),
            ] {
                for method in ["GET", "POST"] {
                    let head = format!("{method} {path} HTTP/1.1\r\nHost: a{login}\r\n{head}");
                    throw(&host, &request(&head, body), true);
                    is_unharmed(&host, engine, &head);
                }
            }
        }
        for bytes in [
            Vec::new(),
            vec![0; 3000],
            b"\r\n\r\n\r\n".to_vec(),
            request("PRI * HTTP/2.0", b"SM\r\n\r\n"),
            request("GET /?query=%ZZ%%%00 HTTP/1.1\r\nHost: a", b""),
            request(&format!("GET /?{} HTTP/1.1", "a&".repeat(500_000)), b""),
            request(&format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(3_000_000)), b""),
            request(&format!("GET / HTTP/1.1{}", "\r\nX: a".repeat(5000)), b""),
            request(&format!("POST {insert} HTTP/1.1{login}\r\nContent-Length: 100"), b"\x02\x01\x01a\x06UInt64"),
            request(&format!("GET / HTTP/1.1{login}"), b"").repeat(200),
        ] {
            for wait in [true, false] {
                throw(&host, &bytes, wait);
            }
            is_unharmed(&host, engine, &String::from_utf8_lossy(bytes.get(..bytes.len().min(60)).unwrap()));
        }
    }
    assert_eq!(ask_at(host.address, "SELECT count() FROM filled"), "0");
    assert!(host.stop());
}

/// An engine that waits for its end is in a system call that signals interrupt.
#[test]
fn signals_that_are_not_for_it_do_not_end_the_engine() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::start(&directory.path().join("engine"));
    let engine = host.engine_pid();
    for name in ["WINCH", "CONT", "CHLD", "HUP", "INT"] {
        signal(engine, name);
        is_unharmed(&host, engine, name);
    }
    // The library sends one to each of its threads for this.
    for _ in 0..20 {
        ask_at(host.address, "SELECT * FROM system.stack_trace FORMAT Null");
    }
    is_unharmed(&host, engine, "traces of all threads");
    assert!(host.stop());
}

/// Deep nesting, and statements that ask for more memory than there is.
#[test]
fn no_statement_ends_the_engine() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::start(&directory.path().join("engine"));
    let engine = host.engine_pid();
    ask_at(host.address, "CREATE TABLE filled (a UInt64) ENGINE = MergeTree ORDER BY a");
    let nested = |open: &str, core: &str, close: &str, depth: usize| {
        format!("{}{core}{}", open.repeat(depth), close.repeat(depth))
    };
    let bounded = "/?max_memory_usage=500000000";
    let unlimited = "max_parser_depth=0&max_parser_backtracks=0&max_ast_depth=0&max_expanded_ast_elements=0";
    for target in [bounded, &format!("{bounded}&{unlimited}&max_query_size=0")] {
        for sql in [
            format!("SELECT {}", nested("(", "1", ")", 100_000)),
            format!("SELECT {}", nested("[", "1", "]", 50_000)),
            format!("SELECT {}", nested("abs(", "1", ")", 50_000)),
            format!("SELECT {}1", "NOT ".repeat(50_000)),
            format!("SELECT * FROM {}", nested("(SELECT * FROM ", "numbers(1)", ")", 5000)),
            format!("SELECT CAST([] AS {})", nested("Array(", "UInt8", ")", 50_000)),
            format!("SELECT '{}'::JSON", nested(r#"{"a":"#, "1", "}", 50_000)),
            format!("SELECT * FROM format(JSONEachRow, '{{\"a\":{}}}')", nested("[", "1", "]", 50_000)),
            format!("SELECT match('a', '{}')", nested("(", "a", ")", 50_000)),
            format!("INSERT INTO filled (a) VALUES ({}1)", "- ".repeat(100_000)),
            format!("INSERT INTO filled (a) VALUES (1{})", "::UInt8".repeat(100_000)),
            format!("SELECT * FROM format(Values, 'a UInt64', '({}1)')", "1+".repeat(100_000)),
            "SELECT groupArray(number) FROM numbers(100000000000)".to_owned(),
            "SELECT range(1000000000000)".to_owned(),
            "SELECT repeat('a', 100000000000)".to_owned(),
        ] {
            let start: String = sql.chars().take(40).collect();
            send(host.address, "POST", target, &PIPELINE, sql.as_bytes());
            is_unharmed(&host, engine, &start);
        }
    }
    assert!(host.stop());
}
