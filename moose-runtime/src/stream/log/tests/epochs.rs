//! Each opening begins a new epoch, whatever happened to the directory before it.

use std::{collections::HashSet, path::Path};

use super::*;
use crate::stream::{Counted, Cursor, DeadLetterQuery, EpochStart, Pending};

fn starts(list: &[(u64, u64)]) -> Vec<EpochStart> {
    list.iter().map(|&(first, epoch)| EpochStart { first, epoch }).collect()
}

async fn opened(directory: &tempfile::TempDir, partitions: u16) -> (Log, u64) {
    let log = Log::open(options(directory)).unwrap();
    let epoch = log.open_topic(&topic("t", partitions)).await.unwrap().epoch;
    (log, epoch)
}

fn list(log: &Log, partition: u16) -> Vec<EpochStart> {
    log.epochs("t", partition).unwrap().unwrap().list()
}

#[tokio::test]
async fn an_opening_begins_an_epoch_and_idle_ones_make_nothing_grow() {
    let directory = tempfile::tempdir().unwrap();
    let (log, _) = opened(&directory, 2).await;
    let one = log.epochs("t", 0).unwrap().unwrap().at(0);
    log.append("t", 0, records(["a", "b"])).await.unwrap();
    drop(log);
    let mut seen = HashSet::from([one]);
    for _ in 0..5 {
        let (log, storage) = opened(&directory, 2).await;
        let [kept, newest] = list(&log, 0)[..] else { panic!("{:?}", list(&log, 0)) };
        assert_eq!((kept, newest.first), (EpochStart { first: 0, epoch: one }, 2));
        assert!(seen.insert(newest.epoch), "no epoch comes back");
        assert_eq!(list(&log, 1), starts(&[(0, newest.epoch)]), "nothing was written to it yet");
        assert_eq!(log.topic("t").await.unwrap().epoch, storage, "the storage is the same");
        assert_eq!(log.epoch("g", "t", 0).await.unwrap(), storage);
        // Killed rather than closed: what matters is on the disk since it was opened.
        drop(log);
    }
    let (log, _) = opened(&directory, 3).await;
    log.append("t", 0, records(["c"])).await.unwrap();
    assert_eq!(list(&log, 0).len(), 2);
    assert_eq!(list(&log, 2)[0].first, 0);
}

#[tokio::test]
async fn what_is_appended_after_a_copy_came_back_has_an_epoch_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let (log, _) = opened(&directory, 1).await;
    log.append("t", 0, records(["a"])).await.unwrap();
    drop(log);
    let copy = tempfile::tempdir().unwrap();
    copy_all(directory.path(), copy.path());
    let mut epochs = HashSet::new();
    for directory in [&directory, &copy] {
        let (log, _) = opened(directory, 1).await;
        assert_eq!(log.append("t", 0, records(["b"])).await.unwrap(), 1);
        assert!(epochs.insert(log.epochs("t", 0).unwrap().unwrap().at(1)));
    }
}

fn copy_all(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy_all(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Made by a build that knew one epoch per topic: 20 records in partition 0 in several segments, 3 in partition 1, the
/// cursors of `app/t` with a pending range 12-15, the registration of `app/unread`, and a dead letter at 3.
#[tokio::test]
async fn a_directory_of_one_epoch_is_taken_over_as_it_is() {
    const STORAGE: u64 = 0x3484_46d0_162a_a4f0;
    let directory = tempfile::tempdir().unwrap();
    let packed = zstd::Decoder::new(&include_bytes!("fixtures/one_epoch.tar.zst")[..]).unwrap();
    tar::Archive::new(packed).unpack(directory.path()).unwrap();
    let (log, storage) = opened(&directory, 2).await;
    assert_eq!(storage, STORAGE);
    let [kept, newest] = list(&log, 0)[..] else { panic!("{:?}", list(&log, 0)) };
    assert_eq!((kept, newest.first), (EpochStart { first: 0, epoch: STORAGE }, 20));
    assert_ne!(newest.epoch, STORAGE);
    assert_eq!(list(&log, 1), starts(&[(0, STORAGE), (3, newest.epoch)]));

    let texts = read_all(&log, "t", 0, 0, 20).await.into_iter().map(|record| record.payload);
    assert!(texts.eq((0..20).map(|index| Bytes::from(format!(r#"{{"id":{index}}}"#)))));
    let cursor = log.cursor("app/t", "t", 0).await.unwrap().unwrap();
    let pending = vec![Pending { attempts: 1, ..Pending::new(12, 15, 1_764_000_000_000) }];
    assert_eq!((cursor.next, cursor.pending, cursor.epoch), (12, pending, STORAGE));
    assert_eq!((cursor.counted, cursor.id), (Some(Counted { from: 0, inserted: 12 }), None));
    let readers = log.readers("t").await.unwrap();
    let found: Vec<_> = readers.iter().map(|reader| (reader.group.as_str(), reader.cursor.is_some())).collect();
    assert_eq!(found, [("app/t", true), ("app/t", true), ("app/unread", false), ("app/unread", false)]);
    let letters = log.dead_letters(&DeadLetterQuery { limit: 10, ..DeadLetterQuery::default() }).await.unwrap();
    assert_eq!(letters.iter().map(|letter| (letter.key.epoch, letter.key.offset)).collect::<Vec<_>>(), [(STORAGE, 3)]);
    assert_eq!(log.append("t", 0, records(["new"])).await.unwrap(), 20);
    drop(log);
    let (log, _) = opened(&directory, 2).await;
    assert_eq!(list(&log, 0).len(), 3);
}

#[tokio::test]
async fn old_epochs_go_once_their_records_are_gone_and_the_counts_that_rest_on_them() {
    let directory = tempfile::tempdir().unwrap();
    let (log, storage) = opened(&directory, 1).await;
    let retention = Retention { age: None, bytes: Some(0) };
    log.open_topic(&TopicSpec { retention, ..topic("t", 1) }).await.unwrap();
    for _ in 0..1_500 {
        log.append("t", 0, records(["a"])).await.unwrap();
    }
    let counted = |next, from| Cursor { counted: Some(Counted { from, inserted: 3 }), ..cursor(storage, next) };
    log.commit("early", "t", 0, &counted(1_490, 0)).await.unwrap();
    log.commit("late", "t", 0, &counted(1_495, 1_400)).await.unwrap();
    log.commit("never", "t", 0, &cursor(storage, 1_495)).await.unwrap();
    log.enforce_retention().unwrap();
    assert_eq!(log.bounds("t", 0).await.unwrap().start, 1_490);
    let many: Vec<_> = (0..1_500).map(|first| (first, first + 7)).collect();
    let value = serde_json::json!({ "version": 1, "epochs": starts(&many) }).to_string().into_bytes();
    log.put(vec![(key::epochs((storage, 0)), Some(value))], Vec::new()).await.unwrap();
    drop(log);

    let (log, _) = opened(&directory, 1).await;
    let kept = list(&log, 0);
    assert_eq!((kept.len(), kept[0]), (1_000, EpochStart { first: 501, epoch: 508 }));
    assert_eq!(log.epochs("t", 0).unwrap().unwrap().at(700), 707);
    let of = async |group: &str| log.cursor(group, "t", 0).await.unwrap().unwrap();
    assert_eq!(of("early").await.counted, Some(Counted::since(1_490)));
    assert_eq!(of("late").await, counted(1_495, 1_400));
    assert_eq!(of("never").await.counted, None);
}

#[tokio::test]
async fn epochs_of_records_that_are_there_are_kept_however_many() {
    let directory = tempfile::tempdir().unwrap();
    let (log, storage) = opened(&directory, 1).await;
    log.append("t", 0, records(std::iter::repeat_n("a", 1_500))).await.unwrap();
    let many: Vec<_> = (0..1_500).map(|first| (first, first + 7)).collect();
    let value = serde_json::json!({ "version": 1, "epochs": starts(&many) }).to_string().into_bytes();
    log.put(vec![(key::epochs((storage, 0)), Some(value))], Vec::new()).await.unwrap();
    drop(log);
    let (log, _) = opened(&directory, 1).await;
    assert_eq!(list(&log, 0).len(), 1_501);
}

#[tokio::test]
async fn an_epoch_that_began_beyond_the_end_tells_that_the_end_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let (log, storage) = opened(&directory, 1).await;
    let value = serde_json::json!({ "version": 1, "epochs": starts(&[(0, 1), (5, 2)]) }).to_string().into_bytes();
    log.put(vec![(key::epochs((storage, 0)), Some(value))], Vec::new()).await.unwrap();
    drop(log);
    let log = Log::open(options(&directory)).unwrap();
    let error = log.open_topic(&topic("t", 1)).await.unwrap_err();
    assert!(matches!(error, StreamError::Damaged { offset: 0, .. }), "{error}");
    assert!(error.to_string().contains("5 is the end that was acknowledged"), "{error}");
}

#[tokio::test]
async fn a_topic_is_not_open_before_its_epochs_are_durable() {
    let directory = tempfile::tempdir().unwrap();
    let (log, _) = opened(&directory, 3).await;
    drop(log);
    let fail = Arc::new(AtomicBool::new(true));
    let disk = Failing { fail: Arc::clone(&fail), ..Failing::default() };
    let log = Log::open_on(options(&directory), Box::new(disk)).unwrap();
    log.open_topic(&topic("t", 3)).await.unwrap_err();
    let error = log.append("t", 0, records(["a"])).await.unwrap_err();
    assert!(matches!(error, StreamError::Paused { .. }), "{error}");
    // A paused log accepts nothing anyway: whether the topic is open shows once it is not paused.
    assert_eq!(log.partitions("t"), 0);
    fail.store(false, Ordering::SeqCst);
    let refused = async {
        loop {
            match log.append("t", 0, records(["a"])).await.unwrap_err() {
                StreamError::Paused { .. } => tokio::time::sleep(Duration::from_millis(5)).await,
                error => return error,
            }
        }
    };
    let error = timeout(Duration::from_secs(30), refused).await.expect("it opens itself anew");
    assert!(matches!(error, StreamError::UnknownTopic { .. }), "{error}");
    log.open_topic(&topic("t", 3)).await.unwrap();
    log.append("t", 0, records(["a"])).await.unwrap();
    let begun = list(&log, 0);
    drop(log);
    let (log, _) = opened(&directory, 3).await;
    assert_eq!(list(&log, 0)[..begun.len()], begun, "what is open is durable");
}
