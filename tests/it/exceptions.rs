//! What the promise leaves out, each provoked, so that nobody believes more or less than is so: the lines of
//! `docs/delivery.md` under "When a duplicate or a loss is still possible".

use std::{fs, path::Path, process::Command, time::Duration};

use hyper::StatusCode;
use moose_runtime::{app::RunningApp, config::Config, prelude::*};
use moose_tests::{
    http,
    pipelines::{NUMBERS, Number},
    process::{Launch, Process},
    proxy::{Canned, Fault, Recorded, RuleHandle, insert_into},
    wait::eventually,
};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    burnt::{Failing, TABLE, TARGET},
    identity::counts,
    stage::{LATE, PIPELINE, Stage, numbers, post_numbers},
};

/// Rows, and different ones.
const ROWS: &str = "SELECT count(), uniqExact(id) FROM numbers";

/// A view behind the table, with a window of its own.
const VIEW: [&str; 2] = [
    "CREATE TABLE target (id UInt64) ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100000",
    "CREATE MATERIALIZED VIEW view TO target AS SELECT id FROM numbers",
];

impl Stage {
    /// An application that fills the table `numbers`, with or without a view behind it.
    async fn filling(&self, has_view: bool) -> RunningApp {
        let app = self.start(&[&NUMBERS]).await;
        for statement in VIEW.iter().filter(|_| has_view) {
            self.sql(statement).await;
        }
        app
    }

    /// Has 100 numbers in the table, their answer on its way; lets `meanwhile` have the table, and loses the answer.
    async fn stored_in_doubt(&self, app: &RunningApp, meanwhile: impl AsyncFnOnce(&Self)) {
        let held = self.proxy.when(insert_into("numbers")).times(1).make(Fault::HoldAnswer);
        post_numbers(app, 0..100).await;
        self.shows(ROWS, "100\t100", LATE).await;
        meanwhile(self).await;
        self.proxy.close_door();
        eventually(LATE, || async { if app.health().failures().is_empty() { Err("no doubt yet") } else { Ok(()) } })
            .await;
        held.remove();
        self.proxy.open_door();
    }
}

#[tokio::test]
async fn rows_that_are_taken_from_a_range_on_its_way_come_back_once() {
    let taken = async |name: &str, has_view: bool, statement: &str| {
        let stage = Stage::named(&format!("exceptions_taken_{name}_{has_view}")).await;
        let app = stage.filling(has_view).await;
        stage.stored_in_doubt(&app, async |stage| drop(stage.sql(statement).await)).await;
        stage.has_passed(&app, 100).await;
        match name {
            // A TTL takes them again, and what is marked as deleted is not missing.
            "ttl" => stage.shows("SELECT count() = uniqExact(id), countIf(id >= 60) FROM numbers", "1\t40", LATE).await,
            "marked" => assert_eq!(stage.sql(ROWS).await, "40\t40"),
            _ => assert_eq!(stage.sql(ROWS).await, "100\t100", "{statement}"),
        }
        if has_view {
            assert_eq!(stage.sql(TARGET).await, "100\t100", "{statement}: the view has it once all along");
        }
        app.stop().await.expect("an orderly stop");
    };
    for has_view in [false, true] {
        tokio::join!(
            taken("truncate", has_view, "TRUNCATE TABLE numbers"),
            taken("dropped", has_view, "ALTER TABLE numbers DROP PARTITION ID 'all'"),
            taken("mutation", has_view, "ALTER TABLE numbers DELETE WHERE id < 60 SETTINGS mutations_sync = 2"),
            taken("marked", has_view, "DELETE FROM numbers WHERE id < 60 SETTINGS lightweight_deletes_sync = 2"),
            taken(
                "ttl",
                has_view,
                "ALTER TABLE numbers MODIFY TTL toDateTime(id) DELETE WHERE id < 60 SETTINGS mutations_sync = 2"
            ),
        );
    }
}

/// What a server answers to a question for rows of which a policy hides all.
fn nothing() -> Fault {
    Fault::Answer(Canned::plain(StatusCode::OK, r#"{"meta":[],"data":[],"rows":0}"#))
}

/// Whether it is asked which rows of a range there are.
fn is_probe(request: &Recorded) -> bool {
    request.statement.starts_with("SELECT toString(_stream_offset)")
}

/// Makes the server answer that the table has these row policies.
fn policies(stage: &Stage, rows: &'static str) -> RuleHandle {
    about_policies(stage, Canned::plain(StatusCode::OK, rows))
}

fn about_policies(stage: &Stage, answer: Canned) -> RuleHandle {
    stage.proxy.when(|request| request.statement.contains("FROM system.row_policies")).make(Fault::Answer(answer))
}

// The embedded engine lets nobody make a row policy: what a server would answer is answered by the proxy.
#[tokio::test]
async fn rows_that_a_policy_hides_are_not_stored_again() {
    let stage = Stage::new().await;
    let app = stage.filling(false).await;
    let rules = [
        stage.proxy.when(is_probe).make(nothing()),
        policies(&stage, r#"{"data":[["hide ON m.numbers","1"]],"rows":1}"#),
    ];
    stage.stored_in_doubt(&app, async |_| {}).await;
    let failure = stage.is_held(&app, &["row policies hide rows", "hide ON m.numbers"]).await;
    assert_eq!(failure.code, None);
    is_tried_again(&app).await;
    rules.iter().for_each(RuleHandle::remove);
    stage.has_passed(&app, 100).await;
    assert_eq!(stage.sql(ROWS).await, "100\t100");
    app.stop().await.expect("an orderly stop");
}

#[tokio::test]
async fn rows_that_a_policy_hides_are_stored_once_more_where_policies_can_not_be_seen_and_not_for_ever() {
    for has_view in [false, true] {
        let stage = Stage::named(&format!("exceptions_unseen_{has_view}")).await;
        let app = stage.filling(has_view).await;
        let hidden = stage.proxy.when(is_probe).make(nothing());
        let unseen = about_policies(&stage, Canned::exception(StatusCode::FORBIDDEN, 497, "Not enough privileges"));
        stage.stored_in_doubt(&app, async |_| {}).await;
        stage.is_held(&app, &["GRANT SHOW ROW POLICIES"]).await;
        is_tried_again(&app).await;
        assert_eq!(stage.sql(ROWS).await, "200\t100");
        hidden.remove();
        stage.is_held(&app, &["holds offset 0 of partition 0 more than once"]).await;
        // The way on, as the message has it.
        unseen.remove();
        policies(&stage, r#"{"data":[],"rows":0}"#);
        stage.sql("ALTER TABLE numbers DELETE WHERE id < 100 SETTINGS mutations_sync = 2").await;
        stage.has_passed(&app, 100).await;
        assert_eq!(stage.sql(ROWS).await, "100\t100");
        if has_view {
            assert_eq!(stage.sql(TARGET).await, "100\t100");
        }
        app.stop().await.expect("an orderly stop");
    }
}

/// Waits until a hold was met three times more.
async fn is_tried_again(app: &RunningApp) {
    let attempts = || app.health().failures().values().map(|failure| failure.attempts).sum::<u32>();
    let before = attempts();
    eventually(LATE, || async { if attempts() >= before + 3 { Ok(()) } else { Err(attempts()) } }).await;
}

/// The address of a process's own engine.
async fn engine(process: &mut Process) -> String {
    process.addresses(LATE).await.engine_url()
}

fn stop(mut process: Process) {
    process.interrupt();
    assert!(process.wait(LATE).success(), "{}", process.output());
}

/// Posts numbers to a process, and waits until all of `rows` are in the table by the cursor.
async fn filled(process: &mut Process, ids: std::ops::Range<u64>, rows: u64) {
    let addresses = process.addresses(LATE).await;
    let url = format!("http://{}/ingest/numbers", addresses.http);
    let answer = http::post(&url, "application/x-ndjson", numbers(ids)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let accounting = format!("http://{}/accounting", addresses.management);
    eventually(LATE, || async {
        let accounts = http::get(&accounting).await.json();
        let accounts = accounts["accounts"].as_array().cloned().unwrap_or_default();
        let done = accounts.iter().any(|account| account["table"] == "numbers" && account["inserted"] == rows);
        if done { Ok(()) } else { Err(format!("{accounts:?}")) }
    })
    .await;
}

/// Copies a directory with all that an engine has in it.
fn put(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(status.is_ok_and(|status| status.success()), "cp");
}

#[tokio::test]
async fn what_clickhouse_itself_has_lost_is_missing_and_told_and_comes_back_into_a_table_of_another_identity() {
    let directory = TempDir::new().expect("a temporary directory");
    let data = directory.path().join("data");
    let launch = Launch::new(PIPELINE, &data);
    let run = async |ids: std::ops::Range<u64>, rows: u64| {
        let mut process = launch.start();
        filled(&mut process, ids, rows).await;
        stop(process);
    };
    let counted = || {
        let (status, output) = launch.clone().argument("check").argument("--counts").run();
        (status.code(), output)
    };
    run(0..10, 10).await;
    put(&data.join("engine"), &directory.path().join("copy"));
    run(10..20, 20).await;
    // As a backup of ClickHouse has it, or a power failure leaves a server that does not sync.
    fs::remove_dir_all(data.join("engine")).expect("a directory");
    put(&directory.path().join("copy"), &data.join("engine"));
    run(20..30, 30).await;
    let (code, output) = counted();
    assert_eq!(code, Some(1));
    assert!(output.contains("WRONG   10 rows were confirmed and are not there"), "{output}");

    let mut process = launch.start();
    let engine = engine(&mut process).await;
    assert_eq!(http::sql(&engine, ROWS).await, "20\t20");
    http::sql(&engine, "CREATE TABLE again CLONE AS numbers").await;
    http::sql(&engine, "EXCHANGE TABLES again AND numbers").await;
    stop(process);
    let mut process = launch.clone().argument("dev").argument("--from").argument("earliest").start();
    process.addresses(LATE).await;
    filled(&mut process, 30..31, 31).await;
    stop(process);
    let (code, output) = counted();
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains("31 rows of 31 records"), "{output}");
}

#[tokio::test]
async fn a_view_that_a_power_failure_of_the_embedded_engine_caught_lacks_a_range_and_is_named() {
    let directory = TempDir::new().expect("a temporary directory");
    let launch = |boot: &str| Launch::new(PIPELINE, directory.path().join("data")).environment("FAULT_BOOT", boot);
    let mut process = launch("1").start();
    let url = format!("http://{}/ingest/numbers", process.addresses(LATE).await.http);
    let former = engine(&mut process).await;
    http::sql(&former, VIEW[0]).await;
    http::sql(&former, "CREATE MATERIALIZED VIEW view TO target AS SELECT id + throwIf(id = 5) AS id FROM numbers")
        .await;
    assert_eq!(http::post(&url, "application/x-ndjson", numbers(0..10)).await.status, 200);
    process.printed("while pushing to view", LATE).await;
    assert_eq!(http::sql(&former, ROWS).await, "10\t10");
    http::sql(&former, "ALTER TABLE view MODIFY QUERY SELECT id FROM numbers").await;
    process.kill();

    let mut process = launch("2").start();
    filled(&mut process, 10..20, 20).await;
    let engine = engine(&mut process).await;
    assert_eq!(http::sql(&engine, ROWS).await, "20\t20");
    assert_eq!(http::sql(&engine, "SELECT count(), min(id) FROM target").await, "10\t10");
    let output = process.output();
    assert!(output.contains("its views may lack them") && output.contains("views=\"moose.view\""), "{output}");
    stop(process);
}

#[tokio::test]
async fn a_view_on_a_server_whose_log_nobody_mends_misses_a_range_that_its_table_has() {
    let failing = Failing::start_without("127.0.0.10:0", "2", "mending").await;
    for statement in crate::burnt::VIEW {
        failing.sql(statement).await;
    }
    failing.arm();
    failing.post(0..100).await;
    failing.shows(TABLE, "100\t100\t0").await;
    failing.post(100..200).await;
    failing.shows(TABLE, "200\t200\t0").await;
    failing.shows(TARGET, "100\t100").await;
    failing.stop();
}

#[tokio::test]
async fn an_insert_that_comes_after_its_token_has_left_the_window_stores_rows_twice() {
    let stage = Stage::new().await;
    let app = stage.filling(false).await;
    stage.sql("ALTER TABLE numbers MODIFY SETTING non_replicated_deduplication_window = 10").await;
    let late = stage.proxy.when(insert_into("numbers")).times(1).make(Fault::Late);
    post_numbers(&app, 0..100).await;
    stage.has_passed(&app, 100).await;
    for ids in 0..11 {
        stage.sql(&format!("INSERT INTO numbers VALUES ({}, 0)", 1000 + ids)).await;
    }
    assert_eq!(stage.sql("SELECT count(), uniqExact(id) FROM numbers WHERE id < 100").await, "100\t100");
    late.release();
    eventually(LATE, || async { if late.finished() == 1 { Ok(()) } else { Err("not answered yet") } }).await;
    assert_eq!(stage.sql("SELECT count(), uniqExact(id) FROM numbers WHERE id < 100").await, "200\t100");
    app.stop().await.expect("an orderly stop");
    let (code, account) = counts(&stage);
    assert_eq!(code, Some(1));
    assert_eq!(account["contradictions"], json!(["100 rows are there more than once"]), "{account}");
}

#[tokio::test]
async fn a_range_in_doubt_that_meets_copies_of_its_rows_is_held() {
    let stage = Stage::new().await;
    let app = stage.start(&[&NUMBERS]).await;
    stage
        .in_doubt(&app, async |stage, insert| {
            stage.store(insert, 0..100, "").await;
            stage.store(insert, 7..8, "").await;
        })
        .await;
    stage.is_held(&app, &["holds offset 7 of partition 0 more than once"]).await;
    // What was inserted by hand goes, and with it what it was a copy of.
    stage.sql("ALTER TABLE numbers DELETE WHERE id = 7 SETTINGS mutations_sync = 2").await;
    stage.has_passed(&app, 100).await;
    assert_eq!(stage.sql(ROWS).await, "100\t100");
    app.stop().await.expect("an orderly stop");
}

impl Stage {
    /// Ranges of so many records, closed by their number alone, and little time to stop.
    fn in_ranges(&self, rows: usize) -> Config {
        let mut config = self.config();
        config.sync.max_rows = rows;
        config.sync.max_delay = Duration::from_mins(10);
        config.shutdown.deadline = Duration::from_secs(2);
        config
    }
}

#[tokio::test]
async fn what_was_accepted_after_a_copy_and_was_in_no_table_is_lost_with_the_directory() {
    let stage = Stage::new().await;
    let app = stage.start(&[&NUMBERS]).await;
    post_numbers(&app, 0..10).await;
    stage.has_caught_up(&app).await;
    app.stop().await.expect("an orderly stop");
    stage.copy_streams();
    let held = stage.proxy.when(insert_into("numbers")).make(Fault::Hold);
    let app = stage.start_with(&[&NUMBERS], stage.in_ranges(1000)).await;
    post_numbers(&app, 10..20).await;
    let _ = app.stop().await;
    held.remove();
    stage.put_streams_back();
    let app = stage.start(&[&NUMBERS]).await;
    post_numbers(&app, 20..30).await;
    stage.has_caught_up(&app).await;
    assert_eq!(stage.sql("SELECT count(), countIf(id >= 10 AND id < 20) FROM numbers").await, "20\t0");
    app.stop().await.expect("an orderly stop");
}

static BARE: OlapTable<Number> = OlapTable::new("bare").provenance(false);
static BARE_STREAM: Stream<Number> = Stream::new("bare").destination(&BARE);

#[tokio::test]
async fn a_table_without_hidden_columns_gets_what_was_synced_since_the_copy_again() {
    let stage = Stage::new().await;
    let app = stage.start_with(&[&BARE_STREAM, &BARE], stage.in_ranges(1000)).await;
    let of: Vec<Number> = (0..10).map(|id| Number { id, small: 0 }).collect();
    app.stream(&BARE_STREAM).append(&of).await.expect("durable");
    stage.copy_streams();
    let _ = app.stop().await;
    let config = |rows| {
        let mut config = stage.in_ranges(rows);
        config.sync.max_delay = Duration::from_millis(50);
        config
    };
    let app = stage.start_with(&[&BARE_STREAM, &BARE], config(3)).await;
    stage.has_caught_up(&app).await;
    assert_eq!(stage.sql("SELECT count(), uniqExact(id) FROM bare").await, "10\t10");
    app.stop().await.expect("an orderly stop");
    stage.put_streams_back();
    let app = stage.start_with(&[&BARE_STREAM, &BARE], config(4)).await;
    stage.has_caught_up(&app).await;
    assert_eq!(stage.sql("SELECT count(), uniqExact(id) FROM bare").await, "20\t10");
    app.stop().await.expect("an orderly stop");
}

#[tokio::test]
async fn an_insert_of_a_former_life_that_ends_after_its_directory_was_put_back_stores_rows_twice() {
    let stage = Stage::new().await;
    let app = stage.start_with(&[&NUMBERS], stage.in_ranges(100)).await;
    post_numbers(&app, 0..99).await;
    stage.copy_streams();
    let late = stage.proxy.when(insert_into("numbers")).times(1).make(Fault::Late);
    post_numbers(&app, 99..100).await;
    eventually(LATE, || async { if late.hits() == 1 { Ok(()) } else { Err("no INSERT yet") } }).await;
    let _ = app.stop().await;
    stage.put_streams_back();
    let app = stage.start(&[&NUMBERS]).await;
    stage.has_caught_up(&app).await;
    assert_eq!(stage.sql(ROWS).await, "99\t99");
    late.release();
    eventually(LATE, || async { if late.finished() == 1 { Ok(()) } else { Err("not answered yet") } }).await;
    assert_eq!(stage.sql(ROWS).await, "199\t100");
    app.stop().await.expect("an orderly stop");
    let (code, account) = counts(&stage);
    assert_eq!(code, Some(1));
    assert_eq!(account["contradictions"], json!(["99 rows are there more than once"]), "{account}");
}

#[tokio::test]
async fn parts_of_a_range_on_its_way_that_are_detached_and_attached_are_there_beside_it() {
    let detach = "ALTER TABLE numbers DETACH PARTITION ID 'all'";
    let attach = "ALTER TABLE numbers ATTACH PARTITION ID 'all'";
    for has_view in [false, true] {
        // Detached while it is settled.
        let stage = Stage::named(&format!("exceptions_detached_{has_view}")).await;
        let app = stage.filling(has_view).await;
        stage.stored_in_doubt(&app, async |stage| drop(stage.sql(detach).await)).await;
        stage.has_passed(&app, 100).await;
        stage.sql(attach).await;
        assert_eq!(stage.sql(ROWS).await, "200\t100");
        app.stop().await.expect("an orderly stop");
        // There again before: the table has forgotten the token with the parts, and for the views the whole is sent.
        let stage = Stage::named(&format!("exceptions_attached_{has_view}")).await;
        let app = stage.filling(has_view).await;
        stage
            .stored_in_doubt(&app, async |stage| {
                stage.sql(detach).await;
                stage.sql(attach).await;
            })
            .await;
        if has_view {
            stage.is_held(&app, &["holds offset 0 of partition 0 more than once"]).await;
            assert_eq!(stage.sql(ROWS).await, "200\t100");
        } else {
            stage.has_passed(&app, 100).await;
            assert_eq!(stage.sql(ROWS).await, "100\t100");
        }
        app.stop().await.expect("an orderly stop");
    }
}
