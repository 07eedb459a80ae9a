//! A clock that was once wrong delays retention by a minute at most, and lag is reported correctly.

use super::{
    retention::{clock, hourly},
    *,
};

/// The clock is ten years ahead for one append.
async fn ahead_once(log: &Log, now: &std::sync::atomic::AtomicI64) {
    now.fetch_add(10 * 365 * 86_400, Ordering::SeqCst);
    log.append("t", 0, records(["ahead"])).await.unwrap();
    now.fetch_sub(10 * 365 * 86_400, Ordering::SeqCst);
}

async fn timestamps(log: &Log) -> Vec<i64> {
    let Bounds { start, end } = log.bounds("t", 0).await.unwrap();
    read_all(log, "t", 0, start, end).await.iter().map(|record| record.timestamp / 1_000).collect()
}

#[tokio::test]
async fn a_record_of_a_clock_that_was_ahead_ages_from_the_step_back_on() {
    // Each append a segment of its own, or all in one.
    for segment_bytes in [1, 64 << 20] {
        for reopened in [false, true] {
            let directory = tempfile::tempdir().unwrap();
            let (clock, now) = clock();
            let begun = now.load(Ordering::SeqCst);
            let options = LogOptions { segment_bytes, tail_bytes: 0, clock, ..options(&directory) };
            let mut log = Log::open(options.clone()).unwrap();
            let epoch = log.open_topic(&hourly("t")).await.unwrap().epoch;
            log.append("t", 0, records(["before"])).await.unwrap();
            ahead_once(&log, &now).await;
            now.fetch_add(30, Ordering::SeqCst);
            for _ in 0..2 {
                log.append("t", 0, records(["after"])).await.unwrap();
                now.fetch_add(600, Ordering::SeqCst);
            }
            log.commit("g", "t", 0, &cursor(epoch, 4)).await.unwrap();
            if reopened {
                drop(log);
                log = Log::open(options).unwrap();
                log.open_topic(&hourly("t")).await.unwrap();
            }
            let expected: Vec<i64> = [0, 30, 30, 630].map(|after| begun + after).into();
            assert_eq!(timestamps(&log).await, expected, "{segment_bytes} {reopened}");
            now.store(begun + 3_600 + 31, Ordering::SeqCst);
            log.enforce_retention().unwrap();
            let start = log.bounds("t", 0).await.unwrap().start;
            assert_eq!(start, 3, "an hour after the step all before it is old: {segment_bytes} {reopened}");
        }
    }
}

#[tokio::test]
async fn nobody_need_append_for_a_step_back_to_be_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, now) = clock();
    let log = Log::open(LogOptions { clock, ..options(&directory) }).unwrap();
    let epoch = log.open_topic(&hourly("t")).await.unwrap().epoch;
    let begun = now.load(Ordering::SeqCst);
    ahead_once(&log, &now).await;
    log.enforce_retention().unwrap();
    assert_eq!(timestamps(&log).await, [begun], "its lag is counted from then on");
    log.commit("g", "t", 0, &cursor(epoch, 1)).await.unwrap();
    now.fetch_add(3_601, Ordering::SeqCst);
    log.enforce_retention().unwrap();
    assert_eq!(log.bounds("t", 0).await.unwrap().start, 1);
}

#[tokio::test]
async fn a_small_step_back_is_not_followed() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, now) = clock();
    let log = Log::open(LogOptions { clock, ..options(&directory) }).unwrap();
    log.open_topic(&hourly("t")).await.unwrap();
    let begun = now.load(Ordering::SeqCst);
    for step in [0, -60, 30, 31] {
        now.fetch_add(step, Ordering::SeqCst);
        log.append("t", 0, records(["a"])).await.unwrap();
    }
    assert_eq!(timestamps(&log).await, [begun, begun, begun, begun + 1]);
}

#[tokio::test]
async fn a_partition_whose_timestamps_an_earlier_build_carried_on_is_put_right() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, now) = clock();
    let options = LogOptions { segment_bytes: 1, clock, ..options(&directory) };
    let log = Log::open(options.clone()).unwrap();
    log.open_topic(&hourly("t")).await.unwrap();
    let begun = now.load(Ordering::SeqCst);
    // As it was written then: everything after the step as of ten years later.
    now.fetch_add(10 * 365 * 86_400, Ordering::SeqCst);
    for _ in 0..3 {
        log.append("t", 0, records(["ahead"])).await.unwrap();
    }
    drop(log);
    now.store(begun, Ordering::SeqCst);
    let log = Log::open(options).unwrap();
    log.open_topic(&hourly("t")).await.unwrap();
    log.append("t", 0, records(["right"])).await.unwrap();
    assert_eq!(timestamps(&log).await, [begun; 4]);
}
