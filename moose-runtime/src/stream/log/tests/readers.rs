//! Readers that are gone, or that go back: what is kept for them, and what the witness says.

use super::*;
use crate::stream::Cursor;

#[tokio::test]
async fn retention_waits_for_nobody_who_was_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let log = Log::open(options(&directory)).unwrap();
    let spec = TopicSpec { retention: Retention { age: None, bytes: Some(0) }, ..topic("t", 1) };
    let epoch = log.open_topic(&spec).await.unwrap().epoch;
    for _ in 0..10 {
        log.append("t", 0, records(["a"])).await.unwrap();
    }
    log.commit("here", "t", 0, &cursor(epoch, 8)).await.unwrap();
    log.commit("gone", "t", 0, &cursor(epoch, 3)).await.unwrap();
    log.register_group("never began", "t").await.unwrap();
    log.enforce_retention().unwrap();
    assert_eq!(log.bounds("t", 0).await.unwrap().start, 0);
    assert!(log.forget_reader("t", "never began", None).await.unwrap());
    log.enforce_retention().unwrap();
    assert_eq!(log.bounds("t", 0).await.unwrap().start, 3);
    assert!(log.forget_reader("t", "gone", None).await.unwrap());
    log.enforce_retention().unwrap();
    assert_eq!(log.bounds("t", 0).await.unwrap().start, 8);
    drop(log);

    let log = Log::open(options(&directory)).unwrap();
    log.open_topic(&spec).await.expect("nothing is missing");
    assert_eq!(log.readers("t").await.unwrap().len(), 1);
    assert_eq!(log.shared.partition("t", 0).unwrap().passed(), Some(8));
}

#[tokio::test]
async fn an_heir_goes_on_with_what_was_written_and_the_tokens_begin_as_before() {
    let directory = tempfile::tempdir().unwrap();
    let log = Log::open(options(&directory)).unwrap();
    let epoch = log.open_topic(&topic("t", 2)).await.unwrap().epoch;
    log.append("t", 0, records(["a", "b", "c"])).await.unwrap();
    log.register_group("gone", "t").await.unwrap();
    log.register_group("heir", "t").await.unwrap();
    // As written by an earlier build.
    let stored = format!(
        r#"{{"version":1, "epoch":{epoch},"table_uuid":null,"next":1,"pending":[{{"first":1,"last":2,"since":7,"attempts":2,"burnt":true}}],"later":5}}"#
    );
    let key = |group| key::cursor((epoch, 0), group);
    log.put(vec![(key("gone"), Some(stored.clone().into_bytes()))], Vec::new()).await.unwrap();
    log.commit("heir", "t", 0, &cursor(epoch, 3)).await.unwrap();
    assert!(log.forget_reader("t", "gone", Some("heir")).await.unwrap());
    let value = |group| log.shared.with_store(|store| store.value(&key(group))).unwrap();
    let heir: Cursor = serde_json::from_slice(&value("heir").unwrap()).unwrap();
    let before: Cursor = serde_json::from_slice(stored.as_bytes()).unwrap();
    assert_eq!(heir, Cursor { id: Some("gone/t".to_owned()), ..before });
    assert_eq!(value("gone"), None);
    drop(log);

    let log = Log::open(options(&directory)).unwrap();
    log.open_topic(&topic("t", 2)).await.expect("a cursor that went back is no damage");
    let partition = log.shared.partition("t", 0).unwrap();
    assert_eq!((partition.groups(), partition.passed()), (vec!["heir".to_owned()], Some(1)));
    assert_eq!(log.shared.partition("t", 1).unwrap().groups(), ["heir"], "the registration went along");
}

/// The process ends right after the write, before the witness is updated.
#[tokio::test]
async fn a_cursor_that_goes_back_or_goes_is_no_damage_whenever_the_process_is_killed() {
    for after_writing in [true, false] {
        for forget in [true, false] {
            let directory = tempfile::tempdir().unwrap();
            let fail = Arc::new(AtomicBool::new(false));
            let disk = Failing { fail: Arc::clone(&fail), after_writing: Arc::new(AtomicBool::new(after_writing)) };
            let log = Log::open_on(options(&directory), Box::new(disk)).unwrap();
            let epoch = log.open_topic(&topic("t", 1)).await.unwrap().epoch;
            log.append("t", 0, records(["a", "b"])).await.unwrap();
            log.commit("g", "t", 0, &cursor(epoch, 2)).await.unwrap();
            fail.store(true, Ordering::SeqCst);
            let failed = if forget {
                log.forget_reader("t", "g", None).await.map(drop)
            } else {
                log.commit("g", "t", 0, &cursor(epoch, 0)).await
            };
            failed.unwrap_err();
            drop(log);
            let log = Log::open(options(&directory)).unwrap();
            log.open_topic(&topic("t", 1)).await.expect("nothing is damaged");
            let next = log.cursor("g", "t", 0).await.unwrap().map(|cursor| cursor.next);
            assert_eq!(
                next,
                if !after_writing {
                    Some(2)
                } else if forget {
                    None
                } else {
                    Some(0)
                }
            );
        }
    }
}

#[tokio::test]
async fn whoever_asks_for_a_cursor_is_no_reader_yet() {
    let directory = tempfile::tempdir().unwrap();
    let log = Log::open(options(&directory)).unwrap();
    let epoch = log.open_topic(&topic("t", 1)).await.unwrap().epoch;
    log.append("t", 0, records(["a"])).await.unwrap();
    log.commit("g", "t", 0, &cursor(epoch, 1)).await.unwrap();
    assert_eq!(log.cursor("a name of former times", "t", 0).await.unwrap(), None);
    assert_eq!(log.shared.partition("t", 0).unwrap().passed(), Some(1), "records are kept for nobody else");
}
