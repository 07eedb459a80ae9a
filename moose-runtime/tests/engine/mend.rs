//! Tokens without rows: what the library's deduplication logs become when the engine opens. The state that a kill or a
//! failed rename leaves is made by hand here, by taking a part away; the kill itself is in the suite of kills.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::client::{Host, ask_as, encode, send};

const WINDOW: &str = "SETTINGS non_replicated_deduplication_window = 100";

/// An INSERT of one row under a token named after it.
fn insert(host: &Host, table: &str, id: u32) {
    let statement = encode(&format!("INSERT INTO {table} FORMAT CSV"));
    let target = format!("/?query={statement}&insert_deduplication_token=token{id}&async_insert=0");
    let response = send(host.address, "POST", &target, &[], format!("{id}\n").as_bytes());
    assert_eq!(response.status, 200, "{}", response.text());
}

fn rows(host: &Host, table: &str) -> String {
    ask_as(host.address, &[], &format!("SELECT arraySort(groupArray(id)) FROM {table}"))
}

/// Where a table lies.
fn place(host: &Host, table: &str) -> PathBuf {
    let query = "SELECT data_paths[1] FROM system.tables WHERE concat(database, '.', name) = ";
    ask_as(host.address, &[], &format!("{query}'{table}'")).into()
}

/// Name of the part with a row.
fn part(host: &Host, table: &str, id: u32) -> String {
    ask_as(host.address, &[], &format!("SELECT _part FROM {table} WHERE id = {id}"))
}

fn logs(table: &Path) -> usize {
    fs::read_dir(table.join("deduplication_logs")).unwrap().count()
}

#[test]
fn a_token_without_its_rows_is_free_after_the_next_start_and_every_other_one_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("engine");
    let host = Host::plain(&path);
    let old = send(
        host.address,
        "POST",
        "/?allow_deprecated_database_ordinary=1",
        &[],
        b"CREATE DATABASE old ENGINE = Ordinary",
    );
    assert_eq!(old.status, 200, "{}", old.text());
    let tables = ["moose.t", "default.t", "old.t", "moose.by_date"];
    for table in tables {
        let key = if table.ends_with("date") { "(toDate('2024-01-01') + id % 2, concat('a_', id % 2))" } else { "()" };
        ask_as(
            host.address,
            &[],
            &format!("CREATE TABLE {table} (id UInt32) ENGINE = MergeTree ORDER BY id PARTITION BY {key} {WINDOW}"),
        );
        (1..=4).for_each(|id| insert(&host, table, id));
        // What is there may have been merged and changed since.
        ask_as(host.address, &[], &format!("OPTIMIZE TABLE {table} FINAL"));
        ask_as(host.address, &[], &format!("ALTER TABLE {table} DELETE WHERE id = 99 SETTINGS mutations_sync = 2"));
        (5..=6).for_each(|id| insert(&host, table, id));
    }
    let lost: Vec<PathBuf> = tables.iter().map(|table| place(&host, table).join(part(&host, table, 6))).collect();
    let places: Vec<PathBuf> = tables.iter().map(|table| place(&host, table)).collect();
    assert!(host.stop());
    for part in &lost {
        fs::remove_dir_all(part).unwrap();
    }

    let host = Host::plain(&path);
    for table in tables {
        assert_eq!(rows(&host, table), "[1,2,3,4,5]");
        (1..=6).for_each(|id| insert(&host, table, id));
        assert_eq!(rows(&host, table), "[1,2,3,4,5,6]", "{table}: what was lost can be sent again, and nothing else");
    }
    assert!(places.iter().all(|table| logs(table) == 2));
    assert!(host.stop());

    let host = Host::plain(&path);
    for table in tables {
        (1..=6).for_each(|id| insert(&host, table, id));
        assert_eq!(rows(&host, table), "[1,2,3,4,5,6]", "{table}: the library reads what was mended");
    }
    assert!(places.iter().all(|table| logs(table) == 2), "there was nothing to mend");
    assert!(host.stop());
}

#[test]
fn tokens_written_after_a_torn_record_are_not_lost() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("engine");
    let host = Host::plain(&path);
    ask_as(host.address, &[], &format!("CREATE TABLE moose.t (id UInt32) ENGINE = MergeTree ORDER BY id {WINDOW}"));
    insert(&host, "moose.t", 1);
    let log = place(&host, "moose.t").join("deduplication_logs").join("deduplication_log_1.txt");
    assert!(host.stop());
    // As a disk that is full or a power failure leaves it.
    fs::write(&log, fs::read_to_string(&log).unwrap() + "1\tall_2").unwrap();
    for _ in 0..2 {
        let host = Host::plain(&path);
        (1..=3).for_each(|id| insert(&host, "moose.t", id));
        assert_eq!(rows(&host, "moose.t"), "[1,2,3]");
        assert!(host.stop());
    }
}
