//! The matrix of kills: `kill -9` at each named point, of the pipeline, of the engine and of both, with both nets and
//! with each alone. Every record is accounted for by its id.
//!
//! Cells of one circumstance follow each other on one data directory: the start after one kill is the start with the
//! next point. `MOOSE_TEST_FULL=1` runs the cells of all nets and prints the matrix; without it, those with both nets.

use std::{io::Write as _, path::Path, sync::Arc, time::Duration};

use moose_runtime::internal::fault::Point;
use moose_tests::{
    engine, http, is_full, shim,
    wait::{eventually, same},
};
use tokio::sync::Semaphore;

use crate::{
    BARE, PIPELINE,
    cells::{Cell, Circumstance, Nets, places},
    ledger::{Numbered, REFUSED, Wrong},
    scene::{Halt, LATE, Scene, Victim, host},
    server,
};

/// Chains that run beside each other: in short, and in full, which is mostly waiting.
const AT_ONCE: [usize; 2] = [3, 5];

/// Between two requests: more than a range is open, so that its end depends on when records came.
const PACE: Duration = Duration::from_millis(60);

/// How long requests go on after somebody has halted.
const MEANWHILE: Duration = Duration::from_millis(150);

/// Mending gives back the tokens that were taken without rows, which a plain server would not do.
const WITHOUT_MENDING: (&str, &str) = ("FAULT_WITHOUT", "mending");

/// A table for the newest version of each number, with the hidden columns that our own tables have.
const REPLACING: &str = "CREATE TABLE numbers (id UInt64, small UInt8, \
     _stream_epoch UInt64 MATERIALIZED 18446744073709551615, _stream_partition UInt16 MATERIALIZED 65535, \
     _stream_offset UInt64 MATERIALIZED 18446744073709551615) ENGINE = ReplacingMergeTree(small) ORDER BY id \
     SETTINGS non_replicated_deduplication_window = 100000, fsync_after_insert = 1, fsync_part_directory = 1";

/// The view behind the table, and what fills it.
const VIEW: [&str; 2] = [
    "CREATE TABLE target (id UInt64) ENGINE = MergeTree ORDER BY id \
     SETTINGS non_replicated_deduplication_window = 100000",
    "CREATE MATERIALIZED VIEW view TO target AS SELECT id FROM numbers",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_point_nothing_is_lost_and_nothing_is_there_twice() {
    let nets: &[Nets] = if is_full() { &Nets::ALL } else { &[Nets::Both] };
    let slots = Arc::new(Semaphore::new(AT_ONCE[usize::from(is_full())]));
    let mut chains = Vec::new();
    for (nets, circumstance) in nets.iter().flat_map(|nets| Circumstance::ALL.map(|found| (*nets, found))) {
        let cells = Cell::chain(circumstance, nets);
        if cells.is_empty() || is_left_out(circumstance, nets) {
            continue;
        }
        let slot = Arc::clone(&slots).acquire_owned().await.expect("an open semaphore");
        chains.push(tokio::spawn(async move {
            let _slot = slot;
            let begun = std::time::Instant::now();
            let results = match circumstance {
                Circumstance::Server => server::run(&cells, nets).await,
                _ => Chain::begin(circumstance, nets).await.run(&cells).await,
            };
            eprintln!("{circumstance:?}, {}: {} cells, {:?}", nets.name(), cells.len(), begun.elapsed());
            results
        }));
    }
    let mut results = Vec::new();
    for chain in chains {
        results.extend(chain.await.expect("a chain that came to its end"));
    }
    let broken: Vec<String> = results.iter().filter_map(|(cell, wrong)| complaint(*cell, wrong)).collect();
    if is_full() {
        // Past the capture of the test's output: this is what the run is for.
        let _ = writeln!(std::io::stdout(), "\n{}", table(&results));
    }
    assert!(broken.is_empty(), "{}\n{}", broken.join("\n"), table(&results));
}

/// `MOOSE_TEST_ONLY=<circumstance>` runs one of them.
fn is_left_out(circumstance: Circumstance, nets: Nets) -> bool {
    let name = format!("{circumstance:?}/{nets:?}");
    std::env::var("MOOSE_TEST_ONLY").is_ok_and(|only| !name.starts_with(&only))
}

/// What a cell has broken of its promise.
fn complaint(cell: Cell, wrong: &Wrong) -> Option<String> {
    let (may_lose, may_double) = cell.may();
    let broken =
        (!may_lose && !wrong.lost.is_empty()) || (!may_double && !wrong.twice.is_empty()) || wrong.miscounted.is_some();
    broken.then(|| format!("{} / {} / {}: {wrong}{}", cell.place, cell.victim.name(), cell.nets.name(), wrong.first()))
}

/// The matrix in Markdown.
fn table(results: &[(Cell, Wrong)]) -> String {
    let told = |place, victim, nets| {
        let wanted = Cell { place, victim, nets };
        let Some((_, wrong)) = results.iter().find(|(cell, _)| *cell == wanted) else { return "–".to_owned() };
        wrong.to_string()
    };
    let columns: Vec<_> = Nets::ALL.iter().flat_map(|nets| Victim::ALL.map(|victim| (*nets, victim))).collect();
    let columns: Vec<_> =
        columns.into_iter().filter(|(nets, _)| results.iter().any(|(cell, _)| cell.nets == *nets)).collect();
    let mut lines = vec![String::from("| killed at |"), String::from("|---|")];
    for (nets, victim) in &columns {
        lines[0].push_str(&format!(" {}: {} |", nets.name(), victim.name()));
        lines[1].push_str("---|");
    }
    for place in places() {
        let cells = columns.iter().map(|(nets, victim)| format!(" {} |", told(place, *victim, *nets)));
        lines.push(format!("| {place} |{}", cells.collect::<String>()));
    }
    lines.join("\n")
}

/// Cells on one data directory.
struct Chain {
    scene: Scene,
    circumstance: Circumstance,
    nets: Nets,
    /// Killed, and not looked at yet.
    open: Option<Cell>,
    results: Vec<(Cell, Wrong)>,
}

impl Chain {
    /// Makes the table as the cells want it.
    async fn begin(circumstance: Circumstance, nets: Nets) -> Self {
        let program = if nets == Nets::Token { BARE } else { PIPELINE };
        let mut environment = vec![("MOOSE_SYNC__MAX_ROWS", "40"), ("MOOSE_SYNC__MAX_DELAY", "30ms")];
        if nets != Nets::Both {
            environment.push(WITHOUT_MENDING);
        }
        let shim = shim::rename(env!("CARGO_TARGET_TMPDIR")).to_string_lossy();
        match circumstance {
            Circumstance::Rename => environment.push(("LD_PRELOAD", &shim)),
            Circumstance::Retention => environment.extend([
                ("MOOSE_STREAM__RETENTION", "1s"),
                ("MOOSE_STREAM__DISK_BUDGET", "8MiB"),
                ("FAULT_RETENTION_INTERVAL", "50"),
            ]),
            _ => {}
        }
        let mut scene = Scene::new(program, &host(), &environment);
        if nets == Nets::Replacing {
            let engine = engine::start(Path::new(program), &scene.engine_directory()).await;
            http::sql(&format!("{}/?database=moose", engine.url()), REPLACING).await;
            assert!(engine.stop(LATE).await, "the engine ends in order");
            scene.look_at_the_final_state();
        }
        let mut chain = Self { scene, circumstance, nets, open: None, results: Vec::new() };
        chain.scene.start(None).await;
        if nets == Nets::Provenance {
            chain.scene.sql("ALTER TABLE numbers MODIFY SETTING non_replicated_deduplication_window = 0").await;
        }
        match circumstance {
            Circumstance::Refused => {
                chain.scene.sql(&format!("ALTER TABLE numbers ADD CONSTRAINT good CHECK small != {REFUSED}")).await;
            }
            Circumstance::BurntBeforeAView => {
                for statement in VIEW {
                    chain.scene.sql(statement).await;
                }
            }
            _ => {}
        }
        chain.leave_tables().await;
        chain.scene.kill(Victim::Both).await;
        chain
    }

    /// Tables as a process leaves them that is killed in the middle of a trial, or of mending.
    async fn leave_tables(&self) {
        let account = self.scene.account().await;
        let epoch = account["epoch"].as_str().expect("an epoch");
        for name in ["trial", "mend"] {
            self.scene.sql(&format!("CREATE TABLE numbers__{name}_{epoch}_0_0_9 AS numbers")).await;
        }
    }

    async fn run(mut self, cells: &[Cell]) -> Vec<(Cell, Wrong)> {
        for cell in cells {
            match self.circumstance {
                Circumstance::Burnt | Circumstance::BurntBeforeAView => self.in_doubt(*cell).await,
                Circumstance::Start => self.at_the_start(*cell).await,
                _ => self.on_its_way(*cell).await,
            }
            if cell.victim == Victim::Engine {
                self.look().await;
                self.scene.kill(Victim::Both).await;
            }
        }
        self.scene.start(None).await;
        self.look().await;
        self.nothing_is_left().await;
        self.scene.stop();
        self.results
    }

    /// Looks what became of the records once all of them are done.
    async fn look(&mut self) {
        let wrong = self.scene.recovered().await;
        if self.circumstance == Circumstance::BurntBeforeAView {
            let twice = "SELECT count(), uniqExact(id) FROM target";
            let view = self.scene.sql(twice).await;
            assert_eq!(
                view,
                self.scene.sql("SELECT count(), count() FROM numbers").await,
                "the view after {:?}",
                self.open
            );
        }
        match self.open.take() {
            Some(cell) => self.results.push((cell, wrong)),
            None => assert_eq!(wrong, Wrong::default(), "before anything was killed"),
        }
    }

    /// The tables of trials and of mending are gone.
    async fn nothing_is_left(&self) {
        let left =
            "SELECT arrayStringConcat(groupArray(name), ' ') FROM system.tables WHERE name LIKE 'numbers\\_\\_%'";
        eventually(LATE, || async { same(self.scene.sql(left).await, &String::new()) }).await;
    }

    /// A kill while records are on their way.
    async fn on_its_way(&mut self, cell: Cell) {
        self.scene.start(Some(Halt { point: cell.place, pass: cell.pass(), at_once: false })).await;
        self.look().await;
        self.scene.arm();
        let mut load = self.load();
        self.scene.reached().await;
        // More may come meanwhile, so that whoever cuts the records into ranges anew would cut them otherwise.
        let ended = tokio::time::timeout(MEANWHILE, &mut load).await;
        self.scene.kill(cell.victim).await;
        self.open = Some(cell);
        match ended {
            Ok(ended) => ended,
            Err(_) => load.await,
        }
        .expect("clients that end");
    }

    /// A kill of a process that has just begun, with a range pending and more records behind it.
    async fn at_the_start(&mut self, cell: Cell) {
        self.scene.start(Some(Halt { point: Point::InsertAnswered.name(), pass: 1, at_once: false })).await;
        self.look().await;
        self.scene.arm();
        let load = self.load();
        self.scene.reached().await;
        self.scene.kill(Victim::Both).await;
        load.await.expect("clients that end");

        self.scene.start(Some(Halt { point: cell.place, pass: 1, at_once: true })).await;
        self.scene.reached().await;
        self.scene.kill(cell.victim).await;
        self.open = Some(cell);
    }

    /// A kill while a range is settled whose token was taken without its rows.
    async fn in_doubt(&mut self, cell: Cell) {
        self.scene.start(Some(Halt { point: Point::PendingAfter.name(), pass: 1, at_once: false })).await;
        self.look().await;
        self.scene.arm();
        let load = self.load();
        self.scene.reached().await;
        load.await.expect("clients that end");
        self.scene.kill(Victim::Both).await;

        let probed = Halt { point: Point::SettleProbed.name(), pass: 1, at_once: true };
        if cell.place != Point::SettleProbed.name() {
            self.scene.start_with(Some(probed), &[WITHOUT_MENDING]).await;
            self.scene.reached().await;
            self.burn_the_token().await;
            self.scene.kill(Victim::Both).await;
        }
        // Until the token is found out; the start after the kill may mend.
        self.scene.start_with(Some(Halt { point: cell.place, ..probed }), &[WITHOUT_MENDING]).await;
        self.scene.reached().await;
        self.scene.kill(cell.victim).await;
        self.open = Some(cell);
    }

    /// Leaves the only range that is pending as a kill between its token and its part would: the token is known, no row
    /// is there, and no view has seen any.
    async fn burn_the_token(&self) {
        let account = self.scene.account().await;
        let id = account["id"].as_str().expect("an id");
        let number = |name: &str| account[name].as_u64().expect("an offset");
        let (first, last) = (number("next"), number("end") - 1);
        let epochs = account["epochs"].as_array().expect("epochs");
        let of_range = epochs.iter().rfind(|start| start["first"].as_u64() <= Some(first)).expect("its epoch");
        let epoch = of_range["epoch"].as_u64().expect("a number");
        let token = format!("{id}/{epoch:016x}/0/{first}-{last}");
        let views = self.circumstance == Circumstance::BurntBeforeAView;
        if views {
            self.scene.sql("DETACH TABLE view").await;
        }
        let url = format!(
            "{}&insert_allow_materialized_columns=1&insert_deduplication_token={}",
            self.scene.engine_url(),
            http::percent_encoded(&token)
        );
        let statement = format!(
            "INSERT INTO numbers (id, small, _stream_epoch, _stream_partition, _stream_offset) \
             SELECT 999999, 0, {epoch}, 0, {first}"
        );
        let answer = http::try_sql(&url, &statement).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        self.scene.sql("ALTER TABLE numbers DELETE WHERE id = 999999 SETTINGS mutations_sync = 2").await;
        if views {
            self.scene.sql("ATTACH TABLE view").await;
        }
    }

    /// Sends what the cells of this chain want sent, until a request is not answered.
    fn load(&self) -> tokio::task::JoinHandle<()> {
        let (ledger, addresses) = (Arc::clone(&self.scene.ledger), self.scene.addresses());
        let (mut requests, padding) = self.requests();
        if self.circumstance == Circumstance::Backlog {
            requests = vec![requests.concat()];
        }
        tokio::spawn(async move {
            for records in requests {
                if !ledger.send(addresses, &records, padding).await {
                    return;
                }
                // Not a wait for anything: the next request is to come after the range of this one is closed.
                tokio::time::sleep(PACE).await;
            }
        })
    }

    /// The requests, and how many bytes each record of them has beside its numbers.
    fn requests(&self) -> (Vec<Vec<Numbered>>, usize) {
        let records = |bad: bool| {
            let ids = self.scene.ledger.ids(30);
            let number = move |id: u64| u8::try_from(id % 50).expect("below 50");
            ids.map(|id| (id, if bad && id % 30 == 7 { REFUSED } else { number(id) })).collect::<Vec<_>>()
        };
        match self.circumstance {
            _ if self.nets == Nets::Replacing && self.circumstance != Circumstance::Retention => {
                let ids = [self.scene.ledger.ids(30), self.scene.ledger.ids(30)];
                let versions = |ids: std::ops::Range<u64>| {
                    [1, 2].map(|version| ids.clone().map(|id| (id, version)).collect::<Vec<_>>())
                };
                (ids.into_iter().flat_map(versions).collect(), 0)
            }
            Circumstance::Refused => (vec![records(true)], 0),
            // Each more than a segment, so that there is one to be dropped.
            Circumstance::Retention => ((0..3).map(|_| records(false)).collect(), 40_000),
            Circumstance::Burnt | Circumstance::BurntBeforeAView => (vec![records(false)], 0),
            _ => ((0..4).map(|_| records(false)).collect(), 0),
        }
    }
}
