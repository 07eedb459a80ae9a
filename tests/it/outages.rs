//! ClickHouse away for a while under a steady load: nothing lost, nothing twice, no memory taken, the hold shown and gone
//! again, and the first INSERT soon after the return.
//!
//! The pipeline is a process of its own, so that its memory is its own. With `MOOSE_TEST_FULL=1` ClickHouse is away for
//! 70 seconds, otherwise for 26: the return then falls at the beginning of a statement that would be waited for long.

use std::time::{Duration, Instant};

use moose_tests::{
    http, is_full,
    load::{Batches, Load, each_is_a_row_once},
    process::{Launch, Process},
    proxy::{Outcome, Proxy, Recorded},
    random::Random,
    wait::eventually,
};
use serde_json::Value;

use crate::stage::{LATE, PIPELINE, SOON, Stage};

/// A failure counts as a hold after this long.
const HOLD: Duration = Duration::from_secs(10);

/// The first INSERT follows the return of ClickHouse within two seconds; here with five times as much.
const FIRST_INSERT: Duration = Duration::from_secs(10);

/// What is sent meanwhile, 1.6 MB each second: far more than the memory may grow by.
const STEADY: Batches = Batches { records: 20, pause: Duration::from_millis(100), record: large_event };

/// So much may be taken in memory beyond what is held before: three ranges of 4 MiB, what the log buffers (it may write
/// its tables out late), and what the allocator does not give back. What was sent in 70 seconds is 112 MB.
const GROWTH: u64 = 48 << 20;

fn large_event(id: u64) -> String {
    // What packs would take less of the stream's memory than what is sent.
    let user = Random::with_seed(id).letters(8000);
    format!(r#"{{"id":"{id}","userId":"{user}","timestamp":"2024-01-15T10:30:00Z","eventType":"click"}}"#)
}

/// How long ClickHouse is away.
fn outage() -> Duration {
    Duration::from_secs(if is_full() { 70 } else { 26 })
}

/// The answer of `/ready`: its status and the reason that is told first.
async fn ready(url: &str) -> (u16, Value) {
    let answer = http::get(url).await;
    let reason = answer.json()["reasons"][0].clone();
    (answer.status.as_u16(), reason)
}

/// When the first INSERT that came after `moment` was answered with success.
fn first_insert_after(proxy: &Proxy, moment: Instant) -> Option<Instant> {
    let answered = |insert: &Recorded| match insert.outcome {
        Outcome::Answered { status, at } if status == 200 && insert.arrived >= moment => Some(at),
        _ => None,
    };
    proxy.inserts("events").iter().find_map(answered)
}

/// The whole course of an outage that begins with `go` and ends with the door open.
async fn outlasts(name: &str, go: fn(&Proxy)) {
    let stage = Stage::new().await;
    let mut process = Launch::new(PIPELINE, stage.data_dir())
        .environment("MOOSE_CLICKHOUSE__URL", &stage.proxy.url())
        .environment("MOOSE_CLICKHOUSE__DATABASE", &stage.database)
        .environment("MOOSE_SYNC__MAX_BYTES", "4MiB")
        .start();
    let addresses = process.addresses(LATE).await;
    let load = Load::start(format!("http://{}/ingest/events", addresses.http), 0, STEADY);
    // A while in its stride, so that what it holds is what it holds.
    eventually(LATE, || async { if load.kept() >= 600 { Ok(()) } else { Err(load.kept()) } }).await;
    stage.shows("SELECT count() >= 400 FROM events", "1", SOON).await;

    let url = format!("http://{}/ready", addresses.management);
    assert_eq!(ready(&url).await.0, 200);
    let before = process.resident_bytes();
    go(&stage.proxy);
    let gone = Instant::now();
    let (shown, reason) = held(&url, gone).await;
    assert!(reason["part"].as_str().is_some_and(|part| part.contains("`events`")), "{reason}");
    assert!(reason["message"].as_str().is_some_and(|text| text.contains("clickhouse at http")), "{reason}");
    assert!(reason["since"].is_string() && reason["code"].is_null(), "{reason}");
    let most = memory_until(&process, gone + outage()).await;
    assert_eq!(ready(&url).await.0, 503, "held until the end");
    assert_eq!(first_insert_after(&stage.proxy, gone + Duration::from_secs(1)), None, "away is away");

    let back = Instant::now();
    stage.proxy.open_door();
    let first =
        eventually(LATE, || async { first_insert_after(&stage.proxy, back).ok_or("no INSERT yet") }).await - back;
    eventually(SOON, || async {
        let (status, reason) = ready(&url).await;
        if status == 200 { Ok(()) } else { Err(reason.to_string()) }
    })
    .await;
    let sent = load.stop().await;
    assert_eq!(sent.refused, 0, "the front door takes records all the time");
    each_is_a_row_once(&stage.url(), "events", &sent.kept, LATE).await;
    let after = process.resident_bytes();
    process.interrupt();
    assert!(process.wait(LATE).success(), "{}", process.output());
    each_is_a_row_once(&stage.url(), "events", &sent.kept, SOON).await;
    eprintln!(
        "{name} for {:?}: {} records, hold shown after {shown:?}, first INSERT {first:?} after the return, memory {} MiB \
         before, at most {} MiB meanwhile, {} MiB after",
        outage(),
        sent.kept.len(),
        before >> 20,
        most >> 20,
        after >> 20,
    );
    assert!(first <= FIRST_INSERT, "the first INSERT came {first:?} after the return");
    assert!(most < before + GROWTH, "{before} bytes before, {most} meanwhile");
}

/// Waits for the hold in `/ready`, and answers after how long it showed.
async fn held(url: &str, gone: Instant) -> (Duration, Value) {
    let reason = eventually(LATE, || async {
        let (status, reason) = ready(url).await;
        if status == 503 { Ok(reason) } else { Err("ready") }
    })
    .await;
    let shown = gone.elapsed();
    assert!(shown >= HOLD && shown <= HOLD * 2, "shown after {shown:?}: {reason}");
    (shown, reason)
}

/// The most memory that the process holds until a moment.
async fn memory_until(process: &Process, end: Instant) -> u64 {
    let mut most = 0;
    while Instant::now() < end {
        most = most.max(process.resident_bytes());
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    most
}

#[tokio::test]
async fn refused_connections_lose_nothing_and_the_return_is_noticed_at_once() {
    outlasts("refused connections", Proxy::close_door).await;
}

#[tokio::test]
async fn a_clickhouse_that_takes_connections_and_never_answers_loses_nothing_and_its_return_is_noticed_at_once() {
    outlasts("silence", Proxy::fall_silent).await;
}
