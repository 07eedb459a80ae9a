//! One data directory with the process that runs on it: started with a fault point, killed, started again, and asked
//! what became of every record.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use hyper::Method;
use moose_tests::{
    http,
    process::{Addresses, Launch, Process, signal_all},
    proxy::{Fault, Proxy, RuleHandle, insert_into},
    wait::eventually,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    cells::{EXECUTED, RECEIVED},
    ledger::{Found, Ledger, Wrong},
};

/// How long a start, or catching up, may take.
pub(crate) const LATE: Duration = Duration::from_mins(1);

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Victim {
    /// The pipeline; its engine ends in order after it.
    Pipeline,
    /// The engine's process; the pipeline starts it again.
    Engine,
    /// Both at once.
    Both,
}

impl Victim {
    pub(crate) const ALL: [Self; 3] = [Self::Pipeline, Self::Engine, Self::Both];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pipeline => "pipeline",
            Self::Engine => "engine",
            Self::Both => "both",
        }
    }
}

/// A point to halt at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Halt<'a> {
    /// Its name.
    pub(crate) point: &'a str,
    /// Which pass of it.
    pub(crate) pass: u32,
    /// Whether passes count from the start of the process on, or only once [`Scene::arm`] is called.
    pub(crate) at_once: bool,
}

/// A data directory and what runs on it.
pub(crate) struct Scene {
    directory: TempDir,
    launch: Launch,
    /// Where the embedded engine listens.
    engine: SocketAddr,
    /// A ClickHouse that is not the pipeline's own.
    server: Option<String>,
    pub(crate) ledger: Arc<Ledger>,
    running: Option<Running>,
    starts: u32,
    /// Ids by the keys of dead letters, which never change.
    letters: HashMap<String, u64>,
    /// How many of an id are asked for; `FINAL` where the engine drops old versions.
    final_state: &'static str,
    /// What was wrong when it was looked at last.
    known: Wrong,
}

struct Running {
    process: Process,
    addresses: Addresses,
    /// Where the fault point meets the test.
    fault: PathBuf,
    /// Where it is to halt.
    point: String,
    /// Stands between the pipeline and its engine, to halt an INSERT there.
    between: Option<Between>,
}

/// A point in the proxy.
struct Between {
    proxy: Proxy,
    pass: usize,
    fault: Fault,
    rule: Option<RuleHandle>,
}

impl Between {
    /// For a halt that is the proxy's, on the way to an engine at this address.
    async fn new(halt: Halt<'_>, engine: SocketAddr) -> Option<Self> {
        let fault = match halt.point {
            RECEIVED => Fault::HoldEnd,
            EXECUTED => Fault::HoldAnswer,
            _ => return None,
        };
        let pass = usize::try_from(halt.pass).expect("a small number");
        let mut between = Self { proxy: Proxy::start(engine).await, pass, fault, rule: None };
        if halt.at_once {
            between.arm();
        }
        Some(between)
    }

    fn arm(&mut self) {
        let rule = self.proxy.when(insert_into("numbers")).skip(self.pass - 1).times(1);
        self.rule = Some(rule.make(self.fault.clone()));
    }

    fn has_halted(&self) -> bool {
        self.rule.as_ref().is_some_and(|rule| rule.held() > 0)
    }
}

impl Scene {
    /// An empty directory for `program`, whose engine listens on `host`: an address of its own, because the port of a
    /// killed engine must stay free for it.
    pub(crate) fn new(program: &str, host: &str, environment: &[(&str, &str)]) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let launch = Launch::new(program, directory.path().join("data"));
        // The same at every start, so that a proxy can be put in front of it.
        let free = TcpListener::bind((host, 0)).and_then(|listener| listener.local_addr());
        let engine = free.expect("a port of an address of one's own");
        let launch = launch.environment("MOOSE_ENGINE__LISTEN", &engine.to_string());
        let launch = environment.iter().fold(launch, |launch, (name, value)| launch.environment(name, value));
        Self {
            directory,
            launch,
            engine,
            server: None,
            ledger: Arc::default(),
            running: None,
            starts: 0,
            letters: HashMap::new(),
            final_state: "",
            known: Wrong::default(),
        }
    }

    /// Where the embedded engine's data lies.
    pub(crate) fn engine_directory(&self) -> PathBuf {
        self.directory.path().join("data").join("engine")
    }

    /// From the next start on the pipeline writes into this ClickHouse at that address; statements go to the server.
    pub(crate) fn write_into(&mut self, url: &str, server: &str) {
        self.launch = self.launch.clone().environment("MOOSE_CLICKHOUSE__URL", url);
        self.server = Some(server.to_owned());
    }

    /// From now on rows are asked for with `FINAL`.
    pub(crate) fn look_at_the_final_state(&mut self) {
        self.final_state = "FINAL";
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("a process runs")
    }

    fn process(&self) -> &Process {
        &self.running().process
    }

    /// All that the process has printed.
    pub(crate) fn output(&self) -> String {
        self.process().output()
    }

    pub(crate) fn addresses(&self) -> Addresses {
        self.running().addresses
    }

    /// Starts the process, to halt where it is told; returns when it is up, or when it has halted before that.
    pub(crate) async fn start(&mut self, halt: Option<Halt<'_>>) {
        self.start_with(halt, &[]).await;
    }

    /// The same, with variables for this process alone.
    pub(crate) async fn start_with(&mut self, halt: Option<Halt<'_>>, environment: &[(&str, &str)]) {
        assert!(self.running.is_none(), "one process at a time");
        self.starts += 1;
        let fault = self.directory.path().join(format!("fault-{}", self.starts));
        let launch = self.launch.clone();
        let mut launch = environment.iter().fold(launch, |launch, (name, value)| launch.environment(name, value));
        let between = match halt {
            Some(halt) => Between::new(halt, self.engine).await,
            None => None,
        };
        if let Some(between) = &between {
            launch = launch.environment("FAULT_ENGINE_VIA", &between.proxy.address().to_string());
        } else if let Some(halt) = halt {
            launch = launch
                .environment("FAULT_POINT", &format!("{}:{}", halt.point, halt.pass))
                .environment("FAULT_POINT_DIR", &fault.to_string_lossy());
            if halt.at_once {
                fs::create_dir(&fault).expect("a directory in the test's directory");
            }
        }
        let mut process = launch.start();
        let addresses = process.addresses(LATE).await;
        let point = halt.map_or("nowhere", |halt| halt.point).to_owned();
        self.running = Some(Running { process, addresses, fault, point, between });
    }

    /// From now on passes of the fault point count.
    pub(crate) fn arm(&mut self) {
        let running = self.running.as_mut().expect("a process runs");
        match &mut running.between {
            Some(between) => between.arm(),
            None => fs::create_dir(&running.fault).expect("a directory in the test's directory"),
        }
    }

    /// Waits until a process has halted at the fault point.
    pub(crate) async fn reached(&self) {
        let Running { process, fault, point, between, .. } = self.running();
        let file = fault.join("reached");
        eventually(LATE, || async {
            let halted = match between {
                Some(between) => between.has_halted(),
                None => fs::read_to_string(&file).is_ok_and(|number| !number.is_empty()),
            };
            if halted { Ok(()) } else { Err(format!("`{point}` was not reached\n{}", process.output())) }
        })
        .await;
    }

    /// The engine's process.
    async fn engine(&self) -> u32 {
        let process = self.process();
        eventually(LATE, || async {
            process.children().first().copied().ok_or_else(|| format!("no engine\n{}", process.output()))
        })
        .await
    }

    /// `kill -9`; then whoever has halted and still lives goes on.
    pub(crate) async fn kill(&mut self, victim: Victim) {
        let pipeline = self.process().id();
        let victims = match victim {
            Victim::Pipeline => vec![pipeline],
            Victim::Engine => vec![self.engine().await],
            // One that is being started anew at this moment has nothing that could be lost.
            Victim::Both => self.process().children().into_iter().chain([pipeline]).collect(),
        };
        signal_all("-KILL", &victims);
        let _ = fs::write(self.running().fault.join("go"), "");
        let between = self.running.as_mut().and_then(|running| running.between.as_mut());
        if let Some(rule) = between.as_ref().and_then(|between| between.rule.as_ref()) {
            rule.release();
        }
        if victim != Victim::Engine
            && let Some(mut gone) = self.running.take()
        {
            gone.process.wait(LATE);
        }
    }

    /// Ctrl-C, and waits for the end.
    pub(crate) fn stop(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        running.process.interrupt();
        assert!(running.process.wait(LATE).success(), "{}", running.process.output());
    }

    /// Runs a statement in the engine.
    pub(crate) async fn sql(&self, statement: &str) -> String {
        http::sql(&self.engine_url(), statement).await
    }

    pub(crate) fn engine_url(&self) -> String {
        self.server.clone().unwrap_or_else(|| self.addresses().engine_url())
    }

    /// The stream's own account of the numbers.
    pub(crate) async fn account(&self) -> Value {
        let url = format!("http://{}/accounting", self.addresses().management);
        let answer = http::get(&url).await.json();
        let accounts = answer["accounts"].as_array().cloned().unwrap_or_default();
        accounts.into_iter().find(|account| account["stream"] == "numbers").expect("an account of the numbers")
    }

    /// Waits until the stream is further than it is now, while it is being filled.
    pub(crate) async fn goes_on(&self) {
        let before = self.account().await["next"].as_u64();
        eventually(LATE, || async {
            let account = self.account().await;
            if account["next"].as_u64() > before {
                Ok(())
            } else {
                Err(format!("{account}\n{}", self.process().output()))
            }
        })
        .await;
    }

    /// Waits until every record of the stream is done, then tells what is wrong that was not wrong before.
    pub(crate) async fn recovered(&mut self) -> Wrong {
        let output = || self.process().output();
        let account = eventually(LATE, || async {
            let account = self.account().await;
            if account["next"] == account["end"] { Ok(account) } else { Err(format!("{account}\n{}", output())) }
        })
        .await;
        let rows = eventually(LATE, || async { self.rows().await }).await;
        let inserted: u64 = rows.values().map(|found| found.rows).sum();
        let mut found = rows;
        for id in self.letter_ids().await {
            found.entry(id).or_default().letters += 1;
        }
        let wrong = self.ledger.compare(&found);
        let counted = account["inserted"] == inserted || !self.final_state.is_empty();
        let news = |now: &[u64], before: &[u64]| now.iter().filter(|id| !before.contains(id)).copied().collect();
        let new = Wrong {
            lost: news(&wrong.lost, &self.known.lost),
            twice: news(&wrong.twice, &self.known.twice),
            // Of what is lost or doubled the account can't know.
            miscounted: (!counted && wrong == Wrong::default()).then(|| format!("{inserted} rows: {account}")),
        };
        self.known = wrong;
        new
    }

    /// What the table has of each id. An error while the engine is being started anew.
    async fn rows(&self) -> Result<BTreeMap<u64, Found>, String> {
        let statement =
            format!("SELECT id, count(), max(small) FROM numbers {} GROUP BY id FORMAT TSV", self.final_state);
        let answer =
            http::send(Method::POST, &self.engine_url(), &[], statement).await.map_err(|error| error.to_string())?;
        if answer.status != 200 {
            return Err(answer.text());
        }
        let text = answer.text();
        let found = text.lines().map(|line| {
            let mut fields = line.split('\t').map(|field| field.parse::<u64>().expect("a number"));
            let mut next = || fields.next().expect("three fields");
            let (id, rows, number) = (next(), next(), next());
            (id, Found { rows, number: u8::try_from(number).expect("a UInt8"), letters: 0 })
        });
        Ok(found.collect())
    }

    /// Ids of all dead letters, of each as often as it is there.
    async fn letter_ids(&mut self) -> Vec<u64> {
        let listed = self.ask(json!({ "do": "list", "table": "numbers", "after": null, "limit": 100_000 })).await;
        let mut ids = Vec::new();
        for letter in listed["dead_letters"].as_array().expect("dead letters") {
            let key = letter["key"].as_str().expect("a key").to_owned();
            let id = if let Some(id) = self.letters.get(&key) {
                *id
            } else {
                let shown = self.ask(json!({ "do": "show", "key": key })).await;
                let payload = shown["payload"].as_str().expect("a payload");
                let record: Value = serde_json::from_str(payload).expect("the record as it came");
                record["id"].as_u64().expect("an id")
            };
            self.letters.insert(key, id);
            ids.push(id);
        }
        ids
    }

    async fn ask(&self, question: Value) -> Value {
        let url = format!("http://{}/dead-letters", self.addresses().management);
        let answer = http::post_json(&url, question.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }
}

/// A number that no other call in this process gets, for addresses.
pub(crate) fn host() -> String {
    static NEXT: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(1);
    format!("127.0.3.{}", NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
}
