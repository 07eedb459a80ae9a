//! Statements: results, errors, parameters, settings, who may ask.

use std::{thread, time::Instant};

use crate::client::{DEADLINE, SHARED, ask, encode, post, send, wait_until};

#[test]
fn errors_have_clickhouses_code_text_and_status() {
    let long = "Code: 60. DB::Exception: Unknown table expression identifier 'nosuch' in scope SELECT * FROM nosuch. \
                (UNKNOWN_TABLE) (version 26.7.2.1 (chDB))\n";
    assert_eq!(post("", "SELECT * FROM nosuch").text(), long);
    let cases = [
        ("", "SELECT * FROM nosuch", 60, 404),
        ("", "SELEC 1", 62, 400),
        ("", "SELECT nosuch(1)", 46, 404),
        ("", "SELECT nosuch", 47, 404),
        ("", "SELECT 1 FORMAT Nosuch", 73, 404),
        ("default_format=Nosuch", "SELECT 1", 73, 404),
        ("database=nosuch", "SELECT 1", 81, 404),
        ("", "SELECT throwIf(1)", 395, 500),
        ("", "CREATE DATABASE moose", 82, 500),
        ("", "SELECT 1; SELECT 2", 62, 400),
        ("", "", 62, 400),
        ("", " ; ", 62, 400),
        ("max_threads=abc", "SELECT 1", 27, 400),
        ("nosuch=1", "SELECT 1", 115, 404),
        ("no%20such'=1", "SELECT 1", 115, 404),
        ("max_result_rows=3", "SELECT * FROM numbers(10)", 396, 500),
        ("max_execution_time=0.1", "SELECT count() FROM system.numbers", 159, 408),
        ("param_a=zz", "SELECT {a:Int8}", 457, 500),
        ("", "SELECT {a:Int8}", 456, 500),
        ("", "SELECT 1 INTO OUTFILE '/tmp/moose-must-not-be'", 358, 500),
        ("", "EXPLAIN SELECT * FROM nosuch", 60, 404),
        ("", "select format from nosuch", 60, 404),
    ];
    for (parameters, sql, code, status) in cases {
        let response = post(parameters, sql);
        let said = format!("{sql}: {}", response.text());
        assert_eq!(response.header("x-clickhouse-exception-code"), Some(code.to_string().as_str()), "{said}");
        assert_eq!(response.status, status, "{said}");
        assert!(response.text().starts_with(&format!("Code: {code}. DB::Exception: ")), "{said}");
        assert!(response.text().ends_with(") (version 26.7.2.1 (chDB))\n"), "{said}");
    }
}

#[test]
fn a_query_comes_by_address_by_body_or_by_both() {
    let get = |query: &str| send(SHARED.address, "GET", &format!("/?query={}", encode(query)), &[], b"").text();
    assert_eq!(get("SELECT 1 + 1"), "2\n");
    assert_eq!(ask("SELECT 'ü'"), "ü");
    assert_eq!(post("query=SELECT", "3").text(), "3\n");
    assert_eq!(post("query=SELECT%204", "").text(), "4\n");
    assert_eq!(send(SHARED.address, "GET", "/", &[], b"").text(), "Ok.\n");
    assert_eq!(send(SHARED.address, "GET", "/ping", &[], b"").text(), "Ok.\n");
    assert_eq!(send(SHARED.address, "GET", "/nosuch", &[], b"").status, 404);
}

#[test]
fn the_format_of_the_statement_wins_over_the_default_one() {
    let format = |parameters: &str, sql: &str| {
        let response = post(parameters, sql);
        (response.header("x-clickhouse-format").unwrap().to_owned(), response.text())
    };
    let named = |format: &str, text: &str| (format.to_owned(), text.to_owned());
    assert_eq!(format("", "SELECT 1, 'a\tb'"), named("TabSeparated", "1\ta\\tb\n"));
    assert_eq!(format("default_format=CSV", "SELECT 1, 'a'"), named("CSV", "1,\"a\"\n"));
    assert_eq!(format("default_format=CSV", "SELECT 1 AS a FORMAT JSONEachRow"), named("JSONEachRow", "{\"a\":1}\n"));
    assert_eq!(
        format("", "SELECT 1 AS a FORMAT TSVWithNames SETTINGS max_threads = 1"),
        named("TSVWithNames", "a\n1\n")
    );
    assert_eq!(format("", "SELECT 1 AS a SETTINGS max_threads = 1 FORMAT CSV; -- end"), named("CSV", "1\n"));
    assert_eq!(format("", "SELECT 1 AS format"), named("TabSeparated", "1\n"));
    assert_eq!(format("", "(SELECT 1) UNION ALL (SELECT 1)"), named("TabSeparated", "1\n1\n"));
    let json = post("", "SELECT number FROM numbers(3) FORMAT JSONCompact");
    assert_eq!(json.header("content-type"), Some("application/json; charset=UTF-8"));
    assert!(json.text().contains("\"rows\": 3"), "{}", json.text());
}

#[test]
fn every_kind_of_reading_statement_has_its_result() {
    assert!(ask("SHOW DATABASES").contains("moose"));
    assert!(ask("EXPLAIN SELECT 1").contains("ReadFromSystemOne"));
    assert!(ask("DESCRIBE TABLE system.one").starts_with("dummy\tUInt8"));
    assert_eq!(ask("EXISTS TABLE nosuch"), "0");
    assert_eq!(ask("WITH 2 AS x SELECT x"), "2");
    assert_eq!(ask("SELECT currentDatabase()"), "moose");
    assert!(ask("SHOW CREATE DATABASE moose").contains("Atomic"));
    assert_eq!(ask("SELECT 1 WHERE 0"), "");
}

#[test]
fn no_setting_of_one_request_is_seen_by_the_next() {
    let now =
        || ask("SELECT getSetting('max_result_rows'), currentDatabase(), getSetting('log_comment') LIKE '%secret%'");
    let before = now();
    assert_eq!(post("max_result_rows=77&log_comment=secret", "SELECT getSetting('max_result_rows')").text(), "77\n");
    assert_eq!(now(), before);
    ask("SET max_result_rows = 78, log_comment = 'secret'");
    ask("USE system");
    ask("CREATE TEMPORARY TABLE leaked (a Int8)");
    assert_eq!(now(), before);
    assert_eq!(ask("EXISTS TEMPORARY TABLE leaked"), "0");
    // A failing request, and many at once.
    post("max_result_rows=79", "SELECT throwIf(1)");
    thread::scope(|scope| {
        for number in 1..9 {
            scope.spawn(move || {
                for _ in 0..10 {
                    let own = post(&format!("max_result_rows={number}"), "SELECT getSetting('max_result_rows')");
                    assert_eq!(own.text(), format!("{number}\n"));
                }
            });
        }
    });
    assert_eq!(now(), before);
}

#[test]
fn parameters_are_values_and_never_sql() {
    let sql = "SELECT {a:UInt8} + 1, {s:String}, {l:Array(String)}";
    let response = post(&format!("param_a=4&param_s={}&param_l={}", encode("x' OR \\t1"), encode("['p','q']")), sql);
    assert_eq!(response.text(), "5\tx\\' OR \\t1\t['p','q']\n");
    let response = post("param_t=one&database=system", "SELECT count() FROM {t:Identifier}");
    assert_eq!(response.text(), "1\n");
}

#[test]
fn get_can_not_change_anything() {
    let get = |sql: &str| send(SHARED.address, "GET", &format!("/?query={}", encode(sql)), &[], b"");
    for sql in [
        "CREATE TABLE get_made (a Int8) ENGINE = Memory",
        "INSERT INTO FUNCTION null('a Int8') VALUES (1)",
        "INSERT INTO FUNCTION null('a Int8') SELECT 1",
        "INSERT INTO FUNCTION file('/tmp/moose-must-not-be', 'CSV', 'a Int8') SELECT 1",
        "DROP DATABASE moose",
        "SYSTEM FLUSH LOGS",
    ] {
        let response = get(sql);
        assert_eq!(response.header("x-clickhouse-exception-code"), Some("164"), "{sql}: {}", response.text());
    }
    assert_eq!(get("SELECT 1").text(), "1\n");
    let target = format!("/?readonly=0&query={}", encode("DROP DATABASE moose"));
    assert_eq!(send(SHARED.address, "GET", &target, &[], b"").header("x-clickhouse-exception-code"), Some("164"));
}

#[test]
fn only_the_user_without_a_password_comes_in() {
    let status =
        |target: &str, headers: &[(&str, &str)]| send(SHARED.address, "POST", target, headers, b"SELECT 1").status;
    assert_eq!(status("/?user=default&password=", &[]), 200);
    assert_eq!(status("/", &[("Authorization", "Basic ZGVmYXVsdDo=")]), 200);
    assert_eq!(status("/?user=intruder", &[]), 403);
    let refused =
        send(SHARED.address, "POST", "/", &[("X-ClickHouse-User", "default"), ("X-ClickHouse-Key", "x")], b"");
    assert_eq!((refused.status, refused.header("x-clickhouse-exception-code")), (403, Some("516")));
}

#[test]
fn web_pages_are_refused() {
    let status = |headers: &[(&str, &str)]| send(SHARED.address, "POST", "/", headers, b"SELECT 1").status;
    assert_eq!(status(&[("Origin", "https://example.org")]), 403);
    assert_eq!(status(&[("Origin", "null")]), 403);
    assert_eq!(status(&[("Origin", "http://localhost:4001")]), 200);
    let rebound = "POST / HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let mut stream = std::net::TcpStream::connect(SHARED.address).unwrap();
    std::io::Write::write_all(&mut stream, rebound.as_bytes()).unwrap();
    assert_eq!(crate::client::read(stream).status, 403);
}

#[test]
fn headers_say_what_clients_ask_for() {
    let response = post("query_id=my-id", "SELECT 1");
    assert_eq!(response.header("x-clickhouse-query-id"), Some("my-id"));
    assert_eq!(response.header("x-clickhouse-timezone"), Some(ask("SELECT timezone()").as_str()));
    assert!(response.header("x-clickhouse-server-display-name").is_some());
    assert!(response.header("x-clickhouse-summary").unwrap().contains("\"result_rows\":\"1\""));
    assert_eq!(post("query_id=my-id", "SELEC 1").header("x-clickhouse-query-id"), Some("my-id"));
    assert_eq!(post("", "SELECT 1").header("x-clickhouse-query-id").unwrap().len(), 36);
}

#[test]
fn a_slow_statement_holds_up_nobody() {
    ask("CREATE TABLE beside_slow (a UInt64) ENGINE = MergeTree ORDER BY a");
    thread::scope(|scope| {
        let slow = "SELECT sum(sleepEachRow(0.2)) FROM numbers(10) SETTINGS max_block_size = 1 -- slow one";
        let slow = [0; 4].map(|_| scope.spawn(move || ask(slow)));
        let running =
            "SELECT count() FROM system.processes WHERE query LIKE '%slow one%' AND query NOT LIKE '%processes%'";
        wait_until("four slow statements run", || ask(running) == "4");
        let started = Instant::now();
        assert_eq!(send(SHARED.address, "GET", "/ping", &[], b"").text(), "Ok.\n");
        assert_eq!(post("query=INSERT+INTO+beside_slow+FORMAT+CSV", "1\n").status, 200);
        assert_eq!(ask("SELECT count() FROM beside_slow"), "1");
        assert!(slow.iter().any(|slow| !slow.is_finished()), "done within {:?}", started.elapsed());
        assert!(started.elapsed() < DEADLINE);
    });
}
