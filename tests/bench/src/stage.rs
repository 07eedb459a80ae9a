//! What measurements stand on: a directory, and processes that are started, watched and ended.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant, SystemTime},
};

use moose_runtime::internal::{app::ADDRESSES_FILE, engine::Engine};
use moose_tests::{
    engine, http,
    process::{Addresses, Launch, Process, cpu_time},
};
use tempfile::TempDir;

use crate::{connection::Connection, records::Shape, serve};

/// How long anything may take.
pub(crate) const LATE: Duration = Duration::from_mins(10);
/// How often the progress is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// The surroundings of a run.
pub(crate) struct Stage {
    pub(crate) program: PathBuf,
    pub(crate) directory: TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        Self { program, directory: tempfile::tempdir().expect("a temporary directory") }
    }

    /// An empty place of that name. What was there is put aside: a file system that has just deleted many files may be
    /// slow at making new ones, as ext4 without a journal is for a minute.
    pub(crate) fn place(&self, name: &str) -> PathBuf {
        let place = self.directory.path().join(name);
        if place.exists() {
            let aside = self.directory.path().join("aside");
            fs::create_dir_all(&aside).expect("a directory in the run's own");
            let number = fs::read_dir(&aside).expect("a directory of the run").count();
            fs::rename(&place, aside.join(number.to_string())).expect("a directory can be renamed");
        }
        fs::create_dir_all(&place).expect("a directory in the run's own");
        place
    }

    /// Deletes all places, between measurements.
    pub(crate) fn clear(&self) {
        for entry in fs::read_dir(self.directory.path()).expect("the run's directory").flatten() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }

    /// How a pipeline of that shape is started on a directory.
    pub(crate) fn launch(&self, shape: Shape, data: &Path) -> Launch {
        Launch::new(&self.program, data).environment(serve::VARIABLE, &shape.word()).environment("RUST_LOG", "warn")
    }

    /// An engine of this process's own, on an empty directory.
    pub(crate) async fn engine(&self, name: &str) -> Engine {
        engine::start(&self.program, &self.place(name)).await
    }

    /// A bare HTTP server.
    pub(crate) async fn bare(&self) -> (Process, SocketAddr) {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port");
        let address = listener.local_addr().expect("a bound socket has an address");
        drop(listener);
        let launch = Launch::new(&self.program, self.place("bare"))
            .environment(serve::VARIABLE, serve::BARE)
            .environment(serve::LISTEN, &address.to_string());
        let process = launch.start();
        let end = Instant::now() + LATE;
        while tokio::net::TcpStream::connect(address).await.is_err() {
            assert!(Instant::now() < end, "the bare server does not listen: {}", process.output());
            tokio::time::sleep(LOOK).await;
        }
        (process, address)
    }
}

/// A pipeline that runs in a process of its own.
pub(crate) struct Running {
    pub(crate) process: Process,
    pub(crate) addresses: Addresses,
    /// When its workers began.
    begun: SystemTime,
    /// The processor time that it had used then.
    cpu_before: Duration,
    metrics: Connection,
}

impl Running {
    /// Starts it, and returns when it is up.
    pub(crate) async fn start(launch: &Launch, data: &Path) -> Self {
        let mut process = launch.start();
        let addresses = process.addresses(LATE).await;
        let cpu_before = cpu_time(process.id());
        let written = fs::metadata(data.join(ADDRESSES_FILE)).and_then(|file| file.modified());
        let metrics = Connection::open(addresses.management).await;
        Self { process, addresses, begun: written.expect("a time of the file"), cpu_before, metrics }
    }

    /// Rows that ClickHouse has confirmed, in all tables together.
    pub(crate) async fn confirmed(&mut self) -> u64 {
        let metrics = self.metrics.get("/metrics").await;
        let metrics = String::from_utf8_lossy(&metrics);
        let lines = metrics.lines().filter(|line| line.starts_with("moose_records_inserted_total{"));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    /// Waits until so many rows are confirmed; since its workers began: how long it took, and how much processor time of
    /// the pipeline's process.
    pub(crate) async fn until_confirmed(&mut self, rows: u64) -> (Duration, Duration) {
        let end = Instant::now() + LATE;
        loop {
            let confirmed = self.confirmed().await;
            if confirmed >= rows {
                let took = self.begun.elapsed().expect("a clock that goes forward");
                return (took, cpu_time(self.process.id()).saturating_sub(self.cpu_before));
            }
            assert!(Instant::now() < end, "{confirmed} of {rows} rows\n{}", self.process.output());
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Most memory that the pipeline's process has held, in bytes.
    pub(crate) fn peak_bytes(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a process with memory");
        let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number of kilobytes");
        kilobytes * 1024.0
    }

    /// Its embedded engine, with the database.
    pub(crate) fn engine(&self) -> String {
        self.addresses.engine_url()
    }

    /// Checks that its tables have so many rows together, and ends it.
    pub(crate) async fn end(mut self, shape: Shape, rows: u64) {
        let mut found = 0;
        for table in shape.topics() {
            let count = http::sql(&self.engine(), &format!("SELECT count() FROM {table}")).await;
            found += count.parse::<u64>().expect("a count");
        }
        assert_eq!(found, rows, "rows in the tables");
        self.interrupt();
    }

    /// Ends it.
    pub(crate) fn interrupt(&mut self) {
        self.process.interrupt();
        let status = self.process.wait(LATE);
        assert!(status.success(), "{status}\n{}", self.process.output());
    }
}

/// Writes down what the system has not yet written, so that it does not do so in the middle of a measurement.
pub(crate) fn settle_disk() {
    let status = Command::new("sync").status();
    assert!(status.is_ok_and(|status| status.success()), "`sync` can be run");
}

/// As a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}
