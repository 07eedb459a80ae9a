//! Retention deletes what every cursor has passed and nothing else, and the space comes back.

use std::{sync::atomic::AtomicI64, time::SystemTime};

use super::*;

/// A clock that stands still until it is moved.
pub(super) fn clock() -> (Clock, Arc<AtomicI64>) {
    let now = Arc::new(AtomicI64::new(1_000_000));
    let seconds = Arc::clone(&now);
    let clock: Clock =
        Arc::new(move || SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.load(Ordering::SeqCst).unsigned_abs()));
    (clock, now)
}

pub(super) fn hourly(name: &str) -> TopicSpec {
    let retention = Retention { age: Some(Duration::from_hours(1)), bytes: None };
    TopicSpec { retention, ..topic(name, 1) }
}

async fn start(log: &Log) -> u64 {
    log.bounds("t", 0).await.unwrap().start
}

#[tokio::test]
async fn only_what_every_cursor_has_passed_and_is_old_goes() {
    for segment_bytes in [1, 64 << 20] {
        let directory = tempfile::tempdir().unwrap();
        let (clock, now) = clock();
        let options = LogOptions { segment_bytes, clock, ..options(&directory) };
        let log = Log::open(options.clone()).unwrap();
        let epoch = log.open_topic(&hourly("t")).await.unwrap().epoch;
        for index in 0..10 {
            log.append("t", 0, records([index.to_string().as_str(), "and one"])).await.unwrap();
            now.fetch_add(60, Ordering::SeqCst);
        }
        now.fetch_add(3600 - 300, Ordering::SeqCst);
        log.enforce_retention().unwrap();
        assert_eq!(start(&log).await, 0, "no reader is known");

        log.commit("fast", "t", 0, &cursor(epoch, 20)).await.unwrap();
        log.register_group("slow", "t").await.unwrap();
        log.enforce_retention().unwrap();
        assert_eq!(start(&log).await, 0, "a reader that has not committed has passed nothing");

        log.commit("slow", "t", 0, &cursor(epoch, 7)).await.unwrap();
        log.enforce_retention().unwrap();
        assert_eq!(start(&log).await, 6, "what both have passed, by whole blocks");

        log.commit("slow", "t", 0, &cursor(epoch, 20)).await.unwrap();
        log.enforce_retention().unwrap();
        assert_eq!(start(&log).await, 10, "five of ten appends are older than an hour");
        let error = log.read("t", 0, 9, 1).await.unwrap_err();
        assert!(matches!(error, StreamError::OutOfRange { wanted: 9, start: 10, end: 20, .. }), "{error}");
        assert_eq!(read_all(&log, "t", 0, 10, 20).await.len(), 10);

        now.fetch_add(7200, Ordering::SeqCst);
        log.enforce_retention().unwrap();
        assert_eq!(log.bounds("t", 0).await.unwrap(), Bounds { start: 20, end: 20 });
        assert_eq!(log.size("t").await.unwrap().unwrap(), 0);
        drop(log);

        let log = Log::open(options).unwrap();
        log.open_topic(&hourly("t")).await.unwrap();
        assert_eq!(log.bounds("t", 0).await.unwrap(), Bounds { start: 20, end: 20 });
        assert_eq!(log.append("t", 0, records(["next"])).await.unwrap(), 20, "offsets go on");
        assert_eq!(read_all(&log, "t", 0, 20, 21).await[0].payload, "next");
    }
}

#[tokio::test]
async fn the_oldest_records_beyond_the_bytes_go() {
    for segment_bytes in [1, 2_500, 64 << 20] {
        let directory = tempfile::tempdir().unwrap();
        let log = Log::open(LogOptions { segment_bytes, ..options(&directory) }).unwrap();
        let retention = Retention { age: None, bytes: Some(5_000) };
        let epoch = log.open_topic(&TopicSpec { retention, ..topic("t", 1) }).await.unwrap().epoch;
        for _ in 0..20 {
            log.append("t", 0, records(["x".repeat(1_000).as_str()])).await.unwrap();
        }
        log.commit("g", "t", 0, &cursor(epoch, 20)).await.unwrap();
        log.enforce_retention().unwrap();
        assert_eq!(start(&log).await, 15, "the newest 5,000 bytes stay");
        assert!((5_000..6_200).contains(&log.size("t").await.unwrap().unwrap()));
        log.enforce_retention().unwrap();
        assert_eq!(start(&log).await, 15);
    }
}

#[tokio::test]
async fn room_in_the_budget_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let log = Log::open(LogOptions { disk_budget: 10_000, ..options(&directory) }).unwrap();
    let retention = Retention { age: None, bytes: Some(0) };
    let epoch = log.open_topic(&TopicSpec { retention, ..topic("t", 1) }).await.unwrap().epoch;
    let large = "x".repeat(6_000);
    log.append("t", 0, records([large.as_str()])).await.unwrap();
    assert!(matches!(log.append("t", 0, records([large.as_str()])).await, Err(StreamError::Full { .. })));
    log.commit("g", "t", 0, &cursor(epoch, 1)).await.unwrap();
    log.enforce_retention().unwrap();
    log.append("t", 0, records([large.as_str()])).await.unwrap();
}

#[tokio::test]
async fn retention_runs_by_itself() {
    let directory = tempfile::tempdir().unwrap();
    let options = LogOptions { retention_interval: Duration::from_millis(20), ..options(&directory) };
    let log = Log::open(options).unwrap();
    let retention = Retention { age: None, bytes: Some(0) };
    let epoch = log.open_topic(&TopicSpec { retention, ..topic("t", 1) }).await.unwrap().epoch;
    log.append("t", 0, records(["a"])).await.unwrap();
    log.commit("g", "t", 0, &cursor(epoch, 1)).await.unwrap();
    timeout(Duration::from_secs(30), async {
        while start(&log).await == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn the_files_of_dropped_segments_go() {
    let directory = tempfile::tempdir().unwrap();
    let log = Log::open(LogOptions { segment_bytes: 25_000, ..options(&directory) }).unwrap();
    let retention = Retention { age: None, bytes: Some(0) };
    let epoch = log.open_topic(&TopicSpec { retention, ..topic("t", 1) }).await.unwrap().epoch;
    let segments = || std::fs::read_dir(directory.path().join("stream/database/keyspaces")).unwrap().count();
    let before = segments();
    for _ in 0..40 {
        log.append("t", 0, records(["x".repeat(15_000).as_str()])).await.unwrap();
    }
    assert!(segments() >= before + 19);
    log.commit("g", "t", 0, &cursor(epoch, 40)).await.unwrap();
    log.enforce_retention().unwrap();
    assert_eq!(log.bounds("t", 0).await.unwrap(), Bounds { start: 40, end: 40 });
    // The database releases a segment once its own threads have.
    timeout(Duration::from_secs(30), async {
        while segments() > before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
}
