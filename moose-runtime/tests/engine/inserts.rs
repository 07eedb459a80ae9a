//! INSERTs: data by every way, one token once, and nothing of what was cut off.

use std::{io::Write as _, net::Shutdown, time::Duration};

use crate::client::{SHARED, ask, encode, open, post, read, send, wait_until};

/// A table that stores the same block as often as it comes.
fn table(name: &str) {
    ask(&format!("CREATE TABLE {name} (a UInt64, b String DEFAULT 'none') ENGINE = MergeTree ORDER BY a"));
}

fn rows(name: &str) -> String {
    ask(&format!("SELECT count() FROM {name}"))
}

/// One Native block with a column of numbers.
fn native(column: &str, numbers: &[u64]) -> Vec<u8> {
    let length = u8::try_from(column.len()).unwrap();
    let mut block = vec![1, u8::try_from(numbers.len()).unwrap(), length];
    block.extend(column.bytes());
    block.push(6);
    block.extend(b"UInt64");
    block.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    block
}

#[test]
fn data_comes_with_the_query_or_in_the_body() {
    table("ways");
    let insert = |parameters: &str, body: &str| {
        let response = post(parameters, body);
        assert_eq!(response.status, 200, "{parameters} {body}: {}", response.text());
        assert!(response.body.is_empty());
        response.header("x-clickhouse-summary").unwrap().contains("\"written_rows\":\"2\"")
    };
    let query = |sql: &str| format!("query={}", encode(sql));
    assert!(insert(&query("INSERT INTO ways (a) FORMAT CSV"), "1\n2\n"));
    assert!(insert(&query("INSERT INTO ways (a) -- comment\nFORMAT CSV"), "1\n2\n"));
    assert!(insert(&query("INSERT INTO ways (a) FORMAT CSV 1"), "2\n"));
    assert!(insert(&query("INSERT INTO ways (a) VALUES"), "(1),(2)"));
    assert!(insert(&query("INSERT INTO ways (a) VALUES (1)"), "(2)"));
    assert!(insert(&query("INSERT INTO ways (a)"), "VALUES (1), (2)"));
    assert!(insert(&query("INSERT INTO ways (a)"), "FORMAT JSONEachRow {\"a\":1} {\"a\":2}"));
    assert!(insert("", "INSERT INTO ways (a) FORMAT TSV\n1\n2\n"));
    assert!(insert("", "INSERT INTO ways (a) VALUES (1), (2);"));
    assert!(insert("", "INSERT INTO ways (a) SELECT number FROM numbers(2)"));
    assert!(insert("param_t=ways", "INSERT INTO {t:Identifier} (a) SELECT number FROM numbers(2)"));
    let named =
        send(SHARED.address, "POST", "/?query=INSERT+INTO+ways+(a)", &[("X-ClickHouse-Format", "CSV")], b"1\n2\n");
    assert_eq!(named.status, 200, "{}", named.text());
    assert_eq!(rows("ways"), "24");
    assert_eq!(post(&query("INSERT INTO ways (a) FORMAT CSV"), "").status, 200);
    // What the library would take and not store is refused.
    let input = query("INSERT INTO ways (a) SELECT x + 1 FROM input('x UInt64') FORMAT CSV");
    assert_eq!(post(&input, "1\n2\n").header("x-clickhouse-exception-code"), Some("48"));
    assert_eq!(rows("ways"), "24");
}

#[test]
fn wrong_data_stores_nothing_and_says_where() {
    table("wrong");
    let insert = |sql: &str, body: &[u8]| {
        let response = post(&format!("query={}", encode(sql)), body);
        (response.header("x-clickhouse-exception-code").unwrap_or("none").to_owned(), response.status, response.text())
    };
    let (code, status, text) = insert("INSERT INTO wrong (a) FORMAT JSONEachRow", b"{\"a\":1}\n{\"a\":\"zz\"}\n");
    assert_eq!((code.as_str(), status), ("27", 400), "{text}");
    assert!(text.contains("(at row 2)"), "{text}");
    assert_eq!(insert("INSERT INTO wrong (nosuch) FORMAT CSV", b"1\n").0, "16");
    assert_eq!(insert("INSERT INTO nosuch FORMAT CSV", b"1\n").1, 404);
    assert_eq!(insert("INSERT INTO wrong FORMAT Nosuch", b"1\n").0, "73");
    assert_eq!(insert("INSERT INTO wrong (a) FRMAT CSV", b"1\n").1, 400);
    // A block that names more rows than it holds, and one with a byte too many.
    let block = native("a", &[1, 2, 3]);
    assert_eq!(insert("INSERT INTO wrong FORMAT Native", &block[..block.len() - 1]).0, "33");
    assert_eq!(rows("wrong"), "0");
}

#[test]
fn a_native_block_goes_in_and_comes_back() {
    table("blocks");
    let block = native("a", &[7, 8, u64::MAX]);
    assert_eq!(post("query=INSERT+INTO+blocks+(a)+FORMAT+Native", &block).status, 200);
    assert_eq!(post("", "SELECT a FROM blocks ORDER BY a FORMAT Native").body, block);
    assert_eq!(ask("SELECT DISTINCT b FROM blocks"), "none");
}

#[test]
fn one_token_stores_its_block_once_under_the_settings_of_the_sync() {
    table("tokens");
    ask("ALTER TABLE tokens MODIFY SETTING non_replicated_deduplication_window = 1000");
    let settings = "async_insert=0&wait_for_async_insert=1&insert_deduplicate=1&deduplicate_insert=enable\
        &deduplicate_blocks_in_dependent_materialized_views=1&materialized_views_ignore_errors=0\
        &insert_allow_materialized_columns=1&max_insert_threads=1&max_insert_block_size=1000000\
        &min_insert_block_size_rows=0&min_insert_block_size_bytes=0&max_insert_block_size_bytes=0\
        &use_strict_insert_block_limits=1&max_partitions_per_insert_block=0&input_format_null_as_default=0\
        &input_format_skip_unknown_fields=0&wait_end_of_query=1&date_time_input_format=best_effort\
        &query=INSERT+INTO+tokens+(a)+FORMAT+Native";
    let insert = |token: &str, numbers: &[u64]| {
        let response = post(&format!("{settings}&insert_deduplication_token={token}"), native("a", numbers));
        assert_eq!(response.status, 200, "{}", response.text());
    };
    insert("first", &[1, 2, 3]);
    insert("first", &[1, 2, 3]);
    assert_eq!(rows("tokens"), "3");
    insert("second", &[1, 2, 3]);
    assert_eq!(rows("tokens"), "6");
}

#[test]
fn a_body_that_is_cut_off_stores_nothing() {
    table("cut");
    let target =
        format!("/?query={}&min_insert_block_size_rows=0&async_insert=0", encode("INSERT INTO cut (a) FORMAT Native"));
    let block = native("a", &[1, 2, 3]);
    // The client stops sending and waits for the answer, or goes away; after one whole block, or many, or within one.
    for (copies, less) in [(1, 0), (20, 0), (1, 5)] {
        let sent = block.repeat(copies);
        let sent = &sent[..sent.len() - less];
        let mut stream = open(SHARED.address, "POST", &target, &[], sent.len() + 1);
        stream.write_all(sent).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        drop(stream);
    }
    let chunked = [("Transfer-Encoding", "chunked")];
    let head = format!("POST {target} HTTP/1.1\r\nHost: localhost\r\n{}: {}\r\n\r\n", chunked[0].0, chunked[0].1);
    let mut stream = std::net::TcpStream::connect(SHARED.address).unwrap();
    stream.write_all(format!("{head}{:x}\r\n", block.len()).as_bytes()).unwrap();
    stream.write_all(&block).unwrap();
    stream.write_all(b"\r\n").unwrap();
    drop(stream);
    no_statement_runs("INSERT INTO cut");
    assert_eq!(rows("cut"), "0");
}

#[test]
fn a_long_insert_is_taken_as_it_comes_and_cancelled_when_its_client_goes() {
    table("long");
    let rows_sent = 12_000_000_u64;
    let target = format!(
        "/?query={}&max_insert_block_size=100000000&min_insert_block_size_rows=100000000\
        &min_insert_block_size_bytes=0&async_insert=0",
        encode("INSERT INTO long (a) FORMAT RowBinary")
    );
    let data: Vec<u8> = (0..rows_sent).flat_map(u64::to_le_bytes).collect();
    let mut stream = open(SHARED.address, "POST", &target, &[], data.len() + 8);
    stream.write_all(&data).unwrap();
    drop(stream);
    no_statement_runs("INSERT INTO long");
    assert_eq!(rows("long"), "0");
    let mut stream = open(SHARED.address, "POST", &target, &[], data.len());
    stream.write_all(&data).unwrap();
    let response = read(stream);
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(rows("long"), rows_sent.to_string());
}

/// Waits until what a client left behind has ended.
fn no_statement_runs(text: &str) {
    let running = format!("SELECT count() FROM system.processes WHERE query LIKE '{text}%'");
    // Seen idle twice: a request that was just read may not have begun.
    let mut idle = 0;
    wait_until("no statement runs", || {
        idle = if ask(&running) == "0" { idle + 1 } else { 0 };
        std::thread::sleep(Duration::from_millis(50));
        idle > 5
    });
}
