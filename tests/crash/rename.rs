//! The engine, or everything, killed at the rename of a part, with the token of its INSERT already written: the one moment at which a
//! plain MergeTree loses what its token says it has. Hit with the shim of `tests/shim`.
//!
//! `MOOSE_TEST_FULL=1` goes through all renames of an INSERT several times.

use std::path::Path;

use moose_tests::{engine, http, is_full, shim};

use crate::{
    BARE, PIPELINE,
    ledger::Wrong,
    scene::{Halt, LATE, Scene, Victim, host},
};

/// The hidden columns that our own tables have.
const HIDDEN: &str = ", _stream_epoch UInt64 MATERIALIZED 18446744073709551615, \
                      _stream_partition UInt16 MATERIALIZED 65535, \
                      _stream_offset UInt64 MATERIALIZED 18446744073709551615";

/// The settings that our own tables have.
const SETTINGS: &str =
    "SETTINGS non_replicated_deduplication_window = 100000, fsync_after_insert = 1, fsync_part_directory = 1";

/// What is killed again and again.
struct Cell {
    program: &'static str,
    hidden: &'static str,
    /// Engine and keys of the table.
    table: &'static str,
    view: bool,
    mending: bool,
    /// Renames of one INSERT, the view's included.
    renames: u32,
}

impl Cell {
    /// Makes the table before the pipeline does, and what stands behind it.
    async fn begin(&self) -> Scene {
        let shim = shim::rename(env!("CARGO_TARGET_TMPDIR")).to_string_lossy();
        let mut environment =
            vec![("LD_PRELOAD", shim.as_ref()), ("MOOSE_SYNC__MAX_ROWS", "40"), ("MOOSE_SYNC__MAX_DELAY", "50ms")];
        if !self.mending {
            environment.push(("FAULT_WITHOUT", "mending"));
        }
        let mut scene = Scene::new(self.program, &host(), &environment);
        let engine = engine::start(Path::new(PIPELINE), &scene.engine_directory()).await;
        let mut statements = vec![format!(
            "CREATE TABLE numbers (id UInt64, small UInt8{}) ENGINE = {} {SETTINGS}",
            self.hidden, self.table
        )];
        if self.view {
            statements.push(format!("CREATE TABLE target (id UInt64) ENGINE = MergeTree ORDER BY id {SETTINGS}"));
            statements.push("CREATE MATERIALIZED VIEW view TO target AS SELECT id FROM numbers".to_owned());
        }
        for statement in statements {
            http::sql(&format!("{}/?database=moose", engine.url()), &statement).await;
        }
        assert!(engine.stop(LATE).await, "the engine ends in order");
        if self.table.starts_with("Replacing") {
            scene.look_at_the_final_state();
        }
        scene
    }

    /// Kills at each rename of an INSERT. Answers what was lost or is there twice, and what was printed.
    async fn run(&self) -> (Wrong, String) {
        let mut scene = self.begin().await;
        let (mut all, mut printed) = (Wrong::default(), String::new());
        for round in 0..if is_full() { 5 * self.renames } else { self.renames } {
            let pass = round % self.renames + 1;
            scene.start(Some(Halt { point: "engine.rename", pass, at_once: false })).await;
            scene.arm();
            let ids = scene.ledger.ids(30);
            let records: Vec<_> = ids.map(|id| (id, u8::try_from(id % 50).expect("below 50"))).collect();
            assert!(scene.ledger.send(scene.addresses(), &records, 0).await, "nothing of the pipeline is killed");
            scene.reached().await;
            if round % 2 == 0 {
                scene.kill(Victim::Engine).await;
            } else {
                scene.kill(Victim::Both).await;
                scene.start(None).await;
            }
            let wrong = scene.recovered().await;
            all.lost.extend(wrong.lost);
            all.twice.extend(wrong.twice);
            if self.view {
                let view = scene.sql("SELECT count(), uniqExact(id) FROM target").await;
                let table = scene.sql("SELECT count(), count() FROM numbers").await;
                assert_eq!(view, table, "the view after a kill at rename {pass}\n{}", scene.output());
            }
            printed.push_str(&scene.output());
            scene.stop();
        }
        (all, printed)
    }
}

/// How often the engine has said that it mended something.
fn mended(printed: &str) -> usize {
    printed.matches("mended the deduplication log").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_the_rename_of_a_part_everything_is_once_in_the_table_and_in_its_view() {
    let table = "MergeTree PARTITION BY id % 3 ORDER BY id";
    let cell = Cell { program: PIPELINE, hidden: HIDDEN, table, view: true, mending: true, renames: 4 };
    let (wrong, printed) = cell.run().await;
    assert_eq!(wrong, Wrong::default());
    assert!(mended(&printed) >= 4, "each kill has left a token without rows:\n{printed}");
    assert!(!printed.contains("token taken without its rows"), "and none was left to the hidden columns:\n{printed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_the_rename_of_a_part_the_token_alone_is_enough() {
    let table = "MergeTree PARTITION BY id % 3 ORDER BY id";
    let cell = Cell { program: BARE, hidden: "", table, view: false, mending: true, renames: 3 };
    let (wrong, printed) = cell.run().await;
    assert_eq!(wrong, Wrong::default());
    assert!(mended(&printed) >= 3, "{printed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_the_rename_of_a_part_a_table_that_replaces_rows_has_the_last_state() {
    let table = "ReplacingMergeTree(small) ORDER BY id";
    let cell = Cell { program: PIPELINE, hidden: HIDDEN, table, view: false, mending: true, renames: 1 };
    let (wrong, printed) = cell.run().await;
    assert_eq!(wrong, Wrong::default());
    assert!(mended(&printed) >= 1, "{printed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_mending_the_hidden_columns_keep_the_table_exact() {
    let table = "MergeTree PARTITION BY id % 3 ORDER BY id";
    let cell = Cell { program: PIPELINE, hidden: HIDDEN, table, view: false, mending: false, renames: 3 };
    let (wrong, printed) = cell.run().await;
    assert_eq!(wrong, Wrong::default());
    assert_eq!(mended(&printed), 0);
    assert!(printed.matches("token taken without its rows").count() >= 3, "{printed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_mending_and_hidden_columns_a_kill_at_the_rename_loses_rows() {
    let table = "MergeTree ORDER BY id";
    let cell = Cell { program: BARE, hidden: "", table, view: false, mending: false, renames: 1 };
    let (wrong, _) = cell.run().await;
    assert!(!wrong.lost.is_empty(), "if this holds without either net, they are not needed any more");
}
