//! Who a record is, and who fills a table: directories that come back from copies, applications and tables under other
//! names, tables that are replaced by hand. Each record is a row once, or the table is held with ways on that end so.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use moose_runtime::{
    app::{App, AppBuilder, Failure, ResumeFrom, RunningApp},
    config::Config,
    declare::Program,
    prelude::*,
};
use moose_tests::{
    http,
    load::each_is_a_row_once,
    pipelines::{NUMBERS, Number, SPREAD},
    process::Launch,
    proxy::{Fault, insert_into},
    wait::eventually,
};
use serde_json::{Value, json};

use crate::stage::{LATE, PIPELINE, SOON, Stage, post_numbers};

const ONCE: &str = "SELECT count(), uniqExact(id), countIf(small != id % 256) FROM numbers";

/// Two tables of one stream, one of them without hidden columns.
static KNOWN: OlapTable<Number> = OlapTable::new("known");
static BARE: OlapTable<Number> = OlapTable::new("bare").provenance(false);
static TWICE: Stream<Number> = Stream::new("twice").destination(&KNOWN).destination(&BARE);

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), &to).expect("a copy");
        }
    }
}

impl Stage {
    fn backup(&self) -> std::path::PathBuf {
        self.directory.path().join("backup")
    }

    /// Copies the directory of the streams, of which no process has the lock.
    pub(crate) fn copy_streams(&self) {
        copy(&self.data_dir().join("stream"), &self.backup());
    }

    /// Puts the copy in the place of the directory.
    pub(crate) fn put_streams_back(&self) {
        let place = self.data_dir().join("stream");
        fs::remove_dir_all(&place).expect("a directory");
        copy(&self.backup(), &place);
    }

    fn app_named(&self, name: &str) -> Config {
        let mut config = self.config();
        name.clone_into(&mut config.app.name);
        config
    }

    /// Waits until the table is held for a reason that says all of `words`.
    pub(crate) async fn is_held(&self, app: &RunningApp, words: &[&str]) -> Failure {
        eventually(LATE, || async {
            let failures = app.health().failures();
            let says = |failure: &&Failure| words.iter().all(|word| failure.message.contains(word));
            failures.values().find(says).cloned().ok_or_else(|| format!("wanted {words:?}: {failures:?}"))
        })
        .await
    }

    /// Waits until all of the stream is done and nothing fails.
    pub(crate) async fn has_caught_up(&self, app: &RunningApp) -> Vec<Value> {
        let accounting = format!("http://{}/accounting", app.management_address());
        eventually(LATE, || async {
            let accounts = http::get(&accounting).await.json();
            let accounts = accounts["accounts"].as_array().cloned().unwrap_or_default();
            let done = accounts.iter().all(|account| account["next"] == account["end"]);
            let failures = app.health().failures();
            if done && failures.is_empty() { Ok(accounts) } else { Err(format!("{failures:?} {accounts:?}")) }
        })
        .await
    }
}

fn builder(config: Config) -> AppBuilder {
    let program = Program { name: "test", version: "0", schema: None };
    App::new(program).resources(&[&NUMBERS]).config(config).engine_program(PIPELINE)
}

async fn readers(app: &RunningApp, question: Value) -> (u16, Value) {
    let url = format!("http://{}/readers", app.management_address());
    let answer = http::post_json(&url, question.to_string()).await;
    (answer.status.as_u16(), answer.json())
}

async fn stop(app: RunningApp) {
    app.stop().await.expect("an orderly stop");
}

#[tokio::test]
async fn records_that_follow_on_a_directory_from_a_copy_are_rows() {
    let stage = Stage::new().await;
    let app = stage.start(&[&NUMBERS]).await;
    post_numbers(&app, 0..10).await;
    stage.shows(ONCE, "10\t10\t0", SOON).await;
    stop(app).await;
    stage.copy_streams();
    let app = stage.start(&[&NUMBERS]).await;
    post_numbers(&app, 10..20).await;
    stage.shows(ONCE, "20\t20\t0", SOON).await;
    stop(app).await;
    stage.put_streams_back();
    let app = stage.start(&[&NUMBERS]).await;
    post_numbers(&app, 20..30).await;
    stage.shows(ONCE, "30\t30\t0", SOON).await;
    let accounts = stage.has_caught_up(&app).await;
    assert_eq!(accounts[0]["inserted"], 20, "{accounts:?}");
    stop(app).await;
    // Put back once more, with others in the offsets of those that came after the first time.
    stage.put_streams_back();
    let app = stage.start(&[&NUMBERS]).await;
    post_numbers(&app, 30..40).await;
    stage.shows(ONCE, "40\t40\t0", SOON).await;
    stop(app).await;
}

/// `check --counts` of the pipeline that is stopped: its exit code, its account of the numbers and what it prints.
pub(crate) fn counts(stage: &Stage) -> (Option<i32>, Value) {
    let run = Launch::new(PIPELINE, stage.data_dir())
        .environment("MOOSE_CLICKHOUSE__URL", &stage.engine.url())
        .environment("MOOSE_CLICKHOUSE__DATABASE", &stage.database)
        .environment("MOOSE_APP__NAME", "moose")
        .argument("check")
        .argument("--counts")
        .argument("--json")
        .command()
        .output()
        .expect("the command runs");
    let document: Value = serde_json::from_slice(&run.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&run.stderr)));
    let accounts = document["accounts"].as_array().expect("accounts");
    (run.status.code(), accounts.iter().find(|account| account["table"] == "numbers").cloned().unwrap_or_default())
}

#[tokio::test]
async fn the_proof_tells_of_a_copy_of_another_reader_and_of_another_table() {
    let stage = Stage::new().await;
    let app = stage.start(&[&NUMBERS]).await;
    post_numbers(&app, 0..10).await;
    stage.has_caught_up(&app).await;
    // As a snapshot of the disk has it, under a process that goes on.
    stage.copy_streams();
    post_numbers(&app, 10..15).await;
    stage.shows(ONCE, "15\t15\t0", SOON).await;
    stop(app).await;
    stage.put_streams_back();
    let (_, account) = counts(&stage);
    assert_eq!((&account["counts"]["rows"], &account["counts"]["beyond"]), (&json!(10), &json!(5)), "{account}");
    assert_eq!(account["contradictions"], json!([]), "every record is a row once");

    let app = builder(stage.app_named("another")).start().await.expect("a start");
    stage.is_held(&app, &["`moose/numbers`"]).await;
    let (status, answer) = readers(&app, json!({ "do": "forget", "reader": "moose" })).await;
    assert_eq!(status, 200, "{answer}");
    stage.has_caught_up(&app).await;
    stop(app).await;
    let (_, account) = counts(&stage);
    assert!(
        account["contradictions"].to_string().contains("`another/numbers` has read the stream into the table too"),
        "{account}"
    );
    stage.sql("CREATE OR REPLACE TABLE numbers AS numbers").await;
    let app = builder(stage.app_named("another")).start().await.expect("a start");
    let found = format!("http://{}/accounting", app.management_address());
    let accounts = http::get(&found).await.json();
    assert_ne!(accounts["accounts"][0]["table_uuid"], Value::Null);
    stop(app).await;
}

#[tokio::test]
async fn a_cursor_that_is_older_than_the_table_stores_nothing_twice_whatever_the_ranges_were() {
    let stage = Stage::new().await;
    let config = |rows: usize| {
        let mut config = stage.config();
        config.sync.max_rows = rows;
        config
    };
    let app = stage.start_with(&[&NUMBERS], config(1000)).await;
    post_numbers(&app, 0..10).await;
    stage.shows(ONCE, "10\t10\t0", SOON).await;
    stop(app).await;
    // Accepted, and not in the table yet when the copy is made.
    let slow = {
        let mut slow = config(7);
        slow.shutdown.deadline = Duration::from_secs(2);
        slow
    };
    let held = stage.proxy.when(insert_into("numbers")).make(Fault::Hold);
    let app = stage.start_with(&[&NUMBERS], slow).await;
    post_numbers(&app, 10..100).await;
    eventually(SOON, || async { stage.proxy.inserts("numbers").get(1).cloned().ok_or("no INSERT yet") }).await;
    // Cut off with ranges on their way.
    let _ = app.stop().await;
    held.remove();
    stage.copy_streams();
    for rows in [1000, 13, 1] {
        let app = stage.start_with(&[&NUMBERS], config(rows)).await;
        stage.has_caught_up(&app).await;
        assert_eq!(stage.sql(ONCE).await, "100\t100\t0", "ranges of {rows}");
        stop(app).await;
        stage.put_streams_back();
    }
    // Put back, and ClickHouse goes away before the table could be asked.
    let asked = stage.proxy.when(|request| request.statement.contains("max(_stream_offset)")).make(Fault::Refuse);
    let app = stage.start_with(&[&NUMBERS], config(5)).await;
    stage.proxy.close_door();
    post_numbers(&app, 100..103).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(stage.sql(ONCE).await, "100\t100\t0", "nothing is sent before that");
    asked.remove();
    stage.proxy.open_door();
    stage.has_caught_up(&app).await;
    assert_eq!(stage.sql(ONCE).await, "103\t103\t0");
    stop(app).await;
}

#[tokio::test]
async fn partitions_and_tables_of_one_stream_come_back_from_a_copy_each() {
    let stage = Stage::new().await;
    let post = async |app: &RunningApp, ids: std::ops::Range<u64>| {
        let numbers: Vec<Number> = ids.map(|id| Number { id, small: u8::try_from(id % 256).unwrap_or(0) }).collect();
        app.stream(&SPREAD.stream).append(&numbers).await.expect("durable");
        app.stream(&TWICE).append(&numbers).await.expect("durable");
    };
    let all: [&'static dyn moose_runtime::declare::Resource; 4] = [&SPREAD, &KNOWN, &BARE, &TWICE];
    let app = stage.start(&all).await;
    post(&app, 0..60).await;
    stage.has_caught_up(&app).await;
    stop(app).await;
    stage.copy_streams();
    let app = stage.start(&all).await;
    post(&app, 60..90).await;
    stage.has_caught_up(&app).await;
    stop(app).await;
    stage.put_streams_back();
    let app = stage.start(&all).await;
    post(&app, 90..140).await;
    stage.has_caught_up(&app).await;
    for table in ["spread", "known", "bare"] {
        let found = stage.sql(&format!("SELECT count(), uniqExact(id) FROM {table}")).await;
        assert_eq!(found, "140\t140", "{table}: also what has only tokens loses nothing of what comes later");
    }
    stop(app).await;
}

#[tokio::test]
async fn another_name_of_the_application_is_a_hold_and_adopting_goes_on_where_it_was() {
    let stage = Stage::new().await;
    let app = builder(stage.app_named("quickstart")).start().await.expect("a start");
    for ids in [0..10, 10..20, 20..30] {
        let rows = ids.end;
        post_numbers(&app, ids).await;
        stage.shows(ONCE, &format!("{rows}\t{rows}\t0"), SOON).await;
    }
    stop(app).await;
    let app = builder(stage.app_named("renamed")).start().await.expect("a start");
    post_numbers(&app, 30..40).await;
    let failure = stage.is_held(&app, &["`quickstart/numbers`", "readers adopt", "readers forget"]).await;
    assert!(failure.message.contains("30"), "how far it is: {failure:?}");
    assert_eq!(stage.sql(ONCE).await, "30\t30\t0");
    let management = format!("http://{}", app.management_address());
    let ready = http::get(&format!("{management}/ready")).await.json();
    let undeclared = json!([{ "stream": "numbers", "reader": "quickstart/numbers", "lag": 10 }]);
    assert_eq!(ready["undeclared_readers"], undeclared, "{ready}");
    let metrics = http::get(&format!("{management}/metrics")).await.text();
    let lag = r#"moose_undeclared_lag_records{stream="numbers",reader="quickstart/numbers"} 10"#;
    assert!(metrics.contains(lag), "{metrics}");
    let (status, listed) = readers(&app, json!({ "do": "list" })).await;
    let of = |reader: &str| {
        let readers = listed["readers"].as_array().expect("readers");
        readers.iter().find(|found| found["reader"] == reader).cloned().unwrap_or_default()
    };
    assert_eq!(status, 200, "{listed}");
    assert_eq!((&of("quickstart/numbers")["declared"], &of("quickstart/numbers")["next"]), (&json!(false), &json!(30)));
    assert_eq!(of("renamed/numbers")["declared"], json!(true), "{listed}");
    let (status, answer) = readers(&app, json!({ "do": "adopt", "reader": "nobody" })).await;
    assert_eq!(status, 400, "{answer}");
    let (status, answer) = readers(&app, json!({ "do": "forget", "reader": "renamed" })).await;
    assert_eq!(status, 400, "a reader that is declared stays: {answer}");
    let (status, answer) = readers(&app, json!({ "do": "adopt", "reader": "quickstart" })).await;
    assert_eq!(status, 200, "{answer}");
    stage.has_caught_up(&app).await;
    assert_eq!(stage.sql(ONCE).await, "40\t40\t0");
    let (_, listed) = readers(&app, json!({ "do": "list" })).await;
    assert_eq!(listed["readers"].as_array().map(Vec::len), Some(1), "{listed}");
    stop(app).await;
}

#[tokio::test]
async fn a_range_that_was_on_its_way_under_another_name_keeps_its_token_when_it_is_adopted() {
    let stage = Stage::new().await;
    let mut config = stage.app_named("first");
    config.shutdown.deadline = Duration::from_secs(2);
    let app = builder(config).start().await.expect("a start");
    let held = stage.proxy.when(insert_into("numbers")).make(Fault::HoldAnswer);
    post_numbers(&app, 0..10).await;
    stage.shows(ONCE, "10\t10\t0", SOON).await;
    let _ = app.stop().await;
    held.remove();
    // For the view the range is sent again as a whole.
    stage.sql("CREATE MATERIALIZED VIEW seen ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100000 AS SELECT id FROM numbers").await;
    let app = builder(stage.app_named("second")).start().await.expect("a start");
    stage.is_held(&app, &["`first/numbers`"]).await;
    let (status, answer) = readers(&app, json!({ "do": "adopt", "reader": "first/numbers" })).await;
    assert_eq!(status, 200, "{answer}");
    stage.has_caught_up(&app).await;
    assert_eq!(stage.sql(ONCE).await, "10\t10\t0");
    let tokens: BTreeSet<String> =
        stage.proxy.inserts("numbers").iter().map(|insert| insert.token().to_owned()).collect();
    assert_eq!(tokens.len(), 1, "{tokens:?}");
    stop(app).await;
}

#[tokio::test]
async fn forgetting_a_reader_that_was_this_application_after_all_stores_nothing_twice() {
    let stage = Stage::new().await;
    let app = builder(stage.app_named("before")).start().await.expect("a start");
    post_numbers(&app, 0..25).await;
    stage.shows(ONCE, "25\t25\t0", SOON).await;
    stop(app).await;
    let app = builder(stage.app_named("after")).start().await.expect("a start");
    post_numbers(&app, 25..30).await;
    stage.is_held(&app, &["`before/numbers`"]).await;
    let (status, answer) = readers(&app, json!({ "do": "forget", "reader": "before" })).await;
    assert_eq!(status, 200, "{answer}");
    stage.has_caught_up(&app).await;
    assert_eq!(stage.sql(ONCE).await, "30\t30\t0");
    stop(app).await;
}

#[tokio::test]
async fn a_table_that_is_replaced_by_hand_under_traffic_gets_each_record_once() {
    let stage = Stage::new().await;
    let app = stage.start(&[&NUMBERS]).await;
    post_numbers(&app, 0..50).await;
    stage.shows(ONCE, "50\t50\t0", SOON).await;
    // Only whoever looks at the table again notices; until then it takes rows.
    stage.sql("CREATE OR REPLACE TABLE numbers AS numbers").await;
    let mut next = 50;
    while app.health().failures().is_empty() {
        post_numbers(&app, next..next + 10).await;
        next += 10;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    stage.is_held(&app, &["--from earliest"]).await;
    let taken: u64 = stage.sql("SELECT count() FROM numbers").await.parse().expect("a number");
    assert!(taken > 0, "the table took rows before it was noticed");
    stop(app).await;

    let app = builder(stage.config()).resume_from(ResumeFrom::Earliest).start().await.expect("a start");
    stage.has_caught_up(&app).await;
    let posted: BTreeSet<u64> = (0..next).collect();
    each_is_a_row_once(&stage.url(), "numbers", &posted, SOON).await;

    // Replaced once more: what was said has counted, in this process and at later starts with it.
    stage.sql("CREATE OR REPLACE TABLE numbers AS numbers").await;
    stop(app).await;
    let app = builder(stage.config()).resume_from(ResumeFrom::Earliest).start().await.expect("a start");
    stage.is_held(&app, &["start once without it"]).await;
    assert_eq!(stage.sql("SELECT count() FROM numbers").await, "0");
    stop(app).await;
    let app = builder(stage.config()).start().await.expect("a start");
    stage.is_held(&app, &["--from earliest"]).await;
    stop(app).await;
    let app = builder(stage.config()).resume_from(ResumeFrom::Earliest).start().await.expect("a start");
    stage.has_caught_up(&app).await;
    each_is_a_row_once(&stage.url(), "numbers", &posted, SOON).await;
    stop(app).await;
}

#[tokio::test]
async fn a_table_that_is_exchanged_and_put_back_lacks_nothing() {
    let stage = Stage::new().await;
    let app = stage.start(&[&NUMBERS]).await;
    post_numbers(&app, 0..50).await;
    stage.shows(ONCE, "50\t50\t0", SOON).await;
    stage.sql("CREATE TABLE mistaken AS numbers").await;
    stage.sql("EXCHANGE TABLES mistaken AND numbers").await;
    let mut next = 50;
    while app.health().failures().is_empty() {
        post_numbers(&app, next..next + 10).await;
        next += 10;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    stage.is_held(&app, &["--from earliest"]).await;
    assert_ne!(stage.sql("SELECT count() FROM numbers").await, "0", "it took rows before it was noticed");
    stage.sql("EXCHANGE TABLES mistaken AND numbers").await;
    post_numbers(&app, next..next + 10).await;
    stage.has_caught_up(&app).await;
    each_is_a_row_once(&stage.url(), "numbers", &(0..next + 10).collect(), LATE).await;
    stop(app).await;
}

#[tokio::test]
async fn an_answer_that_met_no_hold_has_counted_too() {
    let stage = Stage::new().await;
    let app = builder(stage.config()).resume_from(ResumeFrom::Earliest).start().await.expect("a start");
    post_numbers(&app, 0..10).await;
    stage.shows(ONCE, "10\t10\t0", SOON).await;
    stop(app).await;
    stage.sql("CREATE OR REPLACE TABLE numbers AS numbers").await;
    let app = builder(stage.config()).resume_from(ResumeFrom::Earliest).start().await.expect("a start");
    stage.is_held(&app, &["start once without it"]).await;
    stop(app).await;
}

#[tokio::test]
async fn a_view_that_fails_for_long_does_not_double_its_table() {
    let stage = Stage::new().await;
    let app = stage.start(&[&NUMBERS]).await;
    stage.sql("ALTER TABLE numbers MODIFY SETTING non_replicated_deduplication_window = 20").await;
    stage
        .sql(
            "CREATE MATERIALIZED VIEW strict ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 20 \
             AS SELECT id, throwIf(id = 5) AS bad FROM numbers",
        )
        .await;
    post_numbers(&app, 0..10).await;
    stage.is_held(&app, &["while pushing to view"]).await;
    assert_eq!(stage.sql(ONCE).await, "10\t10\t0", "the table has it, the view refuses it");
    // More blocks than the table remembers tokens.
    for id in 1000..1030 {
        stage.sql(&format!("INSERT INTO numbers VALUES ({id}, 0)")).await;
    }
    stage.has_caught_up(&app).await;
    let found = stage.sql("SELECT count(), uniqExact(id) FROM numbers WHERE id < 1000").await;
    assert_eq!(found, "10\t10", "sent again it would be there twice");
    let accounting = format!("http://{}/accounting", app.management_address());
    let accounts = http::get(&accounting).await.json();
    assert_eq!(accounts["accounts"][0]["views_in_doubt"], json!([[0, 9]]), "{accounts}");
    let metrics = http::get(&format!("http://{}/metrics", app.management_address())).await.text();
    let counted = format!("moose_views_in_doubt_total{{view=\"{}.strict\"}} 10", stage.database);
    assert!(metrics.contains(&counted), "{metrics}");
    stop(app).await;
}

#[tokio::test]
async fn a_view_that_is_mended_soon_gets_its_rows_and_the_table_none_twice() {
    let stage = Stage::new().await;
    let app = stage.start(&[&NUMBERS]).await;
    let view = |condition: &str| {
        format!(
            "CREATE MATERIALIZED VIEW strict ENGINE = MergeTree ORDER BY id \
             SETTINGS non_replicated_deduplication_window = 100000 AS SELECT id, throwIf({condition}) AS bad FROM numbers"
        )
    };
    stage.sql(&view("id = 5")).await;
    post_numbers(&app, 0..10).await;
    stage.is_held(&app, &["while pushing to view"]).await;
    stage.sql("ALTER TABLE strict MODIFY QUERY SELECT id, 0::UInt8 AS bad FROM numbers").await;
    stage.has_caught_up(&app).await;
    assert_eq!(stage.sql(ONCE).await, "10\t10\t0");
    assert_eq!(stage.sql("SELECT count(), uniqExact(id) FROM strict").await, "10\t10");
    stop(app).await;
}

/// One stream whose destination is declared under another name by a later build.
static SOURCE: Stream<Number> = Stream::new("moving").destination(&FORMER);
static FORMER: OlapTable<Number> = OlapTable::new("former");
static SOURCE_LATER: Stream<Number> = Stream::new("moving").destination(&LATER);
static LATER: OlapTable<Number> = OlapTable::new("later");

#[tokio::test]
async fn a_table_that_was_renamed_by_hand_is_known_by_its_identity() {
    let stage = Stage::new().await;
    let launch = |name: &'static str| {
        let mut config = stage.config();
        name.clone_into(&mut config.app.name);
        config
    };
    let app = stage.start_with(&[&SOURCE, &FORMER], launch("moose")).await;
    let of = |ids: std::ops::Range<u64>| -> Vec<Number> { ids.map(|id| Number { id, small: 0 }).collect() };
    stage.shows("EXISTS former", "1", SOON).await;
    stage.sql("ALTER TABLE former ADD CONSTRAINT good CHECK id != 5").await;
    app.stream(&SOURCE).append(&of(0..10)).await.expect("durable");
    stage.shows("SELECT count() FROM former", "9", LATE).await;
    stop(app).await;
    stage.sql("RENAME TABLE former TO later").await;
    let app = stage.start_with(&[&SOURCE_LATER, &LATER], launch("moose")).await;
    app.stream(&SOURCE_LATER).append(&of(10..12)).await.expect("durable");
    stage.is_held(&app, &["`moose/former`", "readers adopt"]).await;
    let (status, answer) = readers(&app, json!({ "do": "adopt", "reader": "moose/former" })).await;
    assert_eq!(status, 200, "{answer}");
    let accounts = stage.has_caught_up(&app).await;
    assert_eq!(stage.sql("SELECT count(), uniqExact(id) FROM later").await, "11\t11");
    let account = accounts.iter().find(|account| account["table"] == "later").expect("an account");
    assert_eq!((&account["inserted"], &account["dead_lettered"]), (&json!(11), &json!(1)), "{account}");
    // What the table refused under its former name goes to it under the new one.
    stage.sql("ALTER TABLE later DROP CONSTRAINT good").await;
    let url = format!("http://{}/dead-letters", app.management_address());
    let replayed = http::post_json(&url, json!({ "do": "replay", "table": "later" }).to_string()).await.json();
    assert_eq!(replayed["replayed"], 1, "{replayed}");
    assert_eq!(stage.sql("SELECT count(), uniqExact(id) FROM later").await, "12\t12");
    stop(app).await;
}
