//! After a failed write the log reopens itself, with what was acknowledged and nothing else.

use super::*;

/// A log on a disk that fails on request.
fn failing(directory: &tempfile::TempDir, after_writing: bool, segment_bytes: u64) -> (Arc<Log>, Arc<AtomicBool>) {
    let fail = Arc::new(AtomicBool::new(false));
    let disk = Failing { fail: Arc::clone(&fail), after_writing: Arc::new(AtomicBool::new(after_writing)) };
    let log = Log::open_on(LogOptions { segment_bytes, ..options(directory) }, Box::new(disk)).unwrap();
    (Arc::new(log), fail)
}

/// Appends as soon as the log accepts records again.
async fn appended(log: &Log, partition: u16, text: &str) -> u64 {
    let again = async {
        loop {
            match log.append("t", partition, records([text])).await {
                Ok(offset) => return offset,
                Err(StreamError::Paused { maybe_stored: false, .. }) => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    };
    timeout(Duration::from_secs(30), again).await.expect("it opens itself anew")
}

async fn texts(log: &Log, partition: u16) -> Vec<Bytes> {
    let end = log.bounds("t", partition).await.unwrap().end;
    read_all(log, "t", partition, 0, end).await.into_iter().map(|record| record.payload).collect()
}

fn all_ways() -> impl Iterator<Item = (bool, u64)> {
    [false, true]
        .into_iter()
        .flat_map(|after_writing| [1, 64 << 20].map(|segment_bytes| (after_writing, segment_bytes)))
}

#[tokio::test]
async fn it_opens_itself_anew_with_what_was_acknowledged_and_nothing_else() {
    for (after_writing, segment_bytes) in all_ways() {
        let directory = tempfile::tempdir().unwrap();
        let (log, fail) = failing(&directory, after_writing, segment_bytes);
        let epoch = log.open_topic(&topic("t", 2)).await.unwrap().epoch;
        log.append("t", 0, records(["kept"])).await.unwrap();
        log.append("t", 1, records(["of another partition"])).await.unwrap();
        log.commit("g", "t", 0, &cursor(epoch, 1)).await.unwrap();
        let epochs = log.epochs("t", 0).unwrap().unwrap();
        let size = log.size("t").await.unwrap();
        assert_eq!(log.trouble(), None);

        fail.store(true, Ordering::SeqCst);
        for text in ["lost", "and this"] {
            match log.append("t", 0, records([text])).await.unwrap_err() {
                StreamError::Paused { cause, maybe_stored: false } => assert_eq!(cause, "the disk is on fire"),
                error => panic!("{error}"),
            }
        }
        let trouble = log.trouble().unwrap().message;
        assert!(trouble.contains("the disk is on fire") && trouble.contains("opens itself anew"), "{trouble}");
        log.commit("g", "t", 0, &cursor(epoch, 0)).await.unwrap_err();
        assert_eq!(log.bounds("t", 0).await.unwrap().end, 1, "readers see only what is durable");
        assert_eq!(texts(&log, 0).await, ["kept"], "and can read it");
        assert_eq!(log.cursor("g", "t", 0).await.unwrap(), Some(cursor(epoch, 1)));
        let other = Log::open(options(&directory)).unwrap_err();
        assert!(matches!(other, StreamError::Locked { .. }), "nobody sneaks in: {other}");

        fail.store(false, Ordering::SeqCst);
        assert_eq!(appended(&log, 0, "again").await, 1);
        assert_eq!(log.trouble(), None);
        assert_eq!(texts(&log, 0).await, ["kept", "again"]);
        assert_eq!(texts(&log, 1).await, ["of another partition"]);
        assert_ne!(epochs.at(0), epochs.at(1), "an opening as any other, seen through the handle of before");
        log.commit("g", "t", 0, &cursor(epoch, 2)).await.unwrap();
        assert!(log.size("t").await.unwrap() > size);
        log.close().await.unwrap();

        let (log, _) = failing(&directory, false, segment_bytes);
        log.open_topic(&topic("t", 2)).await.unwrap();
        assert_eq!(texts(&log, 0).await, ["kept", "again"]);
        assert_eq!(log.epochs("t", 0).unwrap().unwrap().list()[..2], epochs.list());
        assert_eq!(log.cursor("g", "t", 0).await.unwrap(), Some(cursor(epoch, 2)));
    }
}

#[tokio::test]
async fn what_was_refused_is_not_there_either_when_the_process_ends_before_it_is_mended() {
    for (after_writing, segment_bytes) in all_ways() {
        let directory = tempfile::tempdir().unwrap();
        let (log, fail) = failing(&directory, after_writing, segment_bytes);
        log.open_topic(&topic("t", 1)).await.unwrap();
        log.append("t", 0, records(["kept"])).await.unwrap();
        fail.store(true, Ordering::SeqCst);
        let refused = log.append("t", 0, records(["lost", "too"])).await.unwrap_err();
        assert!(matches!(refused, StreamError::Paused { maybe_stored: false, .. }), "{refused}");
        drop(log);
        for round in 0..2 {
            let (log, _) = failing(&directory, false, segment_bytes);
            log.open_topic(&topic("t", 1)).await.unwrap();
            assert_eq!(texts(&log, 0).await.len(), 1 + round, "round {round}");
            assert_eq!(log.append("t", 0, records(["new"])).await.unwrap(), 1 + round as u64);
        }
    }
}

#[tokio::test]
async fn a_reader_that_waits_goes_on_waiting_and_is_served() {
    let directory = tempfile::tempdir().unwrap();
    let (log, fail) = failing(&directory, true, 64 << 20);
    log.open_topic(&topic("t", 1)).await.unwrap();
    let waiting = tokio::spawn({
        let log = Arc::clone(&log);
        async move { log.read("t", 0, 0, 100).await }
    });
    tokio::task::yield_now().await;
    fail.store(true, Ordering::SeqCst);
    log.append("t", 0, records(["lost"])).await.unwrap_err();
    fail.store(false, Ordering::SeqCst);
    appended(&log, 0, "kept").await;
    let read = timeout(Duration::from_secs(30), waiting).await.unwrap().unwrap().unwrap();
    assert_eq!(read.iter().map(|record| &record.payload[..]).collect::<Vec<_>>(), [b"kept"]);
}

#[tokio::test]
async fn an_idle_log_mends_itself_too() {
    let directory = tempfile::tempdir().unwrap();
    let (log, fail) = failing(&directory, false, 64 << 20);
    log.open_topic(&topic("t", 1)).await.unwrap();
    fail.store(true, Ordering::SeqCst);
    log.append("t", 0, records(["lost"])).await.unwrap_err();
    fail.store(false, Ordering::SeqCst);
    let mended = async {
        while log.trouble().is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(30), mended).await.unwrap();
    assert_eq!(log.append("t", 0, records(["kept"])).await.unwrap(), 0);
}

#[tokio::test]
async fn it_closes_while_it_waits() {
    let directory = tempfile::tempdir().unwrap();
    let (log, fail) = failing(&directory, false, 64 << 20);
    log.open_topic(&topic("t", 1)).await.unwrap();
    fail.store(true, Ordering::SeqCst);
    log.append("t", 0, records(["lost"])).await.unwrap_err();
    timeout(Duration::from_secs(30), log.close()).await.unwrap().unwrap();
    assert!(matches!(log.append("t", 0, records(["a"])).await, Err(StreamError::Closed)));
    Log::open(options(&directory)).unwrap();
}

#[tokio::test]
async fn retention_and_topics_go_on_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let (log, fail) = failing(&directory, true, 1);
    let spec = TopicSpec { retention: Retention { age: None, bytes: Some(0) }, ..topic("t", 1) };
    let epoch = log.open_topic(&spec).await.unwrap().epoch;
    for text in ["a", "b", "c"] {
        log.append("t", 0, records([text])).await.unwrap();
    }
    log.commit("g", "t", 0, &cursor(epoch, 3)).await.unwrap();
    fail.store(true, Ordering::SeqCst);
    log.enforce_retention().unwrap_err();
    log.open_topic(&topic("later", 1)).await.unwrap_err();
    fail.store(false, Ordering::SeqCst);
    assert_eq!(appended(&log, 0, "d").await, 3);
    log.enforce_retention().unwrap();
    assert_eq!(log.bounds("t", 0).await.unwrap(), Bounds { start: 3, end: 4 });
    log.open_topic(&topic("later", 1)).await.unwrap();
    assert_eq!(log.append("later", 0, records(["a"])).await.unwrap(), 0);
}
