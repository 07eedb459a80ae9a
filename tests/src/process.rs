//! A pipeline as a process of its own: started, asked for its addresses, killed.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use crate::wait::eventually;

/// How to start a process.
#[derive(Clone, Debug)]
pub struct Launch {
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    data_dir: PathBuf,
}

impl Launch {
    /// `program` on `data_dir`, with every port left to the system. What the caller's environment says to pipelines
    /// (`MOOSE_…`, `FAULT_…`) is kept away from it, but for the place of the engine library.
    pub fn new(program: impl Into<PathBuf>, data_dir: impl Into<PathBuf>) -> Self {
        let data_dir = data_dir.into();
        let launch = Self { program: program.into(), arguments: Vec::new(), environment: Vec::new(), data_dir };
        launch
            .environment("MOOSE_HTTP__LISTEN", "127.0.0.1:0")
            .environment("MOOSE_MANAGEMENT__LISTEN", "127.0.0.1:0")
            .environment("MOOSE_ENGINE__LISTEN", "127.0.0.1:0")
            .environment("MOOSE_ENGINE__PASSWORD", ENGINE_PASSWORD)
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The command as it will be run.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            let theirs = name.to_string_lossy();
            let for_pipelines = theirs.starts_with("MOOSE_") || theirs.starts_with("FAULT_");
            if for_pipelines && theirs != "MOOSE_ENGINE_LIBRARY" {
                command.env_remove(&name);
            }
        }
        command
            .args(&self.arguments)
            .env("MOOSE_DATA_DIR", &self.data_dir)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Starts it; what it prints goes to a log file beside the data directory.
    ///
    /// # Panics
    /// When it can't be started.
    pub fn start(&self) -> Process {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let log_path = self.data_dir.with_extension(format!("{}.log", NEXT.fetch_add(1, Ordering::Relaxed)));
        let log = File::create(&log_path).expect("a log file in the test's directory");
        let errors = log.try_clone().expect("a second handle of a file");
        let child = match self.command().stdout(log).stderr(errors).spawn() {
            Ok(child) => child,
            Err(error) => panic!("failed to start {}: {error}", self.program.display()),
        };
        Process { child, data_dir: self.data_dir.clone(), log_path }
    }

    /// Runs it to its end and answers status and output.
    ///
    /// # Panics
    /// When it can't be started, or has not ended within a minute.
    pub fn run(&self) -> (ExitStatus, String) {
        let mut process = self.start();
        let status = process.wait(Duration::from_mins(1));
        (status, process.output())
    }
}

/// What pipelines are started with as the password of their embedded engine's user.
pub const ENGINE_PASSWORD: &str = "password-of-the-tests";

/// Where a running pipeline listens.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// The front door.
    pub http: SocketAddr,
    /// The management port.
    pub management: SocketAddr,
    /// The embedded engine.
    pub engine: Option<SocketAddr>,
}

impl Addresses {
    /// The embedded engine, for statements of the user that the pipeline is.
    ///
    /// # Panics
    /// When it has none.
    pub fn engine_url(&self) -> String {
        let engine = self.engine.expect("an embedded engine");
        format!("http://{engine}/?user=moose&password={ENGINE_PASSWORD}")
    }
}

/// A started process; killed when dropped.
pub struct Process {
    child: Child,
    data_dir: PathBuf,
    log_path: PathBuf,
}

impl Process {
    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has bound everything and says where.
    ///
    /// # Panics
    /// When it ends before, or has not come up within the deadline; the message is what it printed.
    pub async fn addresses(&mut self, deadline: Duration) -> Addresses {
        let end = Instant::now() + deadline;
        loop {
            if let Some(addresses) = read_addresses(&self.data_dir.join("addresses.json"), self.id()) {
                return addresses;
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("the process ended with {status} before it was ready:\n{}", self.output());
            }
            assert!(Instant::now() < end, "not ready after {deadline:?}:\n{}", self.output());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// All that it has printed.
    pub fn output(&self) -> String {
        fs::read_to_string(&self.log_path).unwrap_or_default()
    }

    /// `kill -9`, and waits until it is gone.
    ///
    /// # Panics
    /// When it had ended by itself before.
    pub fn kill(mut self) {
        if let Ok(Some(status)) = self.child.try_wait() {
            panic!("the process had ended by itself with {status}:\n{}", self.output());
        }
        self.child.kill().expect("a process that was just running can be killed");
        self.child.wait().expect("a killed process ends");
    }

    /// Ctrl-C.
    ///
    /// # Panics
    /// When the signal can't be sent.
    pub fn interrupt(&self) {
        signal("-INT", self.id());
    }

    /// Bytes of memory that it holds at present.
    ///
    /// # Panics
    /// When it is gone.
    pub fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process with memory");
        let kilobytes = line.trim().trim_end_matches("kB").trim();
        kilobytes.parse::<u64>().expect("a number of kilobytes") * 1024
    }

    /// Numbers of the processes that it has started and that still run.
    pub fn children(&self) -> Vec<u32> {
        children_of(self.id())
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it has not ended by the deadline; the message is what it printed.
    pub fn wait(&mut self, deadline: Duration) -> ExitStatus {
        let end = Instant::now() + deadline;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status;
            }
            assert!(Instant::now() < end, "still running after {deadline:?}:\n{}", self.output());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until what it has printed contains `text`.
    ///
    /// # Panics
    /// When it has not by the deadline.
    pub async fn printed(&self, text: &str, deadline: Duration) {
        eventually(deadline, || async {
            let output = self.output();
            if output.contains(text) { Ok(()) } else { Err(format!("no `{text}` in:\n{output}")) }
        })
        .await;
    }
}

/// Numbers of the processes that a process has started and that still run.
pub fn children_of(process: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>()).collect()
}

/// Processor time that a process has used; none when it is gone.
pub fn cpu_time(process: u32) -> Duration {
    /// What the kernel counts in.
    const TICKS_PER_SECOND: u64 = 100;
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // Behind the name, which may hold anything: the state is the first, user and system time the 12th and 13th.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().skip(11).take(2);
    let ticks: u64 = fields.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
}

/// The command line of a process, its arguments divided by spaces; empty when it is gone.
pub fn command_line(process: u32) -> String {
    fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default().replace('\0', " ")
}

/// Sends a signal (`-INT`, `-KILL`, …) to a process.
///
/// # Panics
/// When it can't be sent.
pub fn signal(signal: &str, process: u32) {
    signal_all(signal, &[process]);
}

/// Sends a signal to several processes at once.
///
/// # Panics
/// When it can't be sent to one of them.
pub fn signal_all(signal: &str, processes: &[u32]) {
    let numbers = processes.iter().map(u32::to_string);
    let status = Command::new("kill").arg(signal).args(numbers).status();
    assert!(status.is_ok_and(|status| status.success()), "failed to send {signal} to processes {processes:?}");
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The addresses in the file, once it is there and the process's own.
fn read_addresses(path: &Path, process: u32) -> Option<Addresses> {
    let value: serde_json::Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    if value.get("pid")?.as_u64()? != u64::from(process) {
        return None;
    }
    let address = |name: &str| value.get(name)?.as_str()?.parse().ok();
    Some(Addresses { http: address("http")?, management: address("management")?, engine: address("engine") })
}
