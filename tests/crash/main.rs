//! Whole processes killed at random: every event that was answered with a 2xx is a row, once.
#![expect(clippy::expect_used, reason = "the helpers of tests fail as tests do")]

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use hyper::Method;
use moose_tests::{
    http,
    process::{Addresses, Launch, Process, signal},
    wait::eventually,
};
use tempfile::TempDir;

/// How long a start, or catching up, may take.
const LATE: Duration = Duration::from_mins(2);

/// How often the whole process is killed.
const KILLS: u32 = 20;

/// Clients that send at once.
const CLIENTS: u32 = 4;

/// A little generator of numbers that look random; its seed is printed, so that a failure can be had again.
struct Random(u64);

impl Random {
    fn seeded() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970");
        let given = std::env::var("MOOSE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or(now.as_secs());
        eprintln!("MOOSE_TEST_SEED={seed}");
        Self(seed)
    }

    /// A number below `end`, by splitmix64.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// What the clients have sent, and what of it they were told is kept.
#[derive(Default)]
struct Ledger {
    next: AtomicU64,
    acknowledged: Mutex<BTreeSet<u64>>,
}

impl Ledger {
    /// Sends batches until a request fails, as it does when the process is killed.
    async fn send(self: Arc<Self>, addresses: Addresses, mut random: Random) {
        loop {
            let count = 1 + random.below(50);
            let first = self.next.fetch_add(count, Ordering::AcqRel);
            let mut body = String::new();
            for id in first..first + count {
                writeln!(body, "{{\"id\":{id},\"small\":{}}}", id % 256).expect("a String takes everything");
            }
            let url = format!("http://{}/ingest/numbers", addresses.http);
            let sent = http::send(Method::POST, &url, &[("content-type", "application/x-ndjson")], body).await;
            let Ok(answer) = sent else { return };
            assert_eq!(answer.status, 200, "{}", answer.text());
            self.acknowledged.lock().expect("no panic under the lock").extend(first..first + count);
        }
    }
}

fn launch(directory: &Path) -> Launch {
    Launch::new(env!("CARGO_BIN_EXE_pipeline"), directory.join("data"))
}

/// With ranges so short that an INSERT is always under way: a kill then finds one that is stored and not yet passed.
fn launch_busy(directory: &Path) -> Launch {
    launch(directory).environment("MOOSE_SYNC__MAX_DELAY", "5ms")
}

async fn sql(addresses: Addresses, statement: &str) -> String {
    let engine = addresses.engine.expect("an embedded engine");
    http::sql(&format!("http://{engine}"), statement).await
}

/// Waits until the table has every acknowledged number, then compares all of it.
async fn every_acknowledged_number_is_a_row_once(process: &Process, addresses: Addresses, ledger: &Ledger) {
    let acknowledged = ledger.acknowledged.lock().expect("no panic under the lock").clone();
    let in_table = eventually(LATE, || async {
        let ids = sql(addresses, "SELECT id FROM numbers ORDER BY id FORMAT TSV").await;
        let ids: Vec<u64> = ids.lines().map(|id| id.parse().expect("a number")).collect();
        let found: BTreeSet<u64> = ids.iter().copied().collect();
        let missing = acknowledged.difference(&found).count();
        if missing == 0 { Ok(ids) } else { Err(format!("{missing} rows missing\n{}", process.output())) }
    })
    .await;
    let different: BTreeSet<u64> = in_table.iter().copied().collect();
    assert_eq!(in_table.len(), different.len(), "rows are there twice");
    let counts = sql(addresses, "SELECT count() = uniqExact(id), countIf(small != id % 256) FROM numbers").await;
    assert_eq!(counts, "1\t0");
    let offsets =
        sql(addresses, "SELECT count() = uniqExact(_stream_offset), uniqExact(_stream_epoch) FROM numbers").await;
    assert_eq!(offsets, "1\t1");
    eprintln!("{} acknowledged, {} rows", acknowledged.len(), in_table.len());
    assert!(acknowledged.len() > 1000, "too little was sent for the test to mean something");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_acknowledged_before_kill_9_is_a_row_once() {
    let mut random = Random::seeded();
    let directory = TempDir::new().expect("a temporary directory");
    let ledger = Arc::new(Ledger::default());
    for kill in 0..KILLS {
        let launch = if kill % 4 == 0 { launch(directory.path()) } else { launch_busy(directory.path()) };
        let mut process = launch.start();
        let addresses = process.addresses(LATE).await;
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| tokio::spawn(Arc::clone(&ledger).send(addresses, Random(random.below(u64::MAX)))))
            .collect();
        // Not a wait for anything: the moment of the kill is what is random here.
        tokio::time::sleep(Duration::from_millis(random.below(2500))).await;
        process.kill();
        for client in clients {
            client.await.expect("a client that ends with the process");
        }
        let acknowledged = ledger.acknowledged.lock().expect("no panic under the lock").len();
        eprintln!("kill {}: {acknowledged} acknowledged so far", kill + 1);
    }
    let mut process = launch(directory.path()).start();
    let addresses = process.addresses(LATE).await;
    every_acknowledged_number_is_a_row_once(&process, addresses, &ledger).await;
    process.interrupt();
    assert!(process.wait(LATE).success(), "{}", process.output());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_engine_is_started_again_and_costs_no_row() {
    let mut random = Random::seeded();
    let directory = TempDir::new().expect("a temporary directory");
    let ledger = Arc::new(Ledger::default());
    // An address that nothing else listens on: while the engine is down, its port must stay free for it.
    let mut process = launch_busy(directory.path()).environment("MOOSE_ENGINE__LISTEN", "127.0.0.3:0").start();
    let mut addresses = process.addresses(LATE).await;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| tokio::spawn(Arc::clone(&ledger).send(addresses, Random(random.below(u64::MAX)))))
        .collect();
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(500 + random.below(1500))).await;
        let children = eventually(LATE, || async {
            let children = process.children();
            if children.is_empty() { Err(format!("no engine\n{}", process.output())) } else { Ok(children) }
        })
        .await;
        for engine in children {
            signal("-KILL", engine);
        }
    }
    clients.iter().for_each(tokio::task::JoinHandle::abort);
    addresses = process.addresses(LATE).await;
    eventually(LATE, || async {
        let engine = addresses.engine.expect("an embedded engine");
        http::send(Method::GET, &format!("http://{engine}/ping"), &[], "").await.map(|_| ())
    })
    .await;
    every_acknowledged_number_is_a_row_once(&process, addresses, &ledger).await;
    process.interrupt();
    assert!(process.wait(LATE).success(), "{}", process.output());
}
