//! A real Apache Kafka for tests: nodes in KRaft mode, started out of jars, killed and started again.
//!
//! The jars come through Maven once per machine, into the cache beside the engine's library; the machine's Java runs
//! them (`jars`). A broker has its own directory and listens on 127.0.0.3, where nothing else takes its ports while it is
//! down.

mod jars;

use std::{
    ffi::OsString,
    fs::{self, File},
    io::Write as _,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

pub use jars::is_there;

use crate::process::{children_of, signal};

/// The version that is run.
pub const VERSION: &str = "4.1.0";
/// The address that brokers listen on.
pub const HOST: &str = "127.0.0.3";
/// Who a cluster is, in the form that Kafka wants; each has a directory of its own, so one name is enough.
const CLUSTER: &str = "bW9vc2UtdGVzdHMtY2x1cw";
/// What formatting a directory leaves in it.
const META: &str = "meta.properties";
const CHECKPOINT: &str = "bootstrap.checkpoint";
/// A JVM on a busy machine of two cores takes its time.
const START: Duration = Duration::from_mins(2);
/// Runs Java until the test binary lets go of the pipe, if only by its own end: no broker outlives its tests.
const GUARD: &str = "java \"$@\" & broker=$!; read -r end; kill -9 $broker; wait $broker";

/// A node: a broker and a controller; killed when dropped.
#[derive(Debug)]
pub struct Broker {
    running: Option<(Child, ChildStdin)>,
    directory: PathBuf,
    node: Node,
    /// Where its log began at the last start.
    log_from: u64,
}

/// Who a node is in its cluster.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// Counted from 1.
    id: usize,
    port: u16,
    controller: u16,
}

impl Broker {
    /// Formats a directory and starts a broker on it.
    ///
    /// # Panics
    /// When Maven or Java are missing, or the broker does not come up; the message says what to do.
    pub fn start(directory: &Path) -> Self {
        Self::start_with(directory, &[])
    }

    /// The same, with more lines for its `server.properties`.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn start_with(directory: &Path, properties: &[&str]) -> Self {
        Self::start_formatted(directory, properties, &[])
    }

    /// The same, with more arguments for what formats its directory.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn start_formatted(directory: &Path, properties: &[&str], format: &[&str]) -> Self {
        let nodes = nodes::<1>();
        let mut broker = Self::prepare(directory, nodes[0], &nodes, properties, format);
        broker.restart();
        broker
    }

    /// A cluster of so many nodes: what a topic of theirs has, its replication factor decides.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn start_cluster<const NODES: usize>(directory: &Path, properties: &[&str]) -> Vec<Self> {
        let nodes = nodes::<NODES>();
        let copies = format!("offsets.topic.replication.factor={NODES}");
        let properties = [&[copies.as_str()], properties].concat();
        let prepare = |node: Node| {
            let directory = directory.join(format!("node-{}", node.id));
            Self::prepare(&directory, node, &nodes, &properties, &[])
        };
        let prepare = &prepare;
        let mut brokers: Vec<_> = std::thread::scope(|scope| {
            let preparing: Vec<_> = nodes.iter().map(|node| scope.spawn(move || prepare(*node))).collect();
            preparing.into_iter().map(|thread| thread.join().expect("a directory is formatted")).collect()
        });
        Self::restart_all(&mut brokers);
        brokers
    }

    /// Starts brokers that don't run, all at once: none of a cluster serves before most of them do.
    ///
    /// # Panics
    /// When one does not come up.
    pub fn restart_all(brokers: &mut [Self]) {
        let mut started: Vec<_> = brokers.iter_mut().filter(|broker| broker.running.is_none()).collect();
        for broker in &mut started {
            broker.launch();
        }
        for broker in started {
            broker.wait_until_it_serves();
        }
    }

    /// Formats a node's directory.
    fn prepare(directory: &Path, node: Node, nodes: &[Node], properties: &[&str], format: &[&str]) -> Self {
        fs::create_dir_all(directory).expect("a directory for the broker");
        fs::write(directory.join("server.properties"), server_properties(directory, node, nodes, properties))
            .expect("a file in the broker's directory");
        let broker = Self { running: None, directory: directory.to_owned(), node, log_from: 0 };
        if format.is_empty() {
            broker.copy_format();
        } else {
            broker.format(format);
        }
        broker
    }

    fn format(&self, more: &[&str]) {
        let arguments = [&["format", "--cluster-id", CLUSTER, "--config", "server.properties"], more].concat();
        let formatted = self.java("kafka.tools.StorageTool", &arguments).output().expect("Java is there");
        assert!(
            formatted.status.success(),
            "failed to format the broker's directory: {}{}",
            String::from_utf8_lossy(&formatted.stdout),
            String::from_utf8_lossy(&formatted.stderr)
        );
    }

    /// What a format leaves is the same for all but the node's number: Java need start for it only once.
    fn copy_format(&self) {
        static FORMATTED: OnceLock<(String, Vec<u8>)> = OnceLock::new();
        let (properties, checkpoint) = FORMATTED.get_or_init(|| {
            self.format(&[]);
            let read = |name| fs::read(self.directory.join("data").join(name)).expect("a file of the format");
            (String::from_utf8_lossy(&read(META)).into_owned(), read(CHECKPOINT))
        });
        let mut meta = format!("node.id={}\n", self.node.id);
        // A broker gives its directory an id where it has none.
        let is_own = |line: &&str| !line.starts_with("node.id=") && !line.starts_with("directory.id=");
        meta.extend(properties.lines().filter(is_own).flat_map(|line| [line, "\n"]));
        let data = self.directory.join("data");
        fs::create_dir_all(&data).expect("a directory for the broker's data");
        fs::write(data.join(META), meta).expect("a file in the broker's directory");
        fs::write(data.join(CHECKPOINT), checkpoint).expect("a file in the broker's directory");
    }

    /// What clients connect to.
    pub fn address(&self) -> String {
        format!("{HOST}:{}", self.node.port)
    }

    /// Its number in the cluster, as clients see it.
    pub fn id(&self) -> i32 {
        i32::try_from(self.node.id).unwrap_or(i32::MAX)
    }

    /// Starts the broker again, on the same ports and directory, and waits until it serves.
    ///
    /// # Panics
    /// When it runs already, or does not come up.
    pub fn restart(&mut self) {
        self.launch();
        self.wait_until_it_serves();
    }

    fn launch(&mut self) {
        assert!(self.running.is_none(), "the broker runs");
        let log = File::options().create(true).append(true).open(self.directory.join("broker.log"));
        let log = log.expect("the broker's log");
        self.log_from = log.metadata().map_or(0, |metadata| metadata.len());
        let errors = log.try_clone().expect("a second handle of a file");
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "broker"]).args(java_arguments("kafka.Kafka")).arg("server.properties");
        guard.current_dir(&self.directory).stdin(Stdio::piped()).stdout(log).stderr(errors);
        let mut guard = guard.spawn().expect("a shell is there");
        let pipe = guard.stdin.take().expect("a pipe was asked for");
        self.running = Some((guard, pipe));
    }

    /// Waits no longer than the broker lives.
    fn wait_until_it_serves(&self) {
        let (end, mut seen) = (Instant::now() + START, false);
        while !self.log_since(self.log_from).contains("Kafka Server started") {
            let runs = self.process().is_some_and(runs);
            seen |= runs;
            assert!(runs || !seen, "the broker ended before it served:\n{}", self.log_since(self.log_from));
            assert!(Instant::now() < end, "the broker did not come up:\n{}", self.log_since(self.log_from));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// `kill -9`, and waits until it is gone.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&mut self) {
        let (mut guard, pipe) = self.running.take().expect("the broker runs");
        drop(pipe);
        guard.wait().expect("the guard ends with its broker");
    }

    /// The number of the broker's process, once it is there.
    pub fn process(&self) -> Option<u32> {
        self.running.as_ref().and_then(|(guard, _)| children_of(guard.id()).first().copied())
    }

    /// Sends the broker a signal, such as `-STOP`.
    ///
    /// # Panics
    /// When it does not run.
    pub fn signal(&self, name: &str) {
        signal(name, self.process().expect("the broker runs"));
    }

    /// Runs one of Kafka's own command-line tools by its class, gives it `input`, and answers what it printed.
    ///
    /// # Panics
    /// When it fails.
    pub fn tool(&self, class: &str, arguments: &[&str], input: &str) -> String {
        let mut command = self.java(class, arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("Java is there");
        let mut stdin = child.stdin.take().expect("a pipe was asked for");
        stdin.write_all(input.as_bytes()).expect("the tool reads its input");
        drop(stdin);
        let output = child.wait_with_output().expect("a started process ends");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{class} {arguments:?} failed with {}:\n{printed}{errors}", output.status);
        printed
    }

    /// Writes lines to a topic with Kafka's own console producer; `NULL` is a record without a payload.
    ///
    /// # Panics
    /// When it fails.
    pub fn produce(&self, topic: &str, lines: &str) {
        self.produce_with(topic, &["null.marker=NULL"], lines);
    }

    /// The same, with properties that say how lines are read, such as `parse.key=true`.
    ///
    /// # Panics
    /// When it fails.
    pub fn produce_with(&self, topic: &str, properties: &[&str], lines: &str) {
        let address = self.address();
        let mut arguments = vec!["--bootstrap-server", &address, "--topic", topic];
        arguments.extend(properties.iter().flat_map(|property| ["--property", property]));
        self.tool("org.apache.kafka.tools.ConsoleProducer", &arguments, lines);
    }

    /// Reads so many records of a topic with Kafka's own console consumer, with properties that say what is printed, such
    /// as `print.key=true`; one line for each.
    ///
    /// # Panics
    /// When it fails, or the records don't come.
    pub fn consume(&self, topic: &str, count: usize, properties: &[&str]) -> Vec<String> {
        let (address, count) = (self.address(), count.to_string());
        let mut arguments = vec!["--bootstrap-server", &address, "--topic", topic, "--from-beginning"];
        arguments.extend(["--max-messages", &count, "--timeout-ms", "60000"]);
        arguments.extend(properties.iter().flat_map(|property| ["--property", property]));
        let printed = self.tool("org.apache.kafka.tools.consumer.ConsoleConsumer", &arguments, "");
        printed.lines().map(str::to_owned).collect()
    }

    fn log_since(&self, from: u64) -> String {
        let log = fs::read(self.directory.join("broker.log")).unwrap_or_default();
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(log.len());
        String::from_utf8_lossy(log.get(from..).unwrap_or_default()).into_owned()
    }

    fn java(&self, class: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("java");
        command.args(java_arguments(class)).args(arguments).current_dir(&self.directory).stdin(Stdio::null());
        command
    }
}

/// What Java is given before a program's own arguments.
fn java_arguments(class: &str) -> Vec<OsString> {
    let options = [
        "-Xms64m",
        "-Xmx512m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-cp",
    ];
    let classes = [jars::directory().join("*").into_os_string(), OsString::from(class)];
    options.into_iter().map(OsString::from).chain(classes).collect()
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some((mut guard, pipe)) = self.running.take() {
            drop(pipe);
            let _ = guard.wait();
        }
    }
}

/// Whether a process runs, rather than waits to be taken note of.
fn runs(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    status.lines().any(|line| line.strip_prefix("State:").is_some_and(|state| !state.trim_start().starts_with('Z')))
}

/// Nodes with ports that nobody listens on.
fn nodes<const NODES: usize>() -> [Node; NODES] {
    // All are held until all are known: none is given twice.
    let bind = || TcpListener::bind((HOST, 0)).expect("a free port");
    let listeners: [_; NODES] = std::array::from_fn(|index| (index + 1, bind(), bind()));
    let port = |listener: &TcpListener| listener.local_addr().expect("a bound listener has an address").port();
    listeners.map(|(id, broker, controller)| Node { id, port: port(&broker), controller: port(&controller) })
}

fn server_properties(directory: &Path, node: Node, nodes: &[Node], more: &[&str]) -> String {
    let data = directory.join("data");
    let Node { id, port, controller } = node;
    let voters: Vec<_> = nodes.iter().map(|node| format!("{}@{HOST}:{}", node.id, node.controller)).collect();
    let voters = voters.join(",");
    let lines = format!(
        "process.roles=broker,controller
node.id={id}
controller.quorum.voters={voters}
listeners=CLIENTS://{HOST}:{port},CONTROLLER://{HOST}:{controller}
advertised.listeners=CLIENTS://{HOST}:{port}
listener.security.protocol.map=CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENTS
controller.listener.names=CONTROLLER
log.dirs={}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
num.network.threads=2
num.io.threads=2
log.cleaner.dedupe.buffer.size=4194304
log.cleaner.backoff.ms=500
",
        data.display()
    );
    more.iter().fold(lines, |lines, line| lines + line + "\n")
}
