//! INSERTs as the sync sends them: one token once, nothing of a body without its end, and a place whoever else reads.

use std::{
    io::Write as _,
    net::Shutdown,
    thread,
    time::{Duration, Instant},
};

use crate::client::{PIPELINE, SHARED, ask, encode, open, read, send, wait_until};

/// A table that remembers tokens.
fn table(name: &str) {
    ask(&format!(
        "CREATE TABLE {name} (a UInt64) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 1000"
    ));
}

fn rows(name: &str) -> String {
    ask(&format!("SELECT count() FROM {name}"))
}

/// One Native block with a column of numbers.
fn native(numbers: &[u64]) -> Vec<u8> {
    let mut block = vec![1, u8::try_from(numbers.len()).unwrap(), 1];
    block.extend(b"a\x06UInt64");
    block.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    block
}

/// Where the sync sends an INSERT.
fn target(table: &str, token: &str) -> String {
    let settings = "async_insert=0&wait_for_async_insert=1&insert_deduplicate=1&deduplicate_insert=enable\
        &deduplicate_blocks_in_dependent_materialized_views=1&materialized_views_ignore_errors=0\
        &insert_allow_materialized_columns=1&max_insert_threads=1&max_insert_block_size=1000000\
        &min_insert_block_size_rows=0&min_insert_block_size_bytes=0&max_insert_block_size_bytes=0\
        &use_strict_insert_block_limits=1&max_partitions_per_insert_block=0&input_format_null_as_default=0\
        &input_format_skip_unknown_fields=0&wait_end_of_query=1&date_time_input_format=best_effort";
    let insert = encode(&format!("INSERT INTO {table} (a) FORMAT Native"));
    format!("/?{settings}&query={insert}&insert_deduplication_token={token}")
}

#[test]
fn one_token_stores_its_block_once_under_the_settings_of_the_sync() {
    table("tokens");
    let insert = |token: &str| {
        let response = send(SHARED.address, "POST", &target("tokens", token), &PIPELINE, &native(&[1, 2, 3]));
        assert_eq!(response.status, 200, "{}", response.text());
        assert!(response.body.is_empty());
    };
    insert("first");
    insert("first");
    assert_eq!(rows("tokens"), "3");
    insert("second");
    assert_eq!(rows("tokens"), "6");
}

#[test]
fn a_body_without_its_end_stores_nothing_and_leaves_its_token_free() {
    table("cut");
    let block = native(&[1, 2, 3]);
    for end in [block.len() - 1, block.len() - 5, 1] {
        let mut stream = open(SHARED.address, "POST", &target("cut", "token"), &PIPELINE, block.len());
        stream.write_all(&block[..end]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        drop(stream);
    }
    no_insert_runs("cut");
    assert_eq!(rows("cut"), "0");
    let response = send(SHARED.address, "POST", &target("cut", "token"), &PIPELINE, &block);
    assert_eq!((response.status, rows("cut").as_str()), (200, "3"), "{}", response.text());
}

#[test]
fn the_end_of_a_body_may_come_as_late_as_the_sync_sends_it() {
    table("late");
    let block = native(&[1, 2, 3]);
    let mut stream = open(SHARED.address, "POST", &target("late", "token"), &PIPELINE, block.len());
    stream.write_all(&block[..block.len() - 1]).unwrap();
    // As long as an INSERT that is sent ahead waits for its turn at most, and a second more.
    thread::sleep(Duration::from_secs(6));
    assert_eq!(rows("late"), "0");
    stream.write_all(&block[block.len() - 1..]).unwrap();
    let response = read(stream);
    assert_eq!((response.status, rows("late").as_str()), (200, "3"), "{}", response.text());
}

#[test]
fn readers_that_never_read_keep_no_insert_out() {
    table("kept_out");
    let access: serde_json::Value =
        serde_json::from_slice(&std::fs::read(SHARED.path.join("access.json")).unwrap()).unwrap();
    let reader = [("X-ClickHouse-User", "readonly"), ("X-ClickHouse-Key", access["readonly"].as_str().unwrap())];
    let endless = b"SELECT number FROM system.numbers";
    let mut readers = Vec::new();
    // More than may read at once: those are refused.
    for _ in 0..130 {
        let mut stream = open(SHARED.address, "POST", "/", &reader, endless.len());
        stream.write_all(endless).unwrap();
        readers.push(stream);
    }
    let running = "SELECT count() FROM system.processes WHERE user = 'readonly'";
    wait_until("as many read as may", || ask(running) == "100");
    for number in 0..20 {
        let started = Instant::now();
        let response =
            send(SHARED.address, "POST", &target("kept_out", &number.to_string()), &PIPELINE, &native(&[number]));
        assert_eq!(response.status, 200, "{}", response.text());
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }
    assert_eq!(rows("kept_out"), "20");
    drop(readers);
    wait_until("they are gone with their clients", || ask(running) == "0");
}

/// Waits until what a client left behind has ended.
fn no_insert_runs(table: &str) {
    let running = format!("SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO {table}%'");
    // Seen idle several times: a request that was just read may not have begun.
    let mut idle = 0;
    wait_until("no INSERT runs", || {
        idle = if ask(&running) == "0" { idle + 1 } else { 0 };
        thread::sleep(Duration::from_millis(50));
        idle > 5
    });
}
