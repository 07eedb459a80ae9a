//! Dead letters outlive their records, their process, and a stream that is full.

use super::*;
use crate::stream::{DeadLetterQuery, contract::letter};

fn everything() -> DeadLetterQuery {
    DeadLetterQuery { limit: usize::MAX, ..DeadLetterQuery::default() }
}

#[tokio::test]
async fn dead_letters_are_there_after_retention_and_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let log = Log::open(options(&directory)).unwrap();
    let spec = TopicSpec { retention: Retention { age: None, bytes: Some(0) }, ..topic("t", 1) };
    let epoch = log.open_topic(&spec).await.unwrap().epoch;
    log.append("t", 0, records(["a", "b"])).await.unwrap();
    let kept = letter("table", 0, 1, "b");
    log.put_dead_letters(std::slice::from_ref(&kept)).await.unwrap();
    log.commit("g", "t", 0, &cursor(epoch, 2)).await.unwrap();
    log.enforce_retention().unwrap();
    assert_eq!(log.bounds("t", 0).await.unwrap().start, 2);
    assert_eq!(log.dead_letters(&everything()).await.unwrap(), std::slice::from_ref(&kept));
    log.close().await.unwrap();

    let log = Log::open(options(&directory)).unwrap();
    assert_eq!(log.dead_letters(&everything()).await.unwrap(), [kept]);
}

#[tokio::test]
async fn a_full_stream_still_keeps_dead_letters() {
    let directory = tempfile::tempdir().unwrap();
    let log = Log::open(LogOptions { disk_budget: 100, ..options(&directory) }).unwrap();
    log.open_topic(&topic("t", 1)).await.unwrap();
    let large = "x".repeat(1000);
    let full = log.append("t", 0, records([large.as_str()])).await;
    assert!(matches!(full, Err(StreamError::Full { .. })), "{full:?}");
    assert_eq!(log.put_dead_letters(&[letter("table", 0, 0, &large)]).await.unwrap(), 1);
}
