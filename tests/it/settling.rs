//! Ranges in doubt: what the table has is asked for, and only the rest is sent.
//!
//! The doubt is made with the fault proxy: an INSERT is held, the table is given what the test wants it to have, and the
//! connection is closed.

use std::time::Duration;

use moose_runtime::{
    app::{App, ResumeFrom, RunningApp},
    declare::Program,
    internal::{
        stream::{
            Backend as _, Cursor, Retention, TopicSpec,
            log::{Log, LogOptions},
        },
        sync::group,
    },
};
use moose_tests::{
    http,
    pipelines::NUMBERS,
    process::Launch,
    proxy::{Fault, Recorded, insert_into},
    wait::eventually,
};

use crate::stage::{LATE, PIPELINE, SOON, Stage, numbers, post_numbers};

const ONCE: &str = "SELECT count(), uniqExact(id), countIf(small != id % 256) FROM numbers";

impl Stage {
    /// Posts 100 numbers, takes their INSERT on its way, lets `meanwhile` have the table, and breaks the connection.
    pub(crate) async fn in_doubt(&self, app: &RunningApp, meanwhile: impl AsyncFnOnce(&Self, &Recorded)) {
        let held = self.proxy.when(insert_into("numbers")).times(1).make(Fault::Hold);
        post_numbers(app, 0..100).await;
        let insert =
            eventually(SOON, || async { self.proxy.inserts("numbers").into_iter().next().ok_or("no INSERT yet") })
                .await;
        meanwhile(self, &insert).await;
        self.proxy.close_door();
        eventually(SOON, || async { if app.health().failures().is_empty() { Err("no doubt yet") } else { Ok(()) } })
            .await;
        held.remove();
        self.proxy.open_door();
    }

    /// Stores numbers as the range of `insert` would, under another token or none.
    pub(crate) async fn store(&self, insert: &Recorded, ids: std::ops::Range<u64>, token: &str) {
        let epoch = u64::from_str_radix(insert.token().split('/').nth(1).expect("an epoch"), 16).expect("in hex");
        let url = format!(
            "{}&insert_allow_materialized_columns=1&insert_deduplication_token={}",
            self.url(),
            http::percent_encoded(token)
        );
        let statement = format!(
            "INSERT INTO numbers (id, small, _stream_epoch, _stream_partition, _stream_offset) \
             SELECT number, number % 256, {epoch}, 0, number FROM numbers({}, {})",
            ids.start,
            ids.end - ids.start
        );
        let answer = http::try_sql(&url, &statement).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

#[tokio::test]
async fn only_what_the_table_lacks_is_sent_again() {
    let stage = Stage::new().await;
    let app = stage.start(&[&NUMBERS]).await;
    stage.in_doubt(&app, async |stage, insert| stage.store(insert, 20..60, "").await).await;
    stage.shows(ONCE, "100\t100\t0", LATE).await;
    let inserts = stage.proxy.inserts("numbers");
    let (first, last) = (&inserts[0], inserts.last().expect("an INSERT"));
    assert_eq!(last.token(), first.token(), "the rest goes under the range's own token");
    assert!(last.body_length < first.body_length, "{} of {} bytes", last.body_length, first.body_length);
    stage.has_passed(&app, 100).await;
    let metrics = http::get(&format!("http://{}/metrics", app.management_address())).await.text();
    for counted in ["inserted_total{table=\"numbers\"} 60\n", "deduplicated_total{table=\"numbers\"} 40\n"] {
        assert!(metrics.contains(counted), "{counted}: {metrics}");
    }
    app.stop().await.expect("an orderly stop");
}

#[tokio::test]
async fn a_range_that_the_table_has_is_not_sent_again() {
    let stage = Stage::new().await;
    let app = stage.start(&[&NUMBERS]).await;
    stage.in_doubt(&app, async |stage, insert| stage.store(insert, 0..100, "").await).await;
    post_numbers(&app, 100..101).await;
    stage.shows(ONCE, "101\t101\t0", LATE).await;
    let tokens: Vec<_> = stage.proxy.inserts("numbers").iter().map(|insert| insert.token().to_owned()).collect();
    assert_eq!(tokens.len(), 2, "{tokens:?}");
    assert_ne!(tokens[0], tokens[1]);
    app.stop().await.expect("an orderly stop");
}

#[tokio::test]
async fn a_token_that_was_taken_without_its_rows_loses_none() {
    let stage = Stage::new().await;
    let app = stage.start(&[&NUMBERS]).await;
    stage
        .in_doubt(&app, async |stage, insert| {
            // As a kill between the token and the part leaves it: the token is known, the rows are not there.
            stage.store(insert, 0..1, insert.token()).await;
            stage.sql("ALTER TABLE numbers DELETE WHERE 1 SETTINGS mutations_sync = 2").await;
        })
        .await;
    stage.shows(ONCE, "100\t100\t0", LATE).await;
    let inserts = stage.proxy.inserts("numbers");
    let last = inserts.last().expect("an INSERT");
    assert_eq!(last.token(), format!("{}/again/1", inserts[0].token()));
    app.stop().await.expect("an orderly stop");
    assert_eq!(stage.sql(ONCE).await, "100\t100\t0");
}

/// The cursor of a pipeline that has ended.
async fn cursor_of(stage: &Stage) -> Cursor {
    let log = Log::open(LogOptions::new(stage.data_dir().join("stream"))).expect("the log opens after a kill");
    let retention = Retention { age: None, bytes: None };
    log.open_topic(&TopicSpec { name: "numbers".to_owned(), partitions: 1, retention }).await.expect("the topic opens");
    let group = group("moose-tests", "numbers");
    let cursor = log.cursor(&group, "numbers", 0).await.expect("the cursor can be read");
    log.close().await.expect("the log closes");
    cursor.unwrap_or_else(|| panic!("`{group}` has no cursor"))
}

#[tokio::test]
async fn both_ranges_are_written_down_before_the_first_is_confirmed_and_settled_after_a_kill() {
    let stage = Stage::new().await;
    let launch = Launch::new(PIPELINE, stage.data_dir())
        .environment("MOOSE_CLICKHOUSE__URL", &stage.proxy.url())
        .environment("MOOSE_CLICKHOUSE__DATABASE", &stage.database)
        .environment("MOOSE_SYNC__MAX_ROWS", "1000")
        .environment("MOOSE_SYNC__MAX_DELAY", "10m");
    let held = stage.proxy.when(insert_into("numbers")).make(Fault::HoldAnswer);
    let mut process = launch.start();
    let addresses = process.addresses(LATE).await;
    let url = format!("http://{}/ingest/numbers", addresses.http);
    let answer = http::post(&url, "application/x-ndjson", numbers(0..5000)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    // The first range is in the table, its answer on its way; the second is written down meanwhile, for which there is
    // three seconds.
    stage.shows("SELECT count() FROM numbers", "1000", LATE).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(stage.proxy.inserts("numbers").len(), 1, "one INSERT of a partition at a time");
    process.kill();

    let cursor = cursor_of(&stage).await;
    let pending: Vec<_> = cursor.pending.iter().map(|range| (range.first, range.last)).collect();
    assert_eq!((cursor.next, pending), (0, vec![(0, 999), (1000, 1999)]));

    held.remove();
    let mut process = launch.start();
    process.addresses(LATE).await;
    stage.shows(ONCE, "5000\t5000\t0", LATE).await;
    process.interrupt();
    assert!(process.wait(LATE).success(), "{}", process.output());
    let cursor = cursor_of(&stage).await;
    assert_eq!((cursor.next, cursor.pending), (5000, Vec::new()));
}

/// A table was filled with 10 numbers and then dropped; 10 more came while its stream was held. Goes on as told.
async fn resumed(stage: &Stage, resume: ResumeFrom) -> RunningApp {
    let app = stage.start(&[&NUMBERS]).await;
    post_numbers(&app, 0..10).await;
    stage.shows(ONCE, "10\t10\t0", SOON).await;
    app.stop().await.expect("an orderly stop");
    stage.sql("DROP TABLE numbers SYNC").await;

    let app = stage.start(&[&NUMBERS]).await;
    post_numbers(&app, 10..20).await;
    let failure =
        eventually(SOON, || async { app.health().failures().into_values().next().ok_or("no failure shows") }).await;
    assert!(failure.message.contains("`numbers`") && failure.message.contains("--from"), "{failure:?}");
    assert_eq!(stage.sql("SELECT count() FROM numbers").await, "0");
    app.stop().await.expect("an orderly stop");

    let program = Program { name: "test", version: "0", schema: None };
    let app = App::new(program).resources(&[&NUMBERS]).config(stage.config()).resume_from(resume);
    app.start().await.expect("a start")
}

#[tokio::test]
async fn a_table_that_was_replaced_is_a_hold_until_told_to_begin_anew() {
    let stage = Stage::new().await;
    let app = resumed(&stage, ResumeFrom::Earliest).await;
    stage.shows(ONCE, "20\t20\t0", SOON).await;
    assert_eq!(app.health().failures().len(), 0);
    app.stop().await.expect("an orderly stop");
}

#[tokio::test]
async fn a_table_that_was_replaced_is_a_hold_until_told_to_go_on() {
    let stage = Stage::new().await;
    let app = resumed(&stage, ResumeFrom::Next).await;
    stage.shows("SELECT count(), min(id), max(id) FROM numbers", "10\t10\t19", SOON).await;
    app.stop().await.expect("an orderly stop");
}
