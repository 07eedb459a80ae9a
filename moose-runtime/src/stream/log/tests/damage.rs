//! Damaged files are errors, never panics, and never fewer records than were acknowledged.

use std::path::{Path, PathBuf};

use super::*;

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(file, target).unwrap();
    }
}

const RECORDS: u64 = 400;

fn text(index: u64) -> String {
    // Some are large enough to be compressed.
    let count = if index % 40 == 39 { 6_000 } else { index as usize % 50 };
    format!("record {index} {}", "abc".repeat(count))
}

/// A log with records in segments, in tables and in the journal.
async fn fill(directory: &tempfile::TempDir) {
    let log = Log::open(LogOptions { segment_bytes: 5_000, ..options(directory) }).unwrap();
    log.open_topic(&topic("t", 1)).await.unwrap();
    for index in 0..RECORDS {
        log.append("t", 0, records([text(index).as_str()])).await.unwrap();
        if index == RECORDS / 2 {
            for segment in log.shared.partition("t", 0).unwrap().segments() {
                segment.keyspace.rotate_memtable_and_wait().unwrap();
            }
        }
    }
    log.close().await.unwrap();
}

/// Opens and reads everything: all of it as it was, or an error.
async fn read_everything(directory: &tempfile::TempDir) -> Result<()> {
    let log = Log::open(LogOptions { segment_bytes: 5_000, tail_bytes: 0, ..options(directory) })?;
    log.open_topic(&topic("t", 1)).await?;
    let Bounds { end, .. } = log.bounds("t", 0).await?;
    assert_eq!(end, RECORDS, "acknowledged records are gone without an error");
    let mut next = 0;
    while next < end {
        for record in log.read("t", 0, next, 10_000).await? {
            assert_eq!(record.offset, next);
            assert_eq!(record.payload, text(next), "changed without an error");
            next += 1;
        }
    }
    Ok(())
}

#[tokio::test]
async fn flipped_bytes_are_errors_or_harmless() {
    let good = tempfile::tempdir().unwrap();
    fill(&good).await;
    read_everything(&good).await.expect("what is whole reads whole");
    let root = good.path().join("stream");
    let mut errors = 0;
    let mut tries = 0;
    for file in files(&root) {
        let stored = std::fs::read(&file).unwrap();
        // The journal is mostly preallocated: damage the used bytes.
        let used = stored.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let places = if used > 2_000 { 24 } else { 3 };
        for place in 0..places.min(used) {
            let bad = tempfile::tempdir().unwrap();
            copy(&root, &bad.path().join("stream"));
            let mut bytes = stored.clone();
            // Spread over the file, never the same alignment.
            let at = (place * used / places + place * 7) % used;
            bytes[at] ^= 0x41;
            std::fs::write(bad.path().join("stream").join(file.strip_prefix(&root).unwrap()), bytes).unwrap();
            tries += 1;
            // A task, to catch a panic.
            let result = tokio::spawn(async move { read_everything(&bad).await }).await;
            match result {
                Ok(Ok(())) => {}
                Ok(Err(StreamError::Damaged { .. } | StreamError::Storage { .. })) => errors += 1,
                Ok(Err(error)) => panic!("{} at {at}: {error}", file.display()),
                Err(panic) => panic!("{} at {at}: {panic}", file.display()),
            }
        }
    }
    assert!(errors * 3 > tries, "{errors} of {tries} flips were noticed");
}

#[tokio::test]
async fn a_journal_cut_in_the_middle_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let log = Log::open(options(&directory)).unwrap();
    log.open_topic(&topic("t", 1)).await.unwrap();
    for index in 0..RECORDS {
        log.append("t", 0, records([text(index).as_str()])).await.unwrap();
    }
    log.close().await.unwrap();
    let journal = directory.path().join("stream/database/0.jnl");
    let mut stored = std::fs::read(&journal).unwrap();
    let used = stored.iter().rposition(|byte| *byte != 0).unwrap();
    stored[used / 2..].fill(0);
    std::fs::write(&journal, stored).unwrap();
    let log = Log::open(options(&directory)).unwrap();
    match log.open_topic(&topic("t", 1)).await {
        Err(StreamError::Damaged { offset, detail, .. }) => {
            assert!((1..RECORDS).contains(&offset));
            assert!(detail.contains(&RECORDS.to_string()), "{detail}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_missing_block_is_an_error_with_its_offset_and_never_skipped() {
    let directory = tempfile::tempdir().unwrap();
    let log = Log::open(LogOptions { tail_bytes: 0, ..options(&directory) }).unwrap();
    log.open_topic(&topic("t", 1)).await.unwrap();
    for index in 0..10 {
        log.append("t", 0, records([text(index).as_str()])).await.unwrap();
    }
    let segment = log.shared.partition("t", 0).unwrap().active().unwrap();
    segment.keyspace.remove(4_u64.to_be_bytes()).unwrap();
    assert_eq!(log.read("t", 0, 0, 1 << 20).await.unwrap().len(), 4, "what comes before can be read");
    match log.read("t", 0, 4, 1 << 20).await {
        Err(StreamError::Damaged { offset: 4, .. }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(log.read("t", 0, 5, 1 << 20).await.unwrap().len(), 5);
    drop(segment);
    drop(log);
    let log = Log::open(options(&directory)).unwrap();
    match log.open_topic(&topic("t", 1)).await {
        Err(StreamError::Damaged { offset: 4, .. }) => {}
        other => panic!("{other:?}"),
    }
}
