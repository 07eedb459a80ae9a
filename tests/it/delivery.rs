//! From the front door into the table: when ranges close, what is sent, and what becomes of faults on the way.

use std::time::{Duration, Instant};

use hyper::StatusCode;
use moose_tests::{
    http,
    pipelines::{AUDIT_API, AUDIT_STREAM, AUDIT_TABLE, EVENTS, NUMBERS, Number, SPREAD},
    proxy::{Fault, Recorded, insert_into},
    wait::eventually,
};

use crate::stage::{LATE, SOON, Stage, ingest, post_numbers};

/// The request of the original.
const ORIGINAL: &str = r#"{"id":"evt_123","userId":"user_456","timestamp":"2024-01-15T10:30:00Z","eventType":"click"}"#;

/// Every number once: rows, different ones, and the sum of the remainders that stand beside them.
const ONCE: &str = "SELECT count(), uniqExact(id), countIf(small != id % 256) FROM numbers";

/// The offsets in a token: `<id of the cursor>/<epoch>/<partition>/<first>-<last>`.
pub(crate) fn offsets(insert: &Recorded) -> &str {
    insert.token().split('/').nth(3).unwrap_or_default()
}

#[tokio::test]
async fn the_originals_request_is_a_row_within_two_seconds() {
    let stage = Stage::new().await;
    let app = stage.start(&[&EVENTS]).await;
    let answer = http::post_json(&ingest(&app, "events"), ORIGINAL).await;
    let posted = Instant::now();
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, serde_json::json!({"accepted": 1})));
    stage.shows("SELECT count() FROM events", "1", SOON).await;
    eprintln!("the original's request was a row after {:?}", posted.elapsed());

    let query = "SELECT * FROM events WHERE userId = 'user_456'";
    assert_eq!(
        stage.sql(&format!("{query} FORMAT TabSeparatedWithNames")).await,
        "id\tuserId\ttimestamp\teventType\nevt_123\tuser_456\t2024-01-15 10:30:00.000\tclick"
    );
    let client = clickhouse::Client::default().with_url(app.engine_url()).with_database(&stage.database);
    let row: (String, String, i64, String) = client.query(query).fetch_one().await.expect("a row");
    let time = 1_705_314_600_000; // 2024-01-15T10:30:00Z
    assert_eq!(row, ("evt_123".to_owned(), "user_456".to_owned(), time, "click".to_owned()));
    app.stop().await.expect("an orderly stop");
}

#[tokio::test]
async fn the_three_forms_lead_into_the_same_table() {
    let stage = Stage::new().await;
    let app = stage.start(&[&AUDIT_TABLE, &AUDIT_STREAM, &AUDIT_API]).await;
    let answer = http::post_json(&ingest(&app, "audit"), ORIGINAL).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    stage.shows("SELECT id FROM audit", "evt_123", SOON).await;
    app.stop().await.expect("an orderly stop");
}

#[tokio::test]
async fn a_program_appends_records_itself_and_each_partition_has_ranges_of_its_own() {
    let stage = Stage::new().await;
    let app = stage.start(&[&SPREAD]).await;
    let numbers: Vec<Number> = (0..300).map(|id| Number { id, small: u8::try_from(id % 256).unwrap() }).collect();
    app.stream(&SPREAD.stream).append(&numbers).await.expect("durable");
    stage.shows("SELECT count(), uniqExact(id), uniqExact(_stream_partition) FROM spread", "300\t300\t3", SOON).await;
    let mut partitions: Vec<_> = stage
        .proxy
        .inserts("spread")
        .iter()
        .map(|insert| insert.token().split('/').nth(2).map(str::to_owned))
        .collect();
    partitions.sort();
    assert_eq!(partitions, ["0", "1", "2"].map(|partition| Some(partition.to_owned())));
    app.stop().await.expect("an orderly stop");
}

#[tokio::test]
async fn a_range_closes_at_exactly_100_000_records_with_one_insert() {
    let stage = Stage::new().await;
    let mut config = stage.config();
    // Only the number of records closes a range here, however slow the machine is.
    config.sync.max_delay = Duration::from_hours(1);
    let app = stage.start_with(&[&NUMBERS], config).await;
    // One record short of the range, then enough for two ranges and one record more.
    post_numbers(&app, 0..99_999).await;
    post_numbers(&app, 99_999..200_001).await;
    stage.shows("SELECT count() FROM numbers", "200000", LATE).await;
    let inserts = stage.proxy.inserts("numbers");
    assert_eq!(inserts.iter().map(offsets).collect::<Vec<_>>(), ["0-99999", "100000-199999"]);
    assert_ne!(inserts[0].body_digest, inserts[1].body_digest);

    app.stop().await.expect("an orderly stop");
    let inserts = stage.proxy.inserts("numbers");
    assert_eq!(inserts.iter().map(offsets).collect::<Vec<_>>(), ["0-99999", "100000-199999", "200000-200000"]);
    assert_eq!(stage.sql(ONCE).await, "200001\t200001\t0");
}

#[tokio::test]
async fn a_range_closes_one_second_after_its_first_record() {
    let stage = Stage::new().await;
    let app = stage.start(&[&NUMBERS]).await;
    let before = Instant::now();
    post_numbers(&app, 0..1).await;
    post_numbers(&app, 1..10).await;
    let answered = Instant::now();
    let insert =
        eventually(SOON, || async { stage.proxy.inserts("numbers").into_iter().next().ok_or("no INSERT yet") }).await;
    assert_eq!(offsets(&insert), "0-9", "what came within the second goes along");
    let second = Duration::from_secs(1);
    assert!(insert.arrived - before >= second, "{:?} after the first record", insert.arrived - before);
    assert!(insert.arrived - answered < 5 * second, "{:?} after the first record", insert.arrived - answered);
    eprintln!("the INSERT came {:?} after the request", insert.arrived - before);
    stage.shows(ONCE, "10\t10\t0", SOON).await;
    assert_eq!(stage.proxy.inserts("numbers").len(), 1);
    app.stop().await.expect("an orderly stop");
}

#[tokio::test]
async fn the_next_range_is_ready_while_an_insert_is_on_its_way() {
    let stage = Stage::new().await;
    let mut config = stage.config();
    config.sync.max_delay = Duration::from_hours(1);
    // Enough that preparing a range takes far longer than sending a prepared one.
    config.sync.max_rows = 200_000;
    let app = stage.start_with(&[&NUMBERS], config).await;
    let hold = Duration::from_secs(3);
    stage.proxy.when(insert_into("numbers")).times(1).make(Fault::Delay(hold));
    post_numbers(&app, 0..200_000).await;
    let answered = Instant::now();
    post_numbers(&app, 200_000..400_000).await;
    stage.shows(ONCE, "400000\t400000\t0", LATE).await;
    let inserts = stage.proxy.inserts("numbers");
    let [first, second] = inserts.as_slice() else { panic!("two INSERTs, not {}", inserts.len()) };
    let duration = first.duration().expect("an answer");
    assert!(duration >= hold);
    let gap = second.arrived - (first.complete + duration);
    // Measured on the first range, so that a busy machine is no failure.
    let preparing = first.arrived - answered;
    eprintln!(
        "the second INSERT followed {gap:?} after the first one's answer; preparing the first took {preparing:?}"
    );
    assert!(gap < (preparing / 2).max(Duration::from_millis(200)), "{gap:?}: prepared only after the answer?");
    app.stop().await.expect("an orderly stop");
}
