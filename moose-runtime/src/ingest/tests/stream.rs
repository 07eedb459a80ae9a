//! Tests of what the stream's errors become as responses, and of records of one key staying together.

use super::*;
use crate::stream::{StreamError, double::Double, partition_of};

async fn failing(partitions: u16, fails: fn(u16) -> Option<StreamError>) -> Server {
    Server::start_with(partitions, |_| {}, |inner| Arc::new(Double { fails, ..Double::of(inner) })).await
}

fn broken() -> StreamError {
    StreamError::Storage { action: "write /secret/path".to_owned(), source: "broken".into() }
}

#[tokio::test]
async fn a_full_stream_is_503_with_retry_after_and_stores_nothing() {
    let full = |_| Some(StreamError::Full { topic: "t".to_owned(), reason: "its disk budget is used up".to_owned() });
    let server = failing(1, full).await;
    let answer = server.post(format!("[{},{{}}]", event("a"))).await;
    assert_eq!(answer.status, 503);
    assert!(answer.head.contains("retry-after: 10"), "{answer:?}");
    assert_eq!([&answer.body["accepted"], &answer.body["rejected"], &answer.body["unknown"]], [0, 2, 0]);
    assert!(answer.body["error"].as_str().unwrap().contains("disk budget"), "{answer:?}");
    assert_eq!(server.counted(), (0, 1));
}

#[tokio::test]
async fn a_broken_stream_is_503_and_what_became_of_the_records_is_unknown() {
    let server = failing(1, |_| Some(broken())).await;
    let answer = server.post(format!("[{},{}]", event("a"), event("b"))).await;
    assert_eq!((answer.status, &answer.body["unknown"]), (503, &json!(2)));
    assert!(answer.head.contains("retry-after: 1"));
    assert!(!answer.body.to_string().contains("secret"), "paths of the machine are nobody's business: {answer:?}");
}

#[tokio::test]
async fn a_stream_that_mends_itself_tells_the_cause_and_what_is_surely_not_stored() {
    let paused = |partition: u16| {
        let cause = "No space left on device (os error 28)".to_owned();
        Some(StreamError::Paused { cause, maybe_stored: partition == 1 })
    };
    let server = failing(2, paused).await;
    let records: Vec<String> = (0..20).map(|index| event(&format!("id-{index}"))).collect();
    let of_one = (0..20).filter(|index| partition_of(format!("id-{index}").as_bytes(), 2) == 1).count();
    assert!((1..20).contains(&of_one));
    let answer = server.post(format!("[{},{{}}]", records.join(","))).await;
    assert_eq!(answer.status, 503);
    assert!(answer.head.contains("retry-after: 5\r"), "{answer:?}");
    assert_eq!(answer.body["accepted"], 0);
    assert_eq!((&answer.body["rejected"], &answer.body["unknown"]), (&json!(21 - of_one), &json!(of_one)));
    assert!(answer.body["errors"].as_array().unwrap().iter().all(|error| error["index"] == 20), "what is not valid");
    assert!(answer.body["error"].as_str().unwrap().contains("No space left on device"), "{answer:?}");
    assert_eq!(server.counted(), (0, 1), "refused as not valid");
}

#[tokio::test]
async fn when_one_partition_fails_the_counts_tell_what_the_others_took() {
    let server = failing(4, |partition| (partition == 2).then(broken)).await;
    let records: Vec<String> = (0..100).map(|index| event(&format!("id-{index}"))).collect();
    let of_two = (0..100).filter(|index| partition_of(format!("id-{index}").as_bytes(), 4) == 2).count();
    assert!((1..100).contains(&of_two));
    let answer = server.post_lines(records.join("\n")).await;
    assert_eq!(answer.status, 503);
    assert_eq!((&answer.body["accepted"], &answer.body["unknown"]), (&json!(100 - of_two), &json!(of_two)));
    assert_eq!(server.counted(), (100 - of_two as u64, 0));
}

#[tokio::test]
async fn records_go_to_the_partition_of_their_key_in_order() {
    let server = Server::start_with(3, |_| {}, |backend| backend).await;
    let records: Vec<String> = (0..60).map(|index| event(&format!("id-{}", index % 20))).collect();
    assert_eq!(server.post(format!("[{}]", records.join(","))).await.status, 200);
    for partition in 0..3 {
        let here = (0..60).filter(|index| partition_of(format!("id-{}", index % 20).as_bytes(), 3) == partition);
        let expected: Vec<&str> = here.map(|index| records[index].as_str()).collect();
        assert!(!expected.is_empty());
        assert_eq!(server.stored(partition).await, expected);
    }
}

#[tokio::test]
async fn a_record_that_is_too_large_for_the_stream_is_refused_alone() {
    let wrap = |inner| Arc::new(Double { most: Some(120), ..Double::of(inner) }) as Arc<dyn Backend>;
    let server = Server::start_with(1, |_| {}, wrap).await;
    let answer = server.post(format!("[{},{}]", event("a"), event(&"b".repeat(100)))).await;
    assert_eq!((answer.status, &answer.body["accepted"]), (207, &json!(1)), "{answer:?}");
    let message = answer.body["errors"][0]["message"].as_str().unwrap();
    assert!(message.ends_with("bytes, and the stream takes records of at most 120"), "{message}");
    assert_eq!(server.stored(0).await, [event("a")]);
}

#[tokio::test]
async fn a_closed_stream_is_503() {
    let server = Server::start().await;
    server.backend.close().await.unwrap();
    assert_eq!(server.post(event("a")).await.status, 503);
}

#[tokio::test]
async fn a_request_for_which_there_is_no_memory_is_503_and_stores_nothing() {
    let share = Share::new(64 << 10);
    let lines = |count: usize| (0..count).map(|id| event(&id.to_string()) + "\n").collect::<String>();
    let server = Server::start_with(1, |state| state.memory = share.clone(), |backend| backend).await;
    let held = share.try_reserve(60 << 10).unwrap();
    // Too much by itself, and too much once it is decoded.
    for body in [lines(1000), lines(20)] {
        let answer = server.post_lines(body).await;
        assert_eq!(answer.status, 503);
        assert!(answer.head.contains("retry-after: 1\r"), "{answer:?}");
        assert_eq!([&answer.body["accepted"], &answer.body["rejected"], &answer.body["unknown"]], [0, 0, 0]);
        assert!(answer.body["error"].as_str().unwrap().contains("`memory.budget`"), "{answer:?}");
    }
    assert_eq!(server.post(event("small")).await.status, 200, "there is still room for that");
    drop(held);
    assert_eq!(server.post_lines(lines(20)).await.status, 200);
    assert_eq!(share.reserved(), 0, "all of it is given back with the answers");
    assert_eq!(server.stored(0).await.len(), 21);
}

#[tokio::test]
async fn a_body_that_unpacks_into_more_than_there_is_memory_for_is_503() {
    let share = Share::new(1 << 20);
    let server = Server::start_with(1, |state| state.memory = share.clone(), |backend| backend).await;
    let plain = vec![b'\n'; 2 << 20];
    for (encoding, packed) in [("gzip", gzip(&plain)), ("zstd", zstd::encode_all(&plain[..], 1).unwrap())] {
        let answer = server.send("POST", "/ingest/events", &[("content-encoding", encoding)], &packed).await;
        assert_eq!(answer.status, 503, "{encoding}");
    }
    assert_eq!(share.reserved(), 0);
}
