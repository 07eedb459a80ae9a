//! A rename that fails without a crash, as on a full disk: the token is taken, the rows are not there, and the engine
//! lives on. It is opened anew before the range is sent again, which frees the token; so everything is once in the table
//! and, what no hidden column could bring back, in the view behind it.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use moose_tests::{
    http,
    process::{Addresses, Launch, Process, signal},
    shim,
    wait::{eventually, same},
};
use tempfile::TempDir;

use crate::stage::{LATE, PIPELINE, numbers};

/// The view behind the table, and what fills it.
pub(crate) const VIEW: [&str; 2] = [
    "CREATE TABLE target (id UInt64) ENGINE = MergeTree ORDER BY id \
     SETTINGS non_replicated_deduplication_window = 100000, fsync_after_insert = 1, fsync_part_directory = 1",
    "CREATE MATERIALIZED VIEW view TO target AS SELECT id FROM numbers",
];

/// A pipeline with an engine whose renames fail as told.
pub(crate) struct Failing {
    _directory: TempDir,
    /// Once it is there, renames count.
    armed: PathBuf,
    process: Process,
    addresses: Addresses,
}

impl Failing {
    /// Starts it; `renames` as `FAULT_RENAME_FAILS` has it.
    async fn start(host: &str, renames: &str) -> Self {
        Self::start_without(host, renames, "").await
    }

    /// The same without a mechanism, as `FAULT_WITHOUT` has it.
    pub(crate) async fn start_without(host: &str, renames: &str, mechanism: &str) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let armed = directory.path().join("fault");
        let mut process = Launch::new(PIPELINE, directory.path().join("data"))
            // An address that nothing else listens on: while the engine is down, its port must stay free for it.
            .environment("MOOSE_ENGINE__LISTEN", host)
            .environment("LD_PRELOAD", &shim::rename(env!("CARGO_TARGET_TMPDIR")).to_string_lossy())
            .environment("FAULT_POINT_DIR", &armed.to_string_lossy())
            .environment("FAULT_RENAME_FAILS", renames)
            .environment("FAULT_WITHOUT", mechanism)
            .start();
        let addresses = process.addresses(LATE).await;
        Self { _directory: directory, armed, process, addresses }
    }

    pub(crate) async fn sql(&self, statement: &str) -> String {
        http::sql(&self.addresses.engine_url(), statement).await
    }

    pub(crate) fn arm(&self) {
        fs::create_dir(&self.armed).expect("a directory in the test's directory");
    }

    pub(crate) async fn post(&self, ids: std::ops::Range<u64>) {
        let url = format!("http://{}/ingest/numbers", self.addresses.http);
        let answer = http::post(&url, "application/x-ndjson", numbers(ids)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// Waits until a query gives `wanted`; the engine may be away meanwhile.
    pub(crate) async fn shows(&self, statement: &str, wanted: &str) {
        let url = self.addresses.engine_url();
        eventually(LATE, || async {
            let answer = http::send(hyper::Method::POST, &url, &[], statement.to_owned()).await;
            let found = answer.map_or_else(|error| error.to_string(), |answer| answer.text().trim_end().to_owned());
            same(found, &wanted.to_owned()).map_err(|complaint| format!("{complaint}\n{}", self.process.output()))
        })
        .await;
    }

    /// Waits for a number of renames.
    async fn renamed(&self, count: u64) {
        let renames = || fs::metadata(self.armed.join("renames")).map_or(0, |file| file.len());
        eventually(LATE, || async { if renames() >= count { Ok(()) } else { Err(format!("{} renames", renames())) } })
            .await;
    }

    fn said(&self, words: &str) -> usize {
        self.process.output().matches(words).count()
    }

    /// How often the engine was opened anew.
    fn opened_anew(&self) -> usize {
        self.said("is closed and opened again")
    }

    pub(crate) fn stop(mut self) {
        self.process.interrupt();
        assert!(self.process.wait(LATE).success(), "{}", self.process.output());
    }
}

pub(crate) const TABLE: &str = "SELECT count(), uniqExact(id), countIf(small != id % 256) FROM numbers";
pub(crate) const TARGET: &str = "SELECT count(), uniqExact(id) FROM target";

#[tokio::test]
async fn a_rename_that_fails_leaves_everything_once_in_the_table_and_in_its_view() {
    // The part of the table; then, in another pipeline, that of the view's target.
    for (host, renames) in [("127.0.0.4:0", "1"), ("127.0.0.5:0", "2")] {
        let failing = Failing::start(host, renames).await;
        for statement in VIEW {
            failing.sql(statement).await;
        }
        failing.arm();
        failing.post(0..100).await;
        failing.shows(TABLE, "100\t100\t0").await;
        failing.shows(TARGET, "100\t100").await;
        failing.post(100..200).await;
        failing.shows(TABLE, "200\t200\t0").await;
        failing.shows(TARGET, "200\t200").await;
        assert_eq!(failing.opened_anew(), 1, "{}", failing.process.output());
        assert_eq!(failing.said("mended the deduplication log"), 1, "{}", failing.process.output());
        assert_eq!(failing.said("token taken without its rows"), 0, "{}", failing.process.output());
        failing.stop();
    }
}

#[tokio::test]
async fn a_disk_that_stays_full_does_not_keep_the_engine_restarting_and_no_merge_hides_what_is_lost() {
    let failing = Failing::start("127.0.0.6:0", "1:2").await;
    failing.sql("INSERT INTO numbers VALUES (1000, 232)").await;
    failing.arm();
    let begun = Instant::now();
    failing.post(0..100).await;
    failing.process.printed("is given a rest", LATE).await;
    // While the engine has its rest: a merge of these two would cover the number of the block between them.
    failing.sql("INSERT INTO numbers VALUES (1001, 233)").await;
    let engine = failing.addresses.engine_url();
    let merged = http::try_sql(&engine, "OPTIMIZE TABLE numbers FINAL").await;
    assert_ne!(merged.status, 200, "{}", failing.process.output());
    failing.shows(TABLE, "102\t102\t0").await;
    assert!(begun.elapsed() >= Duration::from_secs(10), "the second time only after a rest: {:?}", begun.elapsed());
    assert_eq!(failing.opened_anew(), 2, "{}", failing.process.output());
    assert_eq!(failing.said("token taken without its rows"), 0, "{}", failing.process.output());
    failing.stop();
}

#[tokio::test]
async fn several_workers_that_fail_at_once_open_the_engine_anew_once() {
    // Numbers and events: two tables, two workers.
    let failing = Failing::start("127.0.0.7:0", "1:2").await;
    failing.arm();
    let hold = failing.armed.join("hold");
    fs::write(&hold, "").expect("a file in the test's directory");
    let events = format!("http://{}/ingest/events", failing.addresses.http);
    let event = r#"{"id":"a","userId":"b","timestamp":"2024-01-15T10:30:00Z","eventType":"c"}"#;
    let ((), answer) = tokio::join!(failing.post(0..100), http::post_json(&events, event));
    assert_eq!(answer.status, 200, "{}", answer.text());
    failing.renamed(2).await;
    fs::remove_file(&hold).expect("both fail now");
    failing.shows(TABLE, "100\t100\t0").await;
    failing.shows("SELECT count() FROM events", "1").await;
    assert_eq!(failing.said("not delivered yet"), 2, "{}", failing.process.output());
    assert_eq!(failing.opened_anew(), 1, "{}", failing.process.output());
    failing.stop();
}

#[tokio::test]
async fn a_burnt_token_drops_what_is_sent_again_and_a_merge_over_its_block_hides_that_from_the_mending() {
    let failing = Failing::start("127.0.0.8:0", "2").await;
    failing
        .sql("CREATE TABLE t (id UInt32) ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100")
        .await;
    failing.arm();
    // By hand, past the pipeline: nobody opens the engine anew after the failure.
    let engine = failing.addresses.engine_url();
    let insert = |id: u32| {
        let statement = http::percent_encoded("INSERT INTO t FORMAT CSV");
        let url = format!("{engine}&query={statement}&async_insert=0&insert_deduplication_token=token{id}");
        async move { http::post(&url, "application/octet-stream", format!("{id}\n")).await }
    };
    assert_eq!(insert(1).await.status, 200);
    let failed = insert(2).await;
    assert!(failed.status != 200 && failed.text().contains("Code: 1001"), "{}", failed.text());
    assert_eq!(insert(2).await.status, 200, "it is answered ok");
    assert_eq!(failing.sql("SELECT groupArray(id) FROM t").await, "[1]", "and dropped");
    assert_eq!(insert(3).await.status, 200);
    failing.sql("OPTIMIZE TABLE t FINAL").await;

    let children = failing.process.children();
    let [killed] = children.as_slice() else { panic!("one engine, not {children:?}") };
    signal("-KILL", *killed);
    failing.shows("SELECT arraySort(groupArray(id)) FROM t", "[1,3]").await;
    assert_ne!(failing.process.children(), [*killed], "it is another one");
    assert_eq!(insert(2).await.status, 200);
    assert_eq!(failing.sql("SELECT arraySort(groupArray(id)) FROM t").await, "[1,3]", "the merge hides what was lost");
    failing.stop();
}

#[tokio::test]
async fn a_replay_whose_token_burns_is_done_by_the_next_one_for_the_view_too() {
    let failing = Failing::start("127.0.0.9:0", "1").await;
    for statement in VIEW {
        failing.sql(statement).await;
    }
    failing.sql("ALTER TABLE numbers ADD CONSTRAINT good CHECK id != 7").await;
    failing.post(0..20).await;
    failing.shows(TABLE, "19\t19\t0").await;
    failing.shows(TARGET, "19\t19").await;
    failing.sql("ALTER TABLE numbers DROP CONSTRAINT good").await;
    failing.arm();
    let replay = || async {
        let url = format!("http://{}/dead-letters", failing.addresses.management);
        let answer = http::post_json(&url, r#"{"do":"replay","table":"numbers"}"#).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    };
    let first = replay().await;
    assert_eq!((&first["replayed"], first["failed"].as_array().map(Vec::len)), (&0.into(), Some(1)), "{first}");
    let second = replay().await;
    assert_eq!(second["replayed"], 1, "{second}");
    failing.shows(TABLE, "20\t20\t0").await;
    failing.shows(TARGET, "20\t20").await;
    assert_eq!(failing.opened_anew(), 1, "{}", failing.process.output());
    failing.stop();
}
