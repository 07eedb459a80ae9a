//! What happens to machines and to the people who look after them, one after the other under load: kills, a directory of
//! streams that comes back from a copy, an application under another name, a table that is replaced by hand, a full disk,
//! no more files. After each of them every acknowledged record is a row once, and a record that was said to be rejected is
//! none.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hyper::Method;
use moose_tests::{
    http, is_full,
    process::{Addresses, Launch, Process, signal_all},
    random::Random,
    wait::eventually,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{PIPELINE, scene::host};

/// Rounds: in short, and in full.
const ROUNDS: [usize; 2] = [14, 200];
/// How long recovering may take on a busy machine: a range may have to wait for a minute.
const LATE: Duration = Duration::from_mins(3);
/// Clients that send at once.
const CLIENTS: u32 = 3;
/// A shell that becomes the pipeline, to which writing beyond a limit is an error and no signal.
const SHELL: [&str; 4] = ["-c", "trap '' XFSZ; exec \"$@\"", "sh", PIPELINE];
/// The columns of the table with its hidden ones.
const COLUMNS: &str = "id, small, _stream_epoch, _stream_partition, _stream_offset";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    KillPipeline,
    KillEngine,
    KillBoth,
    PutBack,
    Rename,
    Replace,
    DiskFull,
    NoFiles,
}

impl Event {
    const ALL: [Self; 8] = [
        Self::KillPipeline,
        Self::KillEngine,
        Self::KillBoth,
        Self::PutBack,
        Self::Rename,
        Self::Replace,
        Self::DiskFull,
        Self::NoFiles,
    ];
}

/// What clients were told of what they sent.
#[derive(Debug, Default)]
struct Told {
    next: AtomicU64,
    accepted: Mutex<Vec<u64>>,
    rejected: Mutex<Vec<u64>>,
    unavailable: AtomicU64,
}

impl Told {
    /// Sends records under new ids, in one request. False when there was no answer.
    async fn send(&self, addresses: Addresses, count: u64) -> bool {
        let first = self.next.fetch_add(count, Ordering::AcqRel);
        let ids: Vec<u64> = (first..first + count).collect();
        let body: Vec<String> = ids.iter().map(|id| format!(r#"{{"id":{id},"small":{}}}"#, id % 256)).collect();
        let url = format!("http://{}/ingest/numbers", addresses.http);
        let json = [("content-type", "application/x-ndjson")];
        let Ok(answer) = http::send(Method::POST, &url, &json, body.join("\n")).await else { return false };
        if answer.status == 200 {
            self.accepted.lock().expect("no panic").extend(ids);
        } else {
            let body = answer.json();
            assert_eq!(answer.status, 503, "{body}");
            if body["rejected"] == count {
                self.rejected.lock().expect("no panic").extend(ids);
            }
            self.unavailable.fetch_add(1, Ordering::AcqRel);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }
}

struct Chaos {
    directory: TempDir,
    launch: Launch,
    /// How often the application got another name.
    names: u32,
    running: Option<(Process, Addresses)>,
    told: Arc<Told>,
    stop: Arc<AtomicBool>,
    clients: Vec<tokio::task::JoinHandle<()>>,
    random: Random,
}

impl Chaos {
    fn new() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let launch = Launch::new("sh", directory.path().join("data"));
        let launch = SHELL.iter().fold(launch, |launch, argument| launch.argument(argument));
        let launch = launch
            .environment("MOOSE_ENGINE__LISTEN", &format!("{}:0", host()))
            .environment("MOOSE_SYNC__MAX_DELAY", "20ms")
            .environment("FAULT_RETENTION_INTERVAL", "500");
        Self {
            directory,
            launch,
            names: 0,
            running: None,
            told: Arc::default(),
            stop: Arc::default(),
            clients: Vec::new(),
            random: Random::seeded(),
        }
    }

    fn streams(&self) -> std::path::PathBuf {
        self.directory.path().join("data").join("stream")
    }

    fn running(&self) -> &(Process, Addresses) {
        self.running.as_ref().expect("a process runs")
    }

    fn id(&self) -> u32 {
        self.running().0.id()
    }

    fn output(&self) -> String {
        let output = self.running().0.output();
        output.lines().rev().take(40).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    async fn start(&mut self, arguments: &[&str]) {
        let launch = self.launch.clone().environment("MOOSE_APP__NAME", &format!("name{}", self.names));
        let launch = arguments.iter().fold(launch, |launch, argument| launch.argument(argument));
        let mut process = launch.start();
        let addresses = process.addresses(LATE).await;
        self.running = Some((process, addresses));
        self.stop.store(false, Ordering::Release);
        for _ in 0..CLIENTS {
            let (told, stop, mut random) = (Arc::clone(&self.told), Arc::clone(&self.stop), self.random.branch());
            self.clients.push(tokio::spawn(async move {
                while !stop.load(Ordering::Acquire) && told.send(addresses, 1 + random.below(40)).await {}
            }));
        }
    }

    async fn clients_end(&mut self) {
        self.stop.store(true, Ordering::Release);
        for client in self.clients.drain(..) {
            client.await.expect("a client ends with its process, or when it is told to");
        }
    }

    /// Ends the process in order or with `kill -9`.
    async fn end(&mut self) {
        if self.random.below(2) == 0 {
            self.clients_end().await;
            let (mut process, _) = self.running.take().expect("a process runs");
            process.interrupt();
            assert!(process.wait(LATE).success(), "{}", process.output());
        } else {
            self.kill(true, self.random.clone().below(2) == 0).await;
        }
    }

    async fn kill(&mut self, pipeline: bool, engine: bool) {
        let children = self.running().0.children();
        let mut victims = if engine { children } else { Vec::new() };
        if pipeline {
            victims.push(self.id());
        }
        signal_all("-KILL", &victims);
        if pipeline {
            let (mut process, _) = self.running.take().expect("a process runs");
            process.wait(LATE);
            self.clients_end().await;
        }
    }

    async fn moment(&mut self) {
        // Not a wait for anything: the moment is what is random.
        tokio::time::sleep(Duration::from_millis(200 + self.random.below(800))).await;
    }

    async fn sql(&self, statement: &str) -> Result<String, String> {
        let engine = self.running().1.engine_url();
        let answer = http::send(Method::POST, &engine, &[], statement.to_owned()).await;
        let answer = answer.map_err(|error| error.to_string())?;
        if answer.status == 200 { Ok(answer.text().trim_end().to_owned()) } else { Err(answer.text()) }
    }

    /// Runs a statement as soon as the engine takes it.
    async fn does(&self, statement: &str) -> String {
        eventually(LATE, || async { self.sql(statement).await }).await
    }

    async fn management(&self, path: &str) -> Value {
        let url = format!("http://{}{path}", self.running().1.management);
        eventually(LATE, || async {
            match http::send(Method::GET, &url, &[], String::new()).await {
                Ok(answer) => Ok(answer.json()),
                Err(error) => Err(error.to_string()),
            }
        })
        .await
    }

    async fn is_held(&self, word: &str) {
        eventually(LATE, || async {
            let ready = self.management("/ready").await.to_string();
            if ready.contains(word) { Ok(()) } else { Err(format!("no hold `{word}`: {ready}\n{}", self.output())) }
        })
        .await;
    }

    /// Stops the load, waits until all of the stream is done, and looks at every record.
    async fn is_exact(&mut self, round: usize, event: Event) {
        self.clients_end().await;
        let recovered = eventually(LATE, || async {
            let accounts = self.management("/accounting").await;
            let account = accounts["accounts"].as_array().and_then(|all| all.iter().find(|a| a["table"] == "numbers"));
            let done = account.is_some_and(|account| account["next"] == account["end"]);
            let ready = self.management("/ready").await;
            if done && ready["ready"] == true { Ok(()) } else { Err(format!("{ready} {accounts}\n{}", self.output())) }
        });
        recovered.await;
        let text = self.does("SELECT id, count() FROM numbers GROUP BY id FORMAT TSV").await;
        let rows: BTreeMap<u64, u64> = text
            .lines()
            .filter_map(|line| {
                let (id, count) = line.split_once('\t')?;
                Some((id.parse().ok()?, count.parse().ok()?))
            })
            .collect();
        let twice: Vec<_> = rows.iter().filter(|(_, count)| **count > 1).map(|(id, _)| *id).collect();
        let accepted = self.told.accepted.lock().expect("no panic");
        let lost: Vec<_> = accepted.iter().filter(|id| !rows.contains_key(id)).copied().collect();
        let rejected = self.told.rejected.lock().expect("no panic");
        let undead: Vec<_> = rejected.iter().filter(|id| rows.contains_key(id)).copied().collect();
        assert!(
            twice.is_empty() && lost.is_empty() && undead.is_empty(),
            "round {round}, {event:?}: {} lost {:?}, {} twice {:?}, {} rejected and there {:?}\n{}",
            lost.len(),
            lost.iter().take(5).collect::<Vec<_>>(),
            twice.len(),
            twice.iter().take(5).collect::<Vec<_>>(),
            undead.len(),
            undead.iter().take(5).collect::<Vec<_>>(),
            self.output()
        );
    }

    async fn happens(&mut self, event: Event) {
        match event {
            Event::KillPipeline => self.kill(true, false).await,
            Event::KillEngine => self.kill(false, true).await,
            Event::KillBoth => self.kill(true, true).await,
            Event::PutBack => self.put_back().await,
            Event::Rename => self.rename().await,
            Event::Replace => self.replace().await,
            Event::DiskFull => self.limited("--fsize=4096:", "--fsize=unlimited:").await,
            Event::NoFiles => {
                let before = self.running().0.id();
                let limit = open_files(before);
                self.limited("--nofile=16:", &format!("--nofile={limit}:")).await;
            }
        }
        if self.running.is_none() {
            self.start(&[]).await;
        }
        self.moment().await;
    }

    /// A copy is made, the pipeline goes on, and when all of that is in the table the copy is put back.
    async fn put_back(&mut self) {
        self.end().await;
        let backup = self.directory.path().join("backup");
        let _ = fs::remove_dir_all(&backup);
        copy(&self.streams(), &backup);
        self.start(&[]).await;
        self.moment().await;
        // What is in no table when the directory goes is gone with it: that is the directory's loss and not ours.
        self.is_exact(0, Event::PutBack).await;
        self.kill(true, true).await;
        fs::remove_dir_all(self.streams()).expect("a directory");
        copy(&backup, &self.streams());
    }

    async fn rename(&mut self) {
        self.end().await;
        let former = format!("name{}", self.names);
        self.names += 1;
        self.start(&[]).await;
        self.is_held("readers adopt").await;
        let url = format!("http://{}/readers", self.running().1.management);
        let answer = http::post_json(&url, json!({ "do": "adopt", "reader": former }).to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// The table gives way to a copy of its rows, under load: rows that come between are in the stream and not in the copy.
    async fn replace(&mut self) {
        self.does("DROP TABLE IF EXISTS copied SYNC").await;
        self.does("CREATE TABLE copied AS numbers").await;
        self.does(&format!(
            "INSERT INTO copied ({COLUMNS}) SELECT {COLUMNS} FROM numbers SETTINGS insert_allow_materialized_columns = 1"
        ))
        .await;
        self.moment().await;
        self.does("EXCHANGE TABLES copied AND numbers").await;
        self.is_held("--from earliest").await;
        self.end().await;
        self.start(&["dev", "--from", "earliest"]).await;
        self.is_exact(0, Event::Replace).await;
        self.end().await;
    }

    async fn limited(&mut self, limit: &str, free: &str) {
        let id = self.id().to_string();
        let set = |limit: &str| {
            let done = Command::new("prlimit").args(["--pid", &id, limit]).status();
            assert!(done.is_ok_and(|status| status.success()), "prlimit {limit}");
        };
        set(limit);
        self.moment().await;
        set(free);
    }
}

/// The soft limit of open files of a process.
fn open_files(process: u32) -> u64 {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).expect("a running process");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit of open files");
    line.split_whitespace().nth(3).and_then(|soft| soft.parse().ok()).expect("a number")
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.is_ok_and(|status| status.success()), "cp -a");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_every_record_is_a_row_once() {
    let mut chaos = Chaos::new();
    let (started, mut happened) = (Instant::now(), BTreeMap::<Event, u32>::new());
    chaos.start(&[]).await;
    let short = ROUNDS[usize::from(is_full())];
    for round in 0..short {
        // The short form has each of them, the long form any.
        let any = usize::try_from(chaos.random.below(Event::ALL.len() as u64)).expect("a small number");
        let event = Event::ALL[if is_full() { any } else { round % Event::ALL.len() }];
        if chaos.clients.is_empty() {
            chaos.end().await;
            chaos.start(&[]).await;
        }
        chaos.moment().await;
        chaos.happens(event).await;
        chaos.is_exact(round, event).await;
        *happened.entry(event).or_default() += 1;
    }
    let (accepted, rejected) = (chaos.told.accepted.lock(), chaos.told.rejected.lock());
    let (accepted, rejected) = (accepted.expect("no panic").len(), rejected.expect("no panic").len());
    let unavailable = chaos.told.unavailable.load(Ordering::Acquire);
    eprintln!(
        "{happened:?} in {:?}: {accepted} accepted, each a row once; {unavailable} answers 503, {rejected} rejected, none a row",
        started.elapsed()
    );
    assert!(accepted > 1000, "too little was sent for the test to mean something");
    assert!(unavailable > 0, "a full disk or too few files were told to nobody");
}
