//! The contract that every backend keeps, as one suite of tests. A backend's own tests call [`check`]; so do the tests
//! of this repository against real services, which is why it is public with the feature `fault-points`.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]
#![expect(clippy::cast_possible_truncation, reason = "offsets of tests are small")]

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::time::timeout;

use super::{
    AssignmentEvent, Backend, Bounds, Cursor, DeadLetter, DeadLetterDetails, DeadLetterKey, DeadLetterQuery, Ending,
    EpochSpan, NewRecord, Pending, Reader, Record, Retention, StreamError, TopicSpec, WrongField,
};

/// Long enough for the slowest machine; only a broken backend waits for it.
const DEADLINE: Duration = Duration::from_secs(30);

/// The topics that are opened, by their suffix after the prefix and a dash, and the partitions that each will have: for
/// backends whose topics are created elsewhere.
pub const TOPICS: &[(&str, u16)] = &[
    ("order", 1),
    ("size", 1),
    ("wait", 1),
    ("range", 1),
    ("partitions", 3),
    ("again", 1),
    ("alone", 3),
    ("cursors", 2),
    ("concurrent", 1),
    ("unknown", 1),
    ("epochs", 1),
    ("readers", 2),
];

/// A topic without retention.
pub fn topic(name: &str, partitions: u16) -> TopicSpec {
    TopicSpec { name: name.to_owned(), partitions, retention: Retention { age: None, bytes: None } }
}

/// Records to append, with these texts.
pub fn records<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<NewRecord> {
    payloads(texts).into_iter().map(NewRecord::from).collect()
}

/// The texts as they are read.
pub fn payloads<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<Bytes> {
    texts.into_iter().map(|text| Bytes::copy_from_slice(text.as_bytes())).collect()
}

/// A cursor after everything below `next`.
pub fn cursor(epoch: u64, next: u64) -> Cursor {
    Cursor::new(epoch, next)
}

/// Reads from `from` until `end`, in as many reads as the backend needs.
pub async fn read_all(backend: &dyn Backend, topic: &str, partition: u16, from: u64, end: u64) -> Vec<Record> {
    let mut all: Vec<Record> = Vec::new();
    let mut next = from;
    while next < end {
        let read = timeout(DEADLINE, backend.read(topic, partition, next, 1 << 20)).await;
        let read = read.expect("records that exist are read at once").expect("records that exist are read");
        assert_eq!(read.first().map(|record| record.offset), Some(next));
        next = read.last().map_or(next, |record| record.offset + 1);
        all.extend(read);
    }
    all
}

/// Tests the backend against the contract (and panics if it breaks it), with topics whose names begin with `prefix`.
pub async fn check(backend: &dyn Backend, prefix: &str) {
    records_come_back_in_order_with_consecutive_offsets(backend, &format!("{prefix}-order")).await;
    a_read_takes_at_least_one_record_and_then_about_as_much_as_asked(backend, &format!("{prefix}-size")).await;
    a_read_waits_for_records_and_dropping_it_reads_nothing(backend, &format!("{prefix}-wait")).await;
    offsets_that_do_not_exist_are_errors_with_the_numbers(backend, &format!("{prefix}-range")).await;
    partitions_are_apart_and_grow(backend, &format!("{prefix}-partitions")).await;
    a_range_is_read_again_beside_its_reader(backend, &format!("{prefix}-again")).await;
    a_lonely_process_is_assigned_everything(backend, &format!("{prefix}-alone")).await;
    cursors_are_replaced_whole_and_kept_by_group_and_partition(backend, &format!("{prefix}-cursors")).await;
    records_have_an_epoch_before_they_can_be_read(backend, &format!("{prefix}-epochs")).await;
    readers_are_listed_and_forgotten(backend, &format!("{prefix}-readers")).await;
    concurrent_appends_keep_each_caller_s_records_together(backend, &format!("{prefix}-concurrent")).await;
    what_was_not_opened_is_an_error(backend, &format!("{prefix}-unknown")).await;
    dead_letters_are_kept_once_and_listed_in_order(backend, &format!("{prefix}-letters")).await;
    an_ended_dead_letter_is_gone_but_its_offset_stays(backend, &format!("{prefix}-ended")).await;
}

async fn records_come_back_in_order_with_consecutive_offsets(backend: &dyn Backend, name: &str) {
    let opened = backend.open_topic(&topic(name, 1)).await.unwrap();
    assert_ne!(opened.epoch, u64::MAX, "the maximum stands for rows from no stream");
    assert_eq!(backend.bounds(name, 0).await.unwrap(), Bounds { start: 0, end: 0 });
    assert_eq!(backend.append(name, 0, records(["a", "b"])).await.unwrap(), 0);
    assert_eq!(backend.append(name, 0, Vec::new()).await.unwrap(), 2, "nothing to store");
    assert_eq!(backend.append(name, 0, records(["", "d", "e"])).await.unwrap(), 2);
    assert_eq!(backend.bounds(name, 0).await.unwrap(), Bounds { start: 0, end: 5 });
    for from in 0..5 {
        let read = read_all(backend, name, 0, from, 5).await;
        let found: Vec<_> = read.iter().map(|record| (record.offset, record.payload.clone())).collect();
        let expected: Vec<_> = (0..).zip(payloads(["a", "b", "", "d", "e"])).skip(from as usize).collect();
        assert_eq!(found, expected);
        assert!(read.is_sorted_by_key(|record| record.timestamp));
    }
    assert_eq!(backend.open_topic(&topic(name, 1)).await.unwrap(), opened, "the epoch stays");
    assert!(backend.size(name).await.unwrap().is_none_or(|bytes| bytes > 0));
}

async fn a_read_takes_at_least_one_record_and_then_about_as_much_as_asked(backend: &dyn Backend, name: &str) {
    backend.open_topic(&topic(name, 1)).await.unwrap();
    let large = "x".repeat(1000);
    backend.append(name, 0, records(std::iter::repeat_n(large.as_str(), 20))).await.unwrap();
    assert_eq!(backend.read(name, 0, 0, 1).await.unwrap().len(), 1);
    let some = backend.read(name, 0, 3, 5_000).await.unwrap().len();
    assert!((4..=6).contains(&some), "{some}");
}

async fn a_read_waits_for_records_and_dropping_it_reads_nothing(backend: &dyn Backend, name: &str) {
    backend.open_topic(&topic(name, 1)).await.unwrap();
    backend.append(name, 0, records(["before"])).await.unwrap();
    let waiting = timeout(Duration::from_millis(50), backend.read(name, 0, 1, 100)).await;
    assert!(waiting.is_err(), "there is nothing to read");
    let (read, appended) =
        tokio::join!(timeout(DEADLINE, backend.read(name, 0, 1, 100)), backend.append(name, 0, records(["after"])));
    assert_eq!(appended.unwrap(), 1);
    let read = read.expect("the append wakes the reader").unwrap();
    assert_eq!((read[0].offset, &read[0].payload[..]), (1, &b"after"[..]));
}

async fn offsets_that_do_not_exist_are_errors_with_the_numbers(backend: &dyn Backend, name: &str) {
    backend.open_topic(&topic(name, 1)).await.unwrap();
    backend.append(name, 0, records(["a", "b"])).await.unwrap();
    match timeout(DEADLINE, backend.read(name, 0, 3, 100)).await.expect("an error does not wait") {
        Err(StreamError::OutOfRange { wanted: 3, start: 0, end: 2, .. }) => {}
        other => panic!("{other:?}"),
    }
}

async fn partitions_are_apart_and_grow(backend: &dyn Backend, name: &str) {
    let two = backend.open_topic(&topic(name, 2)).await.unwrap();
    assert!(two.partitions >= 2, "{two:?}");
    assert_eq!(backend.append(name, 0, records(["zero"])).await.unwrap(), 0);
    assert_eq!(backend.append(name, 1, records(["one"])).await.unwrap(), 0);
    let three = backend.open_topic(&topic(name, 3)).await.unwrap();
    assert_eq!((three.partitions, three.epoch), (3, two.epoch));
    assert_eq!(backend.topic(name).await.unwrap(), three);
    assert_eq!((backend.partitions(name), backend.partitions("not opened")), (3, 0));
    assert_eq!(backend.append(name, 2, records(["two"])).await.unwrap(), 0);
    for (partition, text) in [(0, "zero"), (1, "one"), (2, "two")] {
        assert_eq!(read_all(backend, name, partition, 0, 1).await[0].payload, text);
    }
}

async fn a_range_is_read_again_beside_its_reader(backend: &dyn Backend, name: &str) {
    backend.open_topic(&topic(name, 1)).await.unwrap();
    let texts: Vec<String> = (0..2_000).map(|index| format!("record {index}")).collect();
    backend.append(name, 0, records(texts.iter().map(String::as_str))).await.unwrap();
    let mut next = 0;
    while next < 2_000 {
        let read = timeout(DEADLINE, backend.read(name, 0, next, 4_000)).await.unwrap().unwrap();
        assert_eq!(read[0].offset, next);
        let last = read[read.len() - 1].offset;
        let again = timeout(DEADLINE, backend.read_range(name, 0, next, last)).await.unwrap().unwrap();
        assert_eq!(again, read);
        let look = timeout(DEADLINE, backend.read(name, 0, next, 1)).await.unwrap().unwrap();
        assert_eq!(look, read[..1]);
        next = last + 1;
    }
    assert_eq!(backend.read_range(name, 0, 0, 1_999).await.unwrap().len(), 2_000);
    assert_eq!(backend.read_range(name, 0, 7, 7).await.unwrap()[0].payload, "record 7");
    match backend.read_range(name, 0, 1_990, 2_000).await {
        Err(StreamError::OutOfRange { wanted: 2_000, start: 0, end: 2_000, .. }) => {}
        other => panic!("{other:?}"),
    }
}

async fn a_lonely_process_is_assigned_everything(backend: &dyn Backend, name: &str) {
    let group = format!("{name}/group");
    backend.open_topic(&topic(name, 3)).await.unwrap();
    let mut assignments = backend.assignments(&group, &[name.to_owned()]).await.unwrap();
    let mut assigned = Vec::new();
    while assigned.len() < 3 {
        match timeout(DEADLINE, assignments.next()).await.unwrap() {
            Some(AssignmentEvent::Assigned { topic, partition }) if topic == name => assigned.push(partition),
            other => panic!("{other:?}"),
        }
    }
    assigned.sort_unstable();
    assert_eq!(assigned, [0, 1, 2]);
    let epoch = backend.epoch(&group, name, 1).await.unwrap();
    assert_ne!(epoch, u64::MAX, "the maximum stands for rows from no stream");
    assert_eq!(backend.epoch(&group, name, 1).await.unwrap(), epoch, "also before it is written down");
    backend.commit(&group, name, 1, &cursor(epoch, 0)).await.unwrap();
    assert_eq!(backend.epoch(&group, name, 1).await.unwrap(), epoch);
    assert_eq!(backend.cursor(&group, name, 1).await.unwrap(), Some(cursor(epoch, 0)));
}

async fn cursors_are_replaced_whole_and_kept_by_group_and_partition(backend: &dyn Backend, name: &str) {
    let epoch = backend.open_topic(&topic(name, 2)).await.unwrap().epoch;
    backend.append(name, 0, records(["a", "b", "c"])).await.unwrap();
    assert_eq!(backend.cursor("first", name, 0).await.unwrap(), None);
    let pending = Pending { attempts: 1, burnt: true, boot: Some(5), ..Pending::new(1, 2, 77) };
    let table_uuid = Some(uuid::Uuid::from_u128(5));
    let id = Some("0123456789abcdef".to_owned());
    let one = Cursor { table_uuid, pending: vec![pending], id, answered: true, ..cursor(epoch, 1) };
    backend.commit("first", name, 0, &one).await.unwrap();
    assert_eq!(backend.cursor("first", name, 0).await.unwrap().as_ref(), Some(&one));
    backend.commit("first", name, 0, &cursor(epoch, 3)).await.unwrap();
    assert_eq!(backend.cursor("first", name, 0).await.unwrap(), Some(cursor(epoch, 3)));
    assert_eq!(backend.cursor("first", name, 1).await.unwrap(), None);
    assert_eq!(backend.cursor("second", name, 0).await.unwrap(), None);
}

async fn records_have_an_epoch_before_they_can_be_read(backend: &dyn Backend, name: &str) {
    backend.open_topic(&topic(name, 1)).await.unwrap();
    let Some(epochs) = backend.epochs(name, 0).unwrap() else { return };
    let before = epochs.at(0);
    assert_ne!(before, u64::MAX, "the maximum stands for rows from no stream");
    backend.append(name, 0, records(["a", "b"])).await.unwrap();
    assert_eq!(epochs.spans(0, 1), [EpochSpan { epoch: before, first: 0, last: 1 }]);
    backend.open_topic(&topic(name, 1)).await.unwrap();
    assert_eq!(backend.epochs(name, 0).unwrap().unwrap().list(), epochs.list(), "a topic that is open is not opened");
    let error = backend.epochs(name, 1).unwrap_err();
    assert!(matches!(error, StreamError::UnknownPartition { partition: 1, .. }), "{error}");
}

async fn readers_are_listed_and_forgotten(backend: &dyn Backend, name: &str) {
    let epoch = backend.open_topic(&topic(name, 2)).await.unwrap().epoch;
    assert_eq!(backend.readers(name).await.unwrap(), []);
    assert!(!backend.forget_reader(name, "gone", Some("heir")).await.unwrap(), "nobody of that name");
    backend.append(name, 0, records(["a", "b", "c"])).await.unwrap();
    let pending = vec![Pending { attempts: 3, ..Pending::new(1, 2, 77) }];
    let gone = Cursor { pending, id: Some("0123456789abcdef".to_owned()), ..cursor(epoch, 1) };
    backend.commit("gone", name, 0, &gone).await.unwrap();
    if backend.readers(name).await.unwrap().is_empty() {
        assert!(!backend.forget_reader(name, "gone", None).await.unwrap(), "who can't list them can't forget them");
        return;
    }
    backend.commit("heir", name, 0, &cursor(epoch, 3)).await.unwrap();
    backend.commit("heir", name, 1, &cursor(epoch, 0)).await.unwrap();
    let readers = backend.readers(name).await.unwrap();
    let reader = |group: &str, partition, cursor| Reader { group: group.to_owned(), partition, cursor };
    let heir = [reader("heir", 0, Some(cursor(epoch, 3))), reader("heir", 1, Some(cursor(epoch, 0)))];
    assert_eq!(readers[..2], [reader("gone", 0, Some(gone.clone())), reader("gone", 1, None)]);
    assert_eq!(readers[2..], heir);

    assert!(backend.forget_reader(name, "gone", Some("gone")).await.unwrap(), "its own heir stays as it is");
    assert_eq!(backend.cursor("gone", name, 0).await.unwrap().as_ref(), Some(&gone));
    assert!(backend.forget_reader(name, "gone", Some("heir")).await.unwrap());
    assert_eq!(backend.cursor("gone", name, 0).await.unwrap(), None);
    let heir = [reader("heir", 0, Some(gone)), reader("heir", 1, Some(cursor(epoch, 0)))];
    assert_eq!(backend.readers(name).await.unwrap(), heir, "where the other had no cursor, its own stays");
    assert!(backend.forget_reader(name, "heir", None).await.unwrap());
    assert_eq!(backend.readers(name).await.unwrap(), []);
}

async fn concurrent_appends_keep_each_caller_s_records_together(backend: &dyn Backend, name: &str) {
    backend.open_topic(&topic(name, 1)).await.unwrap();
    let texts: Vec<[String; 3]> = (0..16).map(|task| [0, 1, 2].map(|index| format!("{task}/{index}"))).collect();
    let mut appends = Vec::new();
    for text in &texts {
        appends.push(backend.append(name, 0, records(text.iter().map(String::as_str))));
    }
    let mut firsts = Vec::new();
    for first in join_all(appends).await {
        firsts.push(first.unwrap());
    }
    let all = read_all(backend, name, 0, 0, 48).await;
    for (first, text) in firsts.iter().zip(&texts) {
        let here = all.iter().skip(*first as usize).take(3).map(|record| record.payload.clone());
        assert_eq!(here.collect::<Vec<_>>(), payloads(text.iter().map(String::as_str)));
    }
}

async fn what_was_not_opened_is_an_error(backend: &dyn Backend, name: &str) {
    let error = backend.append(name, 0, records(["a"])).await.unwrap_err();
    assert!(matches!(error, StreamError::UnknownTopic { .. }), "{error}");
    backend.open_topic(&topic(name, 1)).await.unwrap();
    let error = backend.read(name, 1, 0, 1).await.unwrap_err();
    assert!(matches!(error, StreamError::UnknownPartition { partition: 1, .. }), "{error}");
}

/// A dead letter of a record for a table.
pub fn letter(table: &str, partition: u16, offset: u64, text: &str) -> DeadLetter {
    let (destination, topic) = (table.to_owned(), "t".to_owned());
    DeadLetter {
        key: DeadLetterKey { destination, topic, epoch: 7, partition, offset },
        payload: Bytes::copy_from_slice(text.as_bytes()),
        details: DeadLetterDetails {
            timestamp: 1,
            since: 2,
            code: Some(469),
            reason: format!("because of {text}"),
            errors: vec![WrongField { pointer: "/a".to_owned(), message: "no".to_owned() }],
            maybe_stored: true,
        },
    }
}

async fn letters_of(backend: &dyn Backend, table: &str, after: Option<DeadLetterKey>, limit: usize) -> Vec<DeadLetter> {
    let query = DeadLetterQuery { destination: Some(table.to_owned()), after, limit };
    backend.dead_letters(&query).await.unwrap()
}

async fn dead_letters_are_kept_once_and_listed_in_order(backend: &dyn Backend, table: &str) {
    let letters: Vec<_> = [(0, 9), (0, 10), (0, 100), (2, 1), (10, 0)]
        .map(|(partition, offset)| letter(table, partition, offset, &format!("\u{0}{partition}-{offset}")))
        .into();
    let other = letter(&format!("{table}2"), 0, 9, "another table's");
    backend.put_dead_letters(std::slice::from_ref(&other)).await.unwrap();
    let shuffled: Vec<_> = letters.iter().rev().cloned().collect();
    assert_eq!(backend.put_dead_letters(&shuffled).await.unwrap(), 5);
    let again = letter(table, 0, 10, "the same record again");
    assert_eq!(backend.put_dead_letters(&[again.clone(), again]).await.unwrap(), 0, "the first one stays");
    assert_eq!(backend.put_dead_letters(&[]).await.unwrap(), 0);

    assert_eq!(letters_of(backend, table, None, 100).await, letters);
    assert_eq!(letters_of(backend, table, None, 2).await, letters[..2]);
    assert_eq!(letters_of(backend, table, None, 0).await, []);
    assert_eq!(letters_of(backend, table, Some(letters[1].key.clone()), 2).await, letters[2..4]);
    assert_eq!(backend.dead_letter(&other.key).await.unwrap(), Some(other));
    let first = DeadLetterKey { offset: 10, ..letters[0].key.clone() };
    assert_eq!(backend.dead_letter_offsets(&first, 99).await.unwrap(), [(10, None)].into());
    assert_eq!(backend.dead_letter_offsets(&first, 100).await.unwrap(), [(10, None), (100, None)].into());
    assert_eq!(backend.dead_letter_offsets(&first, u64::MAX).await.unwrap().len(), 2);
}

async fn an_ended_dead_letter_is_gone_but_its_offset_stays(backend: &dyn Backend, table: &str) {
    let letters = [letter(table, 0, 1, "a"), letter(table, 0, 2, "b"), letter(table, 0, 3, "c")];
    backend.put_dead_letters(&letters).await.unwrap();
    let keys: Vec<_> = letters.iter().map(|letter| letter.key.clone()).collect();
    assert_eq!(backend.end_dead_letters(&keys[..1], Ending::Replayed).await.unwrap(), 1);
    assert_eq!(backend.end_dead_letters(&keys[..2], Ending::Dropped).await.unwrap(), 1, "the first has ended");
    assert_eq!(letters_of(backend, table, None, 100).await, letters[2..]);
    assert_eq!(backend.dead_letter(&keys[0]).await.unwrap(), None);
    let ended = [(1, Some(Ending::Replayed)), (2, Some(Ending::Dropped)), (3, None)];
    assert_eq!(backend.dead_letter_offsets(&keys[0], 3).await.unwrap(), ended.into());
    assert_eq!(backend.put_dead_letters(&letters).await.unwrap(), 0, "a repeat is recognised");
    assert_eq!(letters_of(backend, table, None, 100).await, letters[2..]);
}
