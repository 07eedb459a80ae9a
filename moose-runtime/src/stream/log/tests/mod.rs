//! Tests of the log's promises, one file for each.

#![expect(clippy::cast_possible_truncation, reason = "offsets of tests are small")]

mod clock;
mod crash;
mod damage;
mod epochs;
#[cfg(target_os = "linux")]
mod files;
mod letters;
mod model;
mod readers;
mod reopen;
mod retention;
mod torn;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fjall::OwnedWriteBatch;
use tokio::time::timeout;

use super::{
    disk::{CommitError, Disk},
    *,
};
use crate::stream::{
    Backend, BoxFuture, Retention,
    contract::{self, cursor, read_all, records, topic},
};
use crate::sync::READ_BYTES;

/// Options for tests: retention runs only when called.
fn options(directory: &tempfile::TempDir) -> LogOptions {
    LogOptions { retention_interval: Duration::from_hours(1), ..LogOptions::new(directory.path().join("stream")) }
}

#[tokio::test]
async fn the_log_keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let log = Log::open(options(&directory)).unwrap();
    contract::check(&log, "contract").await;
}

#[tokio::test]
async fn the_log_keeps_the_contract_without_a_tail_and_in_many_segments() {
    let directory = tempfile::tempdir().unwrap();
    let options = LogOptions { tail_bytes: 0, segment_bytes: 1, ..options(&directory) };
    let log = Log::open(options).unwrap();
    contract::check(&log, "contract").await;
}

#[tokio::test]
async fn a_worker_reads_whole_blocks_so_that_none_is_unpacked_twice() {
    let directory = tempfile::tempdir().unwrap();
    let log = Log::open(LogOptions { tail_bytes: 0, ..options(&directory) }).unwrap();
    log.open_topic(&topic("t", 1)).await.unwrap();
    // Three blocks of about a mebibyte, and a small one after each.
    let (text, mut ends) = ("x".repeat(100), Vec::new());
    for _ in 0..3 {
        for count in [(1 << 20) / 100, 10] {
            let appended = records(std::iter::repeat_n(text.as_str(), count));
            let size = appended.len() as u64;
            ends.push(log.append("t", 0, appended).await.unwrap() + size);
        }
    }
    let mut next = 0;
    while next < *ends.last().unwrap() {
        next += log.read("t", 0, next, READ_BYTES).await.unwrap().len() as u64;
        assert!(ends.contains(&next), "a read ended at {next}, blocks end at {ends:?}");
    }
}

#[tokio::test]
async fn partitions_can_t_be_taken_away() {
    let directory = tempfile::tempdir().unwrap();
    let log = Log::open(options(&directory)).unwrap();
    log.open_topic(&topic("t", 3)).await.unwrap();
    let error = log.open_topic(&topic("t", 2)).await.unwrap_err();
    assert!(matches!(error, StreamError::Shrunk { stored: 3, declared: 2, .. }), "{error}");
}

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let log = Log::open(options(&directory)).unwrap();
    let opened = log.open_topic(&topic("t", 2)).await.unwrap();
    log.append("t", 1, records(["a", "b"])).await.unwrap();
    log.commit("g", "t", 1, &cursor(opened.epoch, 1)).await.unwrap();
    log.close().await.unwrap();

    let log = Log::open(options(&directory)).unwrap();
    assert_eq!(log.open_topic(&topic("t", 2)).await.unwrap(), opened);
    assert_eq!(log.cursor("g", "t", 1).await.unwrap(), Some(cursor(opened.epoch, 1)));
    assert_eq!(log.append("t", 1, records(["c"])).await.unwrap(), 2);
    let texts: Vec<_> = read_all(&log, "t", 1, 0, 3).await.into_iter().map(|record| record.payload).collect();
    assert_eq!(texts, contract::payloads(["a", "b", "c"]));
}

#[tokio::test]
async fn a_closed_log_says_so_and_wakes_its_readers() {
    let directory = tempfile::tempdir().unwrap();
    let log = Log::open(options(&directory)).unwrap();
    log.open_topic(&topic("t", 1)).await.unwrap();
    let (read, closed) = tokio::join!(timeout(Duration::from_secs(30), log.read("t", 0, 0, 1)), log.close());
    closed.unwrap();
    assert!(matches!(read.expect("closing wakes readers"), Err(StreamError::Closed)));
    assert!(matches!(log.append("t", 0, records(["a"])).await, Err(StreamError::Closed)));
    assert!(matches!(log.bounds("t", 0).await, Err(StreamError::Closed)));
    assert!(matches!(log.cursor("g", "t", 0).await, Err(StreamError::Closed)));
    assert!(matches!(log.open_topic(&topic("t", 1)).await, Err(StreamError::Closed)));
    log.close().await.unwrap();
}

#[tokio::test]
async fn a_second_opener_is_told_who_has_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let log = Log::open(options(&directory)).unwrap();
    let error = Log::open(options(&directory)).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, StreamError::Locked { .. }), "{text}");
    assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    assert!(text.contains(&directory.path().display().to_string()), "{text}");
    assert!(text.contains("data_dir"), "{text}");
    drop(log);
    Log::open(options(&directory)).unwrap();
}

#[test]
fn a_directory_that_cannot_be_written_is_a_storage_error_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("stream"), "a file").unwrap();
    let error = Log::open(options(&directory)).unwrap_err();
    assert!(matches!(error, StreamError::Storage { .. }), "{error}");
    assert!(error.to_string().contains(&directory.path().display().to_string()), "{error}");
}

#[cfg(unix)]
#[test]
fn a_read_only_directory_is_a_storage_error_with_its_name() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().unwrap();
    let path = options(&directory).path;
    std::fs::create_dir(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::File::create(path.join("probe")).is_ok() {
        // Root ignores permissions, so there is nothing to test.
        return;
    }
    let error = Log::open(options(&directory)).unwrap_err();
    assert!(matches!(error, StreamError::Storage { .. }), "{error}");
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn above_its_disk_budget_a_stream_takes_no_records_but_cursors() {
    let directory = tempfile::tempdir().unwrap();
    let log = Log::open(LogOptions { disk_budget: 10_000, ..options(&directory) }).unwrap();
    let opened = log.open_topic(&topic("t", 2)).await.unwrap();
    log.open_topic(&topic("other", 1)).await.unwrap();
    let half = "x".repeat(5_000);
    log.append("t", 0, records([half.as_str()])).await.unwrap();
    let error = log.append("t", 1, records([half.as_str(), "small"])).await.unwrap_err();
    assert!(matches!(error, StreamError::Full { .. }), "{error}");
    assert!(error.to_string().contains("stream.disk_budget"), "{error}");
    assert_eq!(log.bounds("t", 1).await.unwrap(), Bounds { start: 0, end: 0 }, "nothing of it is stored");
    log.append("t", 1, records(["small"])).await.unwrap();
    log.commit("g", "t", 0, &cursor(opened.epoch, 1)).await.unwrap();
    log.append("other", 0, records([half.as_str()])).await.expect("the budget is per stream");
}

#[tokio::test]
async fn appends_that_wait_together_do_not_pass_the_budget_together() {
    let directory = tempfile::tempdir().unwrap();
    let log = Arc::new(Log::open(LogOptions { disk_budget: 10_000, ..options(&directory) }).unwrap());
    log.open_topic(&topic("t", 1)).await.unwrap();
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let log = Arc::clone(&log);
            tokio::spawn(async move { log.append("t", 0, records(["x".repeat(1_000).as_str()])).await })
        })
        .collect();
    let mut stored = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => stored += 1,
            Err(StreamError::Full { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(log.bounds("t", 0).await.unwrap().end, stored);
    assert!((8..=9).contains(&stored), "{stored}");
    assert!(log.size("t").await.unwrap().unwrap() <= 10_000);
}

/// A disk that fails on request, before or after it has written.
#[derive(Clone, Default)]
struct Failing {
    fail: Arc<AtomicBool>,
    after_writing: Arc<AtomicBool>,
}

impl Disk for Failing {
    fn commit(&mut self, batch: OwnedWriteBatch) -> Result<(), CommitError> {
        let fail = self.fail.load(Ordering::SeqCst);
        if !fail || self.after_writing.load(Ordering::SeqCst) {
            batch.commit()?;
        }
        if fail { Err("the disk is on fire".into()) } else { Ok(()) }
    }

    fn probe(&mut self, _directory: &std::path::Path) -> std::io::Result<()> {
        if self.fail.load(Ordering::SeqCst) { Err(std::io::Error::other("still on fire")) } else { Ok(()) }
    }
}

#[tokio::test]
async fn a_registered_group_is_known_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let log = Log::open(options(&directory)).unwrap();
    log.open_topic(&topic("t", 1)).await.unwrap();
    log.register_group("g", "t").await.unwrap();
    drop(log);
    let log = Log::open(options(&directory)).unwrap();
    log.open_topic(&topic("t", 1)).await.unwrap();
    assert_eq!(log.shared.partition("t", 0).unwrap().passed(), Some(0));
}

#[tokio::test]
async fn large_appends_lie_packed_in_several_blocks_and_come_back_whole() {
    let directory = tempfile::tempdir().unwrap();
    let log = Log::open(options(&directory)).unwrap();
    log.open_topic(&topic("t", 1)).await.unwrap();
    let texts: Vec<String> = (0..300).map(|index| format!("{index}:{}", "x".repeat(10_000))).collect();
    log.append("t", 0, records(texts.iter().map(String::as_str))).await.unwrap();
    assert!(log.shared.partition("t", 0).unwrap().active().unwrap().keyspace.iter().count() > 2);
    assert!(log.size("t").await.unwrap().unwrap() < 1_000_000, "3 MB of what packs well");
    let read = read_all(&log, "t", 0, 0, 300).await;
    assert!(read.iter().map(|record| &record.payload[..]).eq(texts.iter().map(String::as_bytes)));
}
