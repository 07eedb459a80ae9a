//! Rows that ClickHouse refuses: exactly those become dead letters, all others land once, and what is no row's fault is
//! a hold.

use std::collections::BTreeSet;

use moose_runtime::{
    app::RunningApp,
    internal::stream::{
        Backend as _, DeadLetter, DeadLetterQuery,
        log::{Log, LogOptions},
    },
};
use moose_tests::{
    http, is_full,
    pipelines::NUMBERS,
    process::Launch,
    proxy::{Fault, Recorded, insert_into},
    wait::eventually,
};

use crate::stage::{COLUMNS, LATE, SOON, Stage, post_numbers};

/// Rows, different ones, and those that are not as they came.
const ONCE: &str = "SELECT count(), uniqExact(id), countIf(small != id % 256) FROM numbers";

/// How long thousands of statements may take.
const TRIED: std::time::Duration = std::time::Duration::from_mins(10);

/// What `ONCE` gives for so many rows.
fn once(rows: u64) -> String {
    format!("{rows}\t{rows}\t0")
}

impl Stage {
    /// Starts with ranges of exactly `rows` records, however slow the machine is.
    async fn start_in_ranges(&self, rows: usize) -> RunningApp {
        let mut config = self.config();
        config.sync.max_rows = rows;
        config.sync.max_delay = std::time::Duration::from_mins(1);
        self.start_with(&[&NUMBERS], config).await
    }

    /// The dead letters of an application that has ended.
    pub(crate) async fn dead_letters(&self) -> Vec<DeadLetter> {
        let log = Log::open(LogOptions::new(self.data_dir().join("stream"))).expect("the log opens");
        let query = DeadLetterQuery { limit: usize::MAX, ..DeadLetterQuery::default() };
        let letters = log.dead_letters(&query).await.expect("dead letters can be read");
        log.close().await.expect("the log closes");
        letters
    }

    /// Nothing of a trial is left in the database.
    async fn is_clean(&self) {
        let left =
            "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name LIKE '%\\_\\_trial\\_%'";
        self.shows(left, "0", SOON).await;
    }

    /// All of `rows` numbers but those that `bad` says are in the table once, and exactly those are dead letters.
    async fn shows_all_but(&self, app: RunningApp, rows: u64, bad: impl Fn(u64) -> bool, code: u32) {
        let expected: BTreeSet<u64> = (0..rows).filter(|id| bad(*id)).collect();
        self.shows(ONCE, &once(rows - expected.len() as u64), TRIED).await;
        let metrics = format!("http://{}/metrics", app.management_address());
        let told =
            format!("moose_records_dead_lettered_total{{table=\"numbers\",reason=\"refused\"}} {}\n", expected.len());
        eventually(LATE, || async {
            let text = http::get(&metrics).await.text();
            let passed = text.contains("moose_lag_records{stream=\"numbers\",table=\"numbers\",partition=\"0\"} 0\n");
            let failures = app.health().failures();
            if passed && text.contains(&told) && failures.is_empty() {
                Ok(())
            } else {
                Err(format!("{failures:?} {text}"))
            }
        })
        .await;
        app.stop().await.expect("an orderly stop");
        assert_eq!(self.sql(ONCE).await, once(rows - expected.len() as u64));

        let letters = self.dead_letters().await;
        let mut found = BTreeSet::new();
        for letter in &letters {
            let record: serde_json::Value = serde_json::from_slice(&letter.payload).expect("the record as it came");
            let id = record["id"].as_u64().expect("an id");
            assert!(found.insert(id), "{id} is there twice");
            assert_eq!(letter.key.offset, id);
            assert_eq!((letter.details.code, letter.details.maybe_stored), (Some(code), false), "{letter:?}");
            assert!(letter.details.reason.contains("DB::Exception"), "{letter:?}");
        }
        assert_eq!(found, expected);
        self.is_clean().await;
    }
}

/// Statements of a trial, without the look at a start for what an earlier one has left.
fn of_a_trial(request: &Recorded) -> bool {
    request.statement.contains("__trial_") && !request.statement.contains("startsWith")
}

/// Posts numbers in bodies that the front door takes.
async fn post_all(app: &RunningApp, rows: u64) {
    for first in (0..rows).step_by(50_000) {
        post_numbers(app, first..(first + 50_000).min(rows)).await;
    }
}

/// One batch with a constraint that refuses some ids.
async fn constraint(rows: usize, condition: &str, bad: impl Fn(u64) -> bool, code: u32) -> usize {
    let stage = Stage::new().await;
    let app = stage.start_in_ranges(rows).await;
    stage.sql(&format!("ALTER TABLE numbers ADD CONSTRAINT good CHECK {condition}")).await;
    let begun = std::time::Instant::now();
    post_all(&app, rows as u64).await;
    stage.shows_all_but(app, rows as u64, bad, code).await;
    let trials = stage.proxy.matching(of_a_trial).len();
    eprintln!("{rows} rows with `{condition}`: {trials} statements of the trial, {:?}", begun.elapsed());
    trials
}

#[tokio::test]
async fn one_refused_row_of_100_000_is_a_dead_letter_and_all_others_land_once() {
    let statements = constraint(100_000, "id != 54321", |id| id == 54_321, 469).await;
    assert!(statements <= 36 + 16 + 17 + 6, "{statements}");
}

#[tokio::test]
async fn ten_refused_rows_of_100_000_are_found_one_by_one() {
    let statements = constraint(100_000, "id % 10000 != 777", |id| id % 10_000 == 777, 469).await;
    assert!(statements <= 10 * 31 + 1 + 16 + 17 + 6, "{statements}");
}

/// The full form, with `MOOSE_TEST_FULL=1`, is a batch of 100,000; it takes some minutes.
#[tokio::test]
async fn a_thousand_refused_rows_are_found_in_a_bounded_number_of_statements() {
    if is_full() {
        let statements = constraint(100_000, "id % 100 != 77", |id| id % 100 == 77, 469).await;
        assert!(statements <= 1_000 * 17 + 1 + 16 + 17 + 6, "{statements}");
    } else {
        let statements = constraint(2_000, "id % 2 != 1", |id| id % 2 == 1, 469).await;
        assert!(statements <= 1_000 * 5 + 1 + 16 + 17 + 6, "{statements}");
    }
}

/// ClickHouse says that it can't read data, as it would of a block; but it is a function's argument.
#[tokio::test]
async fn a_value_that_a_function_can_t_read_is_a_dead_letter() {
    constraint(20, "length(base64Decode(if(id = 5, 'x(', 'eA=='))) > 0", |id| id == 5, 117).await;
}

#[tokio::test]
async fn a_sorting_key_that_throws_over_several_table_partitions() {
    let stage = Stage::new().await;
    // The rest of the range may be stored in other partitions by the INSERT that is refused.
    stage
        .sql(&format!(
            "CREATE TABLE numbers ({COLUMNS}) ENGINE = MergeTree \
             PARTITION BY id % 8 ORDER BY (id, throwIf(id % 100 = 35)) \
             SETTINGS non_replicated_deduplication_window = 1000",
        ))
        .await;
    let app = stage.start_in_ranges(1_000).await;
    post_all(&app, 1_000).await;
    stage.shows_all_but(app, 1_000, |id| id % 100 == 35, 395).await;
}

#[tokio::test]
async fn a_failing_view_is_a_hold_and_everything_is_there_once_when_it_is_mended() {
    let stage = Stage::new().await;
    let app = stage.start_in_ranges(100).await;
    let target = "CREATE TABLE target (id UInt64) ENGINE = MergeTree ORDER BY id \
                  SETTINGS non_replicated_deduplication_window = 1000";
    stage.sql(target).await;
    let view = "MATERIALIZED VIEW view TO target AS SELECT id FROM numbers";
    stage.sql(&format!("CREATE {view} WHERE throwIf(id = 42) = 0")).await;
    post_all(&app, 100).await;
    let failure = eventually(SOON, || async {
        app.health().failures().into_values().find(|failure| failure.attempts > 3).ok_or("no hold yet")
    })
    .await;
    assert_eq!(failure.code, Some(395), "{failure:?}");
    assert!(stage.proxy.matching(of_a_trial).is_empty(), "what a view refuses is no row's fault");
    stage.sql("ALTER TABLE view MODIFY QUERY SELECT id FROM numbers").await;
    stage.shows("SELECT count(), uniqExact(id) FROM target", "100\t100", LATE).await;
    stage.shows_all_but(app, 100, |_| false, 0).await;
    assert_eq!(stage.sql("SELECT count(), uniqExact(id) FROM target").await, "100\t100");
}

#[tokio::test]
async fn a_table_that_refuses_every_row_is_a_hold_and_no_dead_letter() {
    let stage = Stage::new().await;
    let app = stage.start_in_ranges(100).await;
    stage.sql("ALTER TABLE numbers ADD CONSTRAINT none CHECK id > 1000").await;
    post_all(&app, 100).await;
    let failure = eventually(LATE, || async {
        let held = app.health().failures().into_values().next().ok_or("no failure yet")?;
        if held.message.contains("refuses every row") { Ok(held) } else { Err("another failure") }
    })
    .await;
    assert_eq!(failure.code, Some(469), "{failure:?}");
    stage.sql("ALTER TABLE numbers DROP CONSTRAINT none").await;
    stage.shows_all_but(app, 100, |_| false, 0).await;
}

#[tokio::test]
async fn a_single_wrong_row_between_others_holds_nothing_up() {
    let stage = Stage::new().await;
    let app = stage.start_in_ranges(1).await;
    stage.sql("ALTER TABLE numbers ADD CONSTRAINT good CHECK id != 5").await;
    post_all(&app, 10).await;
    stage.shows_all_but(app, 10, |id| id == 5, 469).await;
}

#[tokio::test]
async fn a_single_refused_row_is_held_while_the_table_refuses_the_rows_before_it_too() {
    let stage = Stage::new().await;
    let app = stage.start_in_ranges(1).await;
    post_all(&app, 5).await;
    stage.shows(ONCE, &once(5), LATE).await;
    stage.sql("ALTER TABLE numbers ADD CONSTRAINT none CHECK id > 1000").await;
    post_numbers(&app, 5..10).await;
    eventually(LATE, || async {
        let held = app.health().failures().into_values().next().ok_or("no failure yet")?;
        if held.message.contains("refuses every row") { Ok(()) } else { Err("another failure") }
    })
    .await;
    stage.sql("ALTER TABLE numbers DROP CONSTRAINT none").await;
    stage.shows_all_but(app, 10, |_| false, 0).await;
}

#[tokio::test]
async fn rows_that_are_stored_are_never_tried() {
    let stage = Stage::new().await;
    let app = stage.start_in_ranges(100).await;
    // The answer is lost; when the range is settled, a constraint refuses rows that the table has, and none that it lacks.
    let rule = stage.proxy.when(insert_into("numbers")).times(1).make(Fault::HoldAnswer);
    post_all(&app, 100).await;
    stage.shows(ONCE, &once(100), LATE).await;
    stage.sql("ALTER TABLE numbers ADD CONSTRAINT later CHECK id > 50").await;
    stage.proxy.close_door();
    rule.remove();
    stage.proxy.open_door();
    stage.shows_all_but(app, 100, |_| false, 0).await;
}

/// What `dead-letters` answers in JSON, and whether it ended well.
fn dead_letters(launch: &Launch, arguments: &[&str]) -> (bool, serde_json::Value) {
    let launch = launch.clone().argument("dead-letters").argument("--json");
    let launch = arguments.iter().fold(launch, |launch, argument| launch.argument(argument));
    let run = launch.command().output().expect("the command runs");
    let text = String::from_utf8_lossy(&run.stdout);
    let answer = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}{}", String::from_utf8_lossy(&run.stderr)));
    (run.status.success(), answer)
}

// The command is waited for with a blocking call, while the proxy must go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_lists_replays_and_drops_with_and_without_a_running_instance() {
    let stage = Stage::new().await;
    let (launch, mut process) = stage.process_with_numbers("id NOT IN (3, 5, 7)").await;
    let listed = eventually(LATE, || async {
        let (_, answer) = dead_letters(&launch, &["list", "--table", "numbers"]);
        let count = answer["dead_letters"].as_array().map_or(0, Vec::len);
        if count == 3 { Ok(answer) } else { Err(answer) }
    })
    .await;
    stage.shows(ONCE, &once(7), LATE).await;
    let keys: Vec<&str> = (0..3).filter_map(|place| listed["dead_letters"][place]["key"].as_str()).collect();
    let (_, shown) = dead_letters(&launch, &["show", keys[0]]);
    assert_eq!(shown["payload"], "{\"id\":3,\"small\":3}");
    assert_eq!(shown["code"], 469);

    let (well, answer) = dead_letters(&launch, &["replay", "--all"]);
    assert!(!well && answer["failed"].as_array().map_or(0, Vec::len) == 3, "still refused: {answer}");
    stage.sql("ALTER TABLE numbers DROP CONSTRAINT good").await;
    // The answer is lost, so that nobody knows: the next replay finds the row there.
    stage.proxy.when(insert_into("numbers")).times(1).make(Fault::DropAnswer);
    let (well, answer) = dead_letters(&launch, &["replay", keys[0]]);
    assert!(!well, "{answer}");
    let (well, answer) = dead_letters(&launch, &["replay", keys[0], keys[1]]);
    assert!(well, "{answer}");
    assert_eq!((&answer["replayed"], &answer["already_stored"]), (&1.into(), &1.into()));
    assert_eq!(stage.sql(ONCE).await, once(9));
    let tokens: Vec<_> = stage.proxy.inserts("numbers").iter().map(|insert| insert.token().to_owned()).collect();
    assert!(tokens.contains(&format!("dead-letter/{}", keys[1])), "{tokens:?}");
    let (well, answer) = dead_letters(&launch, &["replay", keys[0]]);
    assert!(!well && answer["unknown"][0] == keys[0], "it has ended: {answer}");
    let agrees = || {
        let run = launch.clone().argument("check").argument("--counts").command().output().expect("the command runs");
        String::from_utf8_lossy(&run.stdout).into_owned()
    };
    let told = "10 accepted = 7 inserted + 3 dead-lettered + 0 in the stream\n          \
                2 of the dead letters were replayed and are in the table\n  table   9 rows of 9 records";
    assert!(agrees().contains(told), "{}", agrees());

    process.interrupt();
    assert!(process.wait(LATE).success(), "{}", process.output());
    let (_, answer) = dead_letters(&launch, &["list"]);
    assert_eq!(answer["dead_letters"].as_array().map(Vec::len), Some(1), "{answer}");
    let (well, answer) = dead_letters(&launch, &["drop", keys[2]]);
    assert!(well && answer["dropped"] == 1, "{answer}");
    let (_, answer) = dead_letters(&launch, &["list"]);
    assert_eq!(answer["dead_letters"].as_array().map(Vec::len), Some(0), "{answer}");
    assert_eq!(stage.sql(ONCE).await, once(9));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_that_failed_in_a_view_comes_into_table_and_view_once() {
    let stage = Stage::new().await;
    let (launch, mut process) = stage.process_with_numbers("id != 3").await;
    stage.shows(ONCE, &once(9), LATE).await;
    stage
        .sql(
            "CREATE TABLE target (id UInt64) ENGINE = MergeTree ORDER BY id \
             SETTINGS non_replicated_deduplication_window = 1000",
        )
        .await;
    let view = "MATERIALIZED VIEW view TO target AS SELECT id FROM numbers";
    stage.sql(&format!("CREATE {view} WHERE throwIf(id = 3) = 0")).await;
    stage.sql("ALTER TABLE numbers DROP CONSTRAINT good").await;
    let (well, answer) = dead_letters(&launch, &["replay", "--all"]);
    assert!(!well, "the view refuses it: {answer}");
    assert_eq!(stage.sql(ONCE).await, once(10), "the table is written before its views");
    stage.sql("ALTER TABLE view MODIFY QUERY SELECT id FROM numbers").await;
    let (well, answer) = dead_letters(&launch, &["replay", "--all"]);
    assert!(well && answer["already_stored"] == 1, "{answer}");
    assert_eq!(stage.sql(ONCE).await, once(10));
    assert_eq!(stage.sql("SELECT count(), max(id) FROM target").await, "1\t3");
    process.interrupt();
    assert!(process.wait(LATE).success(), "{}", process.output());
}
