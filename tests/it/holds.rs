//! Holds: what somebody has done to the table, to its grants or to the disk stops its range, is said with the reason, and
//! ends by itself when it is mended. Nothing is lost meanwhile, and nothing that is stored is changed.
//!
//! A failing view is in `poison`, a table that was dropped and made again in `settling`, a ClickHouse that is away in
//! `outages`.

use std::{collections::BTreeSet, time::Duration};

use hyper::StatusCode;
use moose_runtime::app::{Failure, RunningApp};
use moose_tests::{
    http,
    load::each_is_a_row_once,
    pipelines::NUMBERS,
    process::Launch,
    proxy::{Canned, Fault, Recorded, insert_into},
    random::Random,
    wait::eventually,
};
use serde_json::Value;

use crate::stage::{COLUMNS, LATE, PIPELINE, SOON, Stage, post_numbers};

/// An application that has stored its first hundred numbers.
struct Scene {
    stage: Stage,
    app: RunningApp,
    posted: u64,
}

impl Scene {
    async fn new() -> Self {
        Self::on(Stage::new().await).await
    }

    async fn on(stage: Stage) -> Self {
        let mut config = stage.config();
        config.sync.max_rows = 100;
        config.sync.max_delay = Duration::from_mins(1);
        let app = stage.start_with(&[&NUMBERS], config).await;
        let mut scene = Self { stage, app, posted: 0 };
        scene.post().await;
        scene.passes().await;
        scene
    }

    /// Posts one range.
    async fn post(&mut self) {
        post_numbers(&self.app, self.posted..self.posted + 100).await;
        self.posted += 100;
    }

    /// Waits until the table is held for a reason that says all of `words`.
    async fn held(&self, words: &[&str]) -> Failure {
        eventually(LATE, || async {
            let failures = self.app.health().failures();
            let says = |failure: &Failure| words.iter().all(|word| failure.message.contains(word));
            let mut of_table = failures.iter().filter(|(component, _)| component.to_string() == "table `numbers`");
            let failure = of_table.find(|(_, failure)| says(failure)).map(|(_, failure)| failure.clone());
            failure.ok_or_else(|| format!("wanted {words:?}: {failures:?}"))
        })
        .await
    }

    /// Waits until everything that was posted has passed; then each number is there once and as it came.
    async fn passes(&self) {
        self.stage.has_passed(&self.app, self.posted).await;
        let posted: BTreeSet<u64> = (0..self.posted).collect();
        each_is_a_row_once(&self.stage.url(), "numbers", &posted, SOON).await;
        let offsets = "SELECT uniqExact(_stream_offset) = count(), uniqExact(_stream_epoch) FROM numbers";
        assert_eq!(self.stage.sql(offsets).await, "1\t1");
    }

    /// How many numbers are not as they came.
    async fn changed(&self) -> String {
        self.stage.sql("SELECT countIf(toInt64(small) != id % 256) FROM numbers").await
    }

    /// How often an INSERT was refused with this code.
    async fn refusals(&self, code: u32) -> u64 {
        let name = format!("moose_insert_retries_total{{table=\"numbers\",code=\"{code}\",reason=\"refused\"}} ");
        self.metrics().await.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).unwrap_or(0)
    }

    async fn metrics(&self) -> String {
        http::get(&format!("http://{}/metrics", self.app.management_address())).await.text()
    }

    /// Waits until the metrics show that many components of the table held for this reason.
    async fn shows_holds(&self, reason: &str, components: u32) {
        let wanted = format!("moose_holds{{table=\"numbers\",reason=\"{reason}\"}} {components}\n");
        eventually(LATE, || async {
            let metrics = self.metrics().await;
            if metrics.contains(&wanted) { Ok(()) } else { Err(metrics) }
        })
        .await;
    }

    async fn end(self) {
        self.app.stop().await.expect("an orderly stop");
    }
}

#[tokio::test]
async fn a_dropped_table_is_a_hold_until_it_is_there_again() {
    let mut scene = Scene::new().await;
    scene.stage.sql("DROP TABLE numbers").await;
    scene.post().await;
    scene.held(&["`numbers` does not exist"]).await;
    scene.shows_holds("table", 1).await;
    let bytes = scene
        .metrics()
        .await
        .lines()
        .find_map(|line| line.strip_prefix("moose_stream_bytes{stream=\"numbers\"} ")?.parse::<u64>().ok());
    assert!(bytes.is_some_and(|bytes| bytes > 0), "it was measured again meanwhile: {bytes:?}");
    scene.stage.sql("UNDROP TABLE numbers").await;
    scene.passes().await;
    scene.shows_holds("table", 0).await;
    assert_eq!(scene.changed().await, "0");
    scene.end().await;
}

#[tokio::test]
async fn a_dropped_column_is_a_hold_until_it_is_there_again() {
    let mut scene = Scene::new().await;
    scene.stage.sql("ALTER TABLE numbers DROP COLUMN small").await;
    scene.post().await;
    scene.held(&["`small` is missing"]).await;
    assert_eq!(scene.stage.sql("SELECT count() FROM numbers").await, "100");
    assert!(scene.refusals(16).await > 0, "ClickHouse has refused it before we have looked");
    scene.stage.sql("ALTER TABLE numbers ADD COLUMN small UInt8").await;
    scene.passes().await;
    // What was dropped is gone; what was held is as it came.
    let changed = "SELECT countIf(small != id % 256) FROM numbers WHERE id >= 100";
    assert_eq!(scene.stage.sql(changed).await, "0");
    scene.end().await;
}

#[tokio::test]
async fn a_column_whose_type_was_changed_between_two_inserts_takes_nothing_until_it_is_mended() {
    let mut scene = Scene::new().await;
    let mut refused = 0;
    // Narrower, wider, and other; each within the ten seconds for which a look at the table is good.
    for actual in ["Int8", "UInt16", "String"] {
        scene.stage.sql(&format!("ALTER TABLE numbers MODIFY COLUMN small {actual}")).await;
        let before = scene.stage.sql("SELECT count() FROM numbers").await;
        scene.post().await;
        scene.held(&["`small`", actual, "declared as UInt8"]).await;
        refused += 1;
        assert_eq!(scene.refusals(53).await, refused, "{actual}: refused by ClickHouse, then seen");
        assert_eq!(scene.stage.sql("SELECT count() FROM numbers").await, before);
        scene.stage.sql("ALTER TABLE numbers MODIFY COLUMN small UInt8").await;
        scene.passes().await;
        assert_eq!(scene.changed().await, "0", "{actual}");
    }
    scene.end().await;
}

/// What `/ready` says first, once it is not ready.
async fn not_ready(app: &RunningApp) -> Value {
    let url = format!("http://{}/ready", app.management_address());
    eventually(LATE, || async {
        let answer = http::get(&url).await;
        if answer.status == 503 { Ok(answer.json()["reasons"][0].clone()) } else { Err("ready") }
    })
    .await
}

#[tokio::test]
async fn a_revoked_grant_is_a_hold_that_ready_tells_with_all_there_is_to_know() {
    let mut scene = Scene::new().await;
    let denied = "m: Not enough privileges. To execute this query, it's necessary to have the grant INSERT(id, small) ON \
                  m.numbers. (ACCESS_DENIED)";
    let denied = Canned::exception(StatusCode::FORBIDDEN, 497, denied);
    let rule = scene.stage.proxy.when(insert_into("numbers")).make(Fault::Answer(denied.clone()));
    scene.post().await;
    let failure = scene.held(&["Not enough privileges"]).await;
    assert_eq!(failure.code, Some(497));
    let reason = not_ready(&scene.app).await;
    assert_eq!((&reason["part"], &reason["code"]), (&"table `numbers`".into(), &497.into()), "{reason}");
    assert!(reason["message"].as_str().is_some_and(|text| text.contains("INSERT(id, small)")), "{reason}");
    assert!(reason["since"].is_string(), "{reason}");
    let trials = scene.stage.proxy.matching(|request| request.statement.contains("__trial_"));
    assert!(trials.iter().all(|request| request.statement.contains("startsWith")), "no row is to blame");
    rule.remove();
    scene.passes().await;
    let ready = http::get(&format!("http://{}/ready", scene.app.management_address())).await;
    assert_eq!(ready.status, 200, "{}", ready.text());

    // Nothing may be read either, so that the table can't be asked.
    let rule = scene.stage.proxy.when(|request: &Recorded| request.path != "/ping").make(Fault::Answer(denied));
    scene.post().await;
    assert_eq!(scene.held(&["Not enough privileges"]).await.code, Some(497));
    rule.remove();
    scene.passes().await;
    assert_eq!(scene.changed().await, "0");
    scene.end().await;
}

/// A hold that a setting of the table makes, and that ends with the setting.
async fn setting(settings: &[(&str, &str)], code: u32, words: &str) {
    let mut scene = Scene::new().await;
    scene.stage.sql("SYSTEM STOP MERGES numbers").await;
    let list = |settings: &[String]| settings.join(", ");
    let set: Vec<String> = settings.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    scene.stage.sql(&format!("ALTER TABLE numbers MODIFY SETTING {}", list(&set))).await;
    scene.post().await;
    let failure = scene.held(&[words]).await;
    assert_eq!(failure.code, Some(code), "{failure:?}");
    let names: Vec<String> = settings.iter().map(|(name, _)| (*name).to_owned()).collect();
    scene.stage.sql(&format!("ALTER TABLE numbers RESET SETTING {}", list(&names))).await;
    scene.passes().await;
    assert_eq!(scene.changed().await, "0");
    scene.end().await;
}

#[tokio::test]
async fn a_full_disk_of_clickhouse_is_a_hold_until_there_is_room() {
    setting(&[("min_free_disk_bytes_to_perform_insert", "1000000000000000000")], 243, "NOT_ENOUGH_SPACE").await;
}

#[tokio::test]
async fn too_many_parts_are_a_hold_until_they_are_merged() {
    setting(&[("parts_to_delay_insert", "1"), ("parts_to_throw_insert", "1")], 252, "TOO_MANY_PARTS").await;
}

#[tokio::test]
async fn a_batch_over_300_table_partitions_is_stored() {
    let stage = Stage::new().await;
    stage
        .sql(&format!(
            "CREATE TABLE numbers ({COLUMNS}) ENGINE = MergeTree PARTITION BY id % 300 ORDER BY id \
             SETTINGS non_replicated_deduplication_window = 100000",
        ))
        .await;
    let mut config = stage.config();
    config.sync.max_rows = 600;
    config.sync.max_delay = Duration::from_mins(1);
    let app = stage.start_with(&[&NUMBERS], config).await;
    // The answer is lost, so that each of the parts meets its token.
    stage.proxy.when(insert_into("numbers")).times(1).make(Fault::DropAnswer);
    post_numbers(&app, 0..600).await;
    let scene = Scene { stage, app, posted: 600 };
    scene.passes().await;
    let partitions = "SELECT uniqExact(_partition_id) FROM numbers";
    assert_eq!(scene.stage.sql(partitions).await, "300");
    assert_eq!(scene.changed().await, "0");
    scene.end().await;
}

/// Bytes that a file of the limited process may have: what the stream's journal takes in advance, and not one more.
const FILE_LIMIT: u64 = 64 << 20;

/// A shell that limits what it becomes, until told otherwise: writing beyond is an error (EFBIG), as on a full disk, and no
/// signal.
const LIMITED: &str = "trap '' XFSZ; ulimit -S -f \"$1\"; shift; exec \"$@\"";

fn large_events(ids: std::ops::Range<u64>) -> String {
    let record = |id| {
        // What packs would not fill a disk.
        let user = Random::with_seed(id).letters(16 << 10);
        format!(r#"{{"id":"{id}","userId":"{user}","timestamp":"2024-01-15T10:30:00Z","eventType":""}}"#)
    };
    ids.map(record).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_full_disk_of_ours_closes_the_front_door_until_there_is_room_and_loses_nothing_that_was_accepted() {
    let stage = Stage::new().await;
    let blocks = (FILE_LIMIT / 512).to_string();
    let limited = ["-c", LIMITED, "sh", &blocks, PIPELINE];
    let launch = limited.iter().fold(Launch::new("sh", stage.data_dir()), |launch, argument| launch.argument(argument));
    let launch = launch
        .environment("MOOSE_CLICKHOUSE__URL", &stage.proxy.url())
        .environment("MOOSE_CLICKHOUSE__DATABASE", &stage.database);
    let mut process = launch.start();
    let addresses = process.addresses(LATE).await;
    let url = format!("http://{}/ingest/events", addresses.http);
    let post = async |ids| http::post(&url, "application/x-ndjson", large_events(ids)).await;
    let (mut kept, mut sent) = (BTreeSet::new(), 0);
    let refusal = loop {
        let ids = sent..sent + 200;
        sent = ids.end;
        let answer = post(ids.clone()).await;
        if answer.status != 200 {
            break answer;
        }
        kept.extend(ids);
        assert!(sent * 16_384 < 8 * FILE_LIMIT, "the limit is not met");
    };
    let told_why = |answer: &http::Answer, refused: u64| {
        let body = answer.json();
        assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "5"), "{body}");
        let counts = ["accepted", "rejected", "unknown"].map(|count| body[count].as_u64());
        assert_eq!(counts, [Some(0), Some(refused), Some(0)], "what is surely not stored is told: {body}");
        assert!(body["error"].as_str().is_some_and(|error| error.contains("File too large")), "{body}");
    };
    told_why(&refusal, 200);
    for _ in 0..50 {
        let answer = post(sent..sent + 1).await;
        sent += 1;
        told_why(&answer, 1);
    }
    let ready = async || http::get(&format!("http://{}/ready", addresses.management)).await;
    let answer = ready().await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    let reasons = answer.json()["reasons"].as_array().cloned().unwrap_or_default();
    let told = |reason: &Value| {
        reason["part"] == "embedded log"
            && reason["message"]
                .as_str()
                .is_some_and(|text| text.contains("File too large") && text.contains("opens itself anew"))
    };
    assert!(reasons.iter().any(told), "{reasons:?}");
    let lines = process.output().matches("records were not taken").count();
    assert!((1..=2).contains(&lines), "{lines} lines for 51 requests: {}", process.output());

    let process_id = process.id().to_string();
    let raised =
        std::process::Command::new("prlimit").args(["--fsize=unlimited:unlimited", "--pid", &process_id]).status();
    assert!(raised.is_ok_and(|status| status.success()), "prlimit");
    eventually(LATE, || async {
        let answer = ready().await;
        if answer.status == 200 { Ok(()) } else { Err(answer.text()) }
    })
    .await;
    let answer = post(sent..sent + 1).await;
    assert_eq!(answer.status, 200, "with room it goes on: {}", answer.text());
    kept.insert(sent);
    eventually(LATE, || async {
        let ids = stage.sql("SELECT id FROM events FORMAT TSV").await;
        let rows: Vec<u64> = ids.lines().map(|id| id.parse().expect("a number")).collect();
        let found: BTreeSet<u64> = rows.iter().copied().collect();
        assert_eq!(rows.len(), found.len(), "rows are there twice");
        assert!(found.is_subset(&kept), "what was refused is there");
        let missing = kept.difference(&found).count();
        if missing == 0 { Ok(()) } else { Err(format!("{missing} of {} are missing", kept.len())) }
    })
    .await;
    process.interrupt();
    assert!(process.wait(LATE).success(), "{}", process.output());
}
