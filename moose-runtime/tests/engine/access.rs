//! Who gets into the engine, and how far: nobody without a password, and what each user may do.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt as _,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use crate::client::{Host, PIPELINE, Response, SHARED, ask, encode, open, reading, send};

fn as_user(user: &str, password: &str, sql: &str) -> Response {
    let headers = [("X-ClickHouse-User", user), ("X-ClickHouse-Key", password)];
    send(SHARED.address, "POST", "/", &headers, sql.as_bytes())
}

fn code(response: &Response) -> &str {
    response.header("x-clickhouse-exception-code").unwrap_or("none")
}

#[test]
fn without_a_password_nothing_is_had_whatever_is_sent() {
    let select = format!("/?query={}", encode("SELECT 'se' || 'cret'"));
    let session = format!("{select}&session_id=x&max_sessions_for_user=0&profile=default");
    let by_name = format!("{select}&user=moose");
    let wrong = format!("{select}&user=moose&password=wrong");
    let evil = [("Origin", "http://evil.test"), ("Host", "evil.test"), ("Sec-Fetch-Site", "cross-site")];
    for target in [&select, &session, &by_name, &wrong] {
        for method in ["GET", "POST", "HEAD"] {
            for headers in [&[][..], &evil[..1], &evil[1..2], &evil[..], &[("X-ClickHouse-User", "default")]] {
                let response = send(SHARED.address, method, target, headers, b"");
                assert!(response.status >= 400, "{method} {target} {headers:?}: {}", response.status);
                assert!(!response.text().contains("secret"), "{}", response.text());
                assert_eq!(response.header("access-control-allow-origin"), None);
            }
        }
    }
    assert_eq!(send(SHARED.address, "GET", "/ping", &[], b"").text(), "Ok.\n");
    for page in ["/play", "/dashboard", "/binary", "/merges", "/jemalloc", "/js/uplot.js", "/metrics", "/nosuch"] {
        assert_eq!(send(SHARED.address, "GET", page, &[], b"").status, 404, "{page}");
    }
}

#[test]
fn the_password_comes_by_header_or_in_the_address() {
    let [(_, user), (_, password)] = PIPELINE;
    let select = format!("/?query={}&user={user}&password={password}", encode("SELECT currentUser()"));
    assert_eq!(send(SHARED.address, "GET", &select, &[], b"").text(), "moose\n");
    assert_eq!(ask("SELECT currentUser() || ' ' || currentDatabase()"), "moose moose");
    assert_eq!(as_user("readonly", &reading(), "SELECT currentUser()").text(), "readonly\n");
}

#[test]
fn who_may_only_read_changes_nothing() {
    ask("CREATE TABLE looked_at (a UInt64) ENGINE = MergeTree ORDER BY a");
    ask("INSERT INTO looked_at VALUES (1)");
    let password = reading();
    let as_reader = |sql: &str| as_user("readonly", &password, sql);
    for sql in [
        "SELECT count() FROM looked_at",
        "SELECT count() FROM system.tables SETTINGS max_threads = 1",
        "SHOW CREATE TABLE looked_at",
        "SELECT count() FROM information_schema.tables",
    ] {
        assert_eq!(as_reader(sql).status, 200, "{sql}: {}", as_reader(sql).text());
    }
    for (sql, refused) in [
        ("INSERT INTO looked_at VALUES (2)", "497"),
        ("DROP TABLE looked_at", "497"),
        ("TRUNCATE TABLE looked_at", "497"),
        ("ALTER TABLE looked_at DELETE WHERE 1", "497"),
        ("CREATE TABLE mine (a UInt64) ENGINE = Memory", "497"),
        ("SELECT 1 SETTINGS readonly = 0", "164"),
        ("SELECT 1 SETTINGS max_memory_usage = 100000000000", "452"),
        ("SELECT 1 SETTINGS max_concurrent_queries_for_user = 0", "452"),
        ("SELECT * FROM system.users", "497"),
    ] {
        assert_eq!(code(&as_reader(sql)), refused, "{sql}: {}", as_reader(sql).text());
    }
    assert_eq!(ask("SELECT sum(a) FROM looked_at"), "1");
}

#[test]
fn the_pipeline_has_its_tables_and_nothing_beside() {
    let refused = |sql: &str| {
        let response = send(SHARED.address, "POST", "/", &PIPELINE, sql.as_bytes());
        code(&response).to_owned()
    };
    let path = SHARED.path.join("access.json");
    let path = path.to_str().unwrap();
    for (sql, expected) in [
        (format!("SELECT * FROM file('{path}', 'LineAsString', 'x String')"), "497"),
        (format!("CREATE TABLE f (x String) ENGINE = File('LineAsString', '{path}')"), "497"),
        ("INSERT INTO FUNCTION file('/tmp/x', 'LineAsString', 'x String') VALUES ('x')".to_owned(), "497"),
        ("SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString', 'x String')".to_owned(), "497"),
        ("SELECT * FROM remote('127.0.0.1:1', 'moose', 't')".to_owned(), "497"),
        ("SELECT 1 INTO OUTFILE '/tmp/x'".to_owned(), "358"),
        ("SYSTEM SHUTDOWN".to_owned(), "497"),
        ("SYSTEM STOP LISTEN HTTP".to_owned(), "497"),
        ("SYSTEM START LISTEN TCP".to_owned(), "497"),
        ("CREATE USER other".to_owned(), "497"),
        ("CREATE DATABASE other".to_owned(), "497"),
        ("CREATE TABLE default.t (a UInt8) ENGINE = Memory".to_owned(), "497"),
        (
            "CREATE DICTIONARY d (id UInt64, s String) PRIMARY KEY id \
             SOURCE(EXECUTABLE(COMMAND 'id' FORMAT 'TSV')) LAYOUT(FLAT()) LIFETIME(0)"
                .to_owned(),
            "497",
        ),
        ("CREATE TABLE d (a UInt8) ENGINE = MergeTree ORDER BY a SETTINGS disk = 'default'".to_owned(), "452"),
    ] {
        assert_eq!(refused(&sql), expected, "{sql}");
    }
    for sql in [
        "CREATE TABLE own (id UInt64, s String) ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 9",
        "CREATE TABLE sums (d UInt64, c AggregateFunction(count)) ENGINE = AggregatingMergeTree ORDER BY d",
        "CREATE MATERIALIZED VIEW filler TO sums AS SELECT id % 10 AS d, countState() AS c FROM own GROUP BY d",
        "CREATE VIEW look AS SELECT * FROM own",
        "INSERT INTO own VALUES (1, 'x'), (2, 'y')",
        "CREATE TABLE twin AS own",
        "EXCHANGE TABLES own AND twin",
        "ALTER TABLE own ADD COLUMN z UInt8, MODIFY COMMENT 'c', ADD CONSTRAINT k CHECK id >= 0",
        "ALTER TABLE twin MODIFY SETTING non_replicated_deduplication_window = 10",
        "ALTER TABLE own UPDATE s = 'w' WHERE id = 1 SETTINGS mutations_sync = 2",
        "ALTER TABLE own MOVE PARTITION tuple() TO TABLE own",
        "OPTIMIZE TABLE own FINAL",
        "RENAME TABLE twin TO other",
        "TRUNCATE TABLE other",
        "DROP TABLE other SYNC",
        "SYSTEM STOP MERGES",
        "SYSTEM START MERGES",
        "KILL QUERY WHERE query_id = 'none' ASYNC",
        "SELECT count() FROM system.parts",
        "CREATE TEMPORARY TABLE t (a UInt8)",
    ] {
        assert_eq!(refused(sql), "none", "{sql}");
    }
    assert_eq!(ask("SELECT sum(c) FROM (SELECT countMerge(c) AS c FROM sums GROUP BY d)"), "2");
}

#[test]
fn secrets_and_configuration_are_for_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("engine");
    let host = Host::start(&path);
    for (below, mode) in [
        ("", 0o700),
        ("access.json", 0o600),
        ("configuration", 0o700),
        ("configuration/config.xml", 0o600),
        ("configuration/users.xml", 0o600),
    ] {
        assert_eq!(fs::metadata(path.join(below)).unwrap().permissions().mode() & 0o777, mode, "{below}");
    }
    let command = fs::read_to_string(format!("/proc/{}/cmdline", host.engine_pid())).unwrap();
    assert!(!command.contains(PIPELINE[1].1), "command lines are everybody's to read");
    let users = fs::read_to_string(path.join("configuration/users.xml")).unwrap();
    assert!(!users.contains(PIPELINE[1].1), "only its hash");
    let before = fs::read(path.join("access.json")).unwrap();
    assert!(host.stop());
    let again = Host::start(&path);
    assert_eq!(fs::read(path.join("access.json")).unwrap(), before, "kept over a start");
    assert!(again.stop());
}

#[test]
fn nobody_gets_in_while_it_ends() {
    let directory = tempfile::tempdir().unwrap();
    let over = AtomicBool::new(false);
    for _ in 0..3 {
        let host = Host::start(&directory.path().join("engine"));
        let address = host.address;
        over.store(false, Ordering::Release);
        let (answered, got_in) = thread::scope(|scope| {
            // Over connections that are kept, and over new ones.
            let over = &over;
            let tries: Vec<_> =
                (0..12).map(|number| scope.spawn(move || tries(address, over, number % 2 == 0))).collect();
            let endless = b"SELECT count() FROM system.numbers";
            let mut busy = open(address, "POST", "/", &PIPELINE, endless.len());
            busy.write_all(endless).unwrap();
            thread::sleep(Duration::from_millis(300));
            assert!(host.stop());
            over.store(true, Ordering::Release);
            let tries = tries.into_iter().map(|thread| thread.join().unwrap());
            tries.fold((0, 0), |(answered, got_in), (more, those)| (answered + more, got_in + those))
        });
        assert!(answered > 12, "{answered} answers: nobody tried");
        assert_eq!(got_in, 0);
    }
}

/// How often who has no password is answered, and how often with anything but an error.
fn tries(address: SocketAddr, over: &AtomicBool, keep: bool) -> (usize, usize) {
    let (mut answered, mut got_in) = (0, 0);
    let end = if keep { "" } else { "Connection: close\r\n" };
    let request = format!("GET /?query=SELECT+currentUser() HTTP/1.1\r\nHost: x\r\n{end}\r\n");
    while !over.load(Ordering::Acquire) {
        let Ok(mut stream) = TcpStream::connect(address) else { continue };
        let mut answer = [0; 4000];
        while stream.write_all(request.as_bytes()).is_ok() && !over.load(Ordering::Acquire) {
            let Ok(length) = stream.read(&mut answer) else { break };
            if length == 0 {
                break;
            }
            answered += 1;
            got_in += usize::from(answer.starts_with(b"HTTP/1.1 200"));
        }
    }
    (answered, got_in)
}
