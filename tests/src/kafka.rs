//! A real Apache Kafka for tests: one node in KRaft mode, started out of jars, killed and started again by its number.
//!
//! The jars come through Maven once per machine, into the cache beside the engine's library; the machine's Java runs
//! them. A broker has its own directory and listens on 127.0.0.3, where nothing else takes its ports while it is down.

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

use crate::process::{children_of, signal};

/// The version that is run.
pub const VERSION: &str = "4.1.0";
/// The broker, its command-line tools, and what its log is written with: it has nothing of its own.
const JARS: [(&str, &str, &str); 3] = [
    ("org.apache.kafka", "kafka_2.13", VERSION),
    ("org.apache.kafka", "kafka-tools", VERSION),
    ("org.slf4j", "slf4j-simple", "1.7.36"),
];
/// The address that brokers listen on.
pub const HOST: &str = "127.0.0.3";
/// Who a cluster is, in the form that Kafka wants; each has a directory of its own, so one name is enough.
const CLUSTER: &str = "bW9vc2UtdGVzdHMtY2x1cw";
/// A JVM on a busy machine of two cores takes its time.
const START: Duration = Duration::from_mins(2);
/// The namespace of a Maven project.
const POM: &str = "http://maven.apache.org/POM/4.0.0";

/// Runs Java until the test binary lets go of the pipe, if only by its own end: no broker outlives its tests.
const GUARD: &str = "java \"$@\" & broker=$!; read -r end; kill -9 $broker; wait $broker";

/// A running broker; killed when dropped.
#[derive(Debug)]
pub struct Broker {
    running: Option<(Child, ChildStdin)>,
    directory: PathBuf,
    port: u16,
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
        let [port, controller] = free_ports();
        fs::create_dir_all(directory).expect("a directory for the broker");
        fs::write(directory.join("server.properties"), server_properties(directory, port, controller, properties))
            .expect("a file in the broker's directory");
        let mut broker = Self { running: None, directory: directory.to_owned(), port };
        let arguments = [&["format", "--cluster-id", CLUSTER, "--config", "server.properties"], format].concat();
        let formatted = broker.java("kafka.tools.StorageTool", &arguments).output().expect("Java is there");
        assert!(
            formatted.status.success(),
            "failed to format the broker's directory: {}{}",
            String::from_utf8_lossy(&formatted.stdout),
            String::from_utf8_lossy(&formatted.stderr)
        );
        broker.restart();
        broker
    }

    /// What clients connect to.
    pub fn address(&self) -> String {
        format!("{HOST}:{}", self.port)
    }

    /// Starts the broker again, on the same ports and directory, and waits until it serves.
    ///
    /// # Panics
    /// When it runs already, or does not come up.
    pub fn restart(&mut self) {
        assert!(self.running.is_none(), "the broker runs");
        let log_path = self.directory.join("broker.log");
        let log = File::options().create(true).append(true).open(&log_path).expect("the broker's log");
        let from = log.metadata().map_or(0, |metadata| metadata.len());
        let errors = log.try_clone().expect("a second handle of a file");
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "broker"]).args(java_arguments("kafka.Kafka")).arg("server.properties");
        guard.current_dir(&self.directory).stdin(Stdio::piped()).stdout(log).stderr(errors);
        let mut guard = guard.spawn().expect("a shell is there");
        let pipe = guard.stdin.take().expect("a pipe was asked for");
        self.running = Some((guard, pipe));
        let end = Instant::now() + START;
        while !self.log_since(from).contains("Kafka Server started") {
            let runs = end > Instant::now()
                && self.process().is_none_or(|process| Path::new("/proc").join(process.to_string()).exists());
            assert!(runs, "the broker did not come up:\n{}", self.log_since(from));
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
    fn process(&self) -> Option<u32> {
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
        let address = self.address();
        let arguments = ["--bootstrap-server", &address, "--topic", topic, "--property", "null.marker=NULL"];
        self.tool("org.apache.kafka.tools.ConsoleProducer", &arguments, lines);
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
    let classes = [jars().join("*").into_os_string(), OsString::from(class)];
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

/// Two ports that nobody listens on.
fn free_ports() -> [u16; 2] {
    let listeners = [0, 1].map(|_| TcpListener::bind((HOST, 0)).expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("a bound listener has an address").port())
}

fn server_properties(directory: &Path, port: u16, controller: u16, more: &[&str]) -> String {
    let data = directory.join("data");
    let lines = format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{HOST}:{controller}
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
num.network.threads=2
num.io.threads=2
log.cleaner.dedupe.buffer.size=4194304
log.cleaner.backoff.ms=500
",
        data.display()
    );
    more.iter().fold(lines, |lines, line| lines + line + "\n")
}

/// The directory of the jars, fetched by whoever asks first on this machine.
fn jars() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let home = std::env::var_os("HOME").map_or_else(std::env::temp_dir, PathBuf::from);
        let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from);
        let place = cache.join("moose/kafka").join(VERSION);
        if !JARS.iter().all(|(_, artifact, version)| place.join(format!("{artifact}-{version}.jar")).exists()) {
            fetch(&place);
        }
        place
    })
}

/// Gets the jars through Maven, which checks them; they appear in their place all at once.
fn fetch(place: &Path) {
    let parent = place.parent().expect("a place in the cache");
    fs::create_dir_all(parent).expect("the cache can be written");
    let work = tempfile::tempdir_in(parent).expect("the cache can be written");
    let dependency = |(group, artifact, version): &(&str, &str, &str)| {
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>\
             </dependency>"
        )
    };
    let dependencies = JARS.iter().map(dependency).collect::<Vec<_>>().concat();
    let project = format!(
        "<project xmlns=\"{POM}\"><modelVersion>4.0.0</modelVersion><groupId>moose</groupId><artifactId>kafka</artifactId>\
         <version>1</version><dependencies>{dependencies}</dependencies></project>"
    );
    fs::write(work.path().join("pom.xml"), project).expect("the cache can be written");
    let fetched = Command::new("mvn")
        .args(["-q", "-B", "--strict-checksums", "dependency:copy-dependencies", "-DoutputDirectory=lib"])
        .current_dir(work.path())
        .output();
    let output = match fetched {
        Ok(output) => output,
        Err(error) => panic!("Maven is needed for Apache Kafka's jars and can't be run: {error}; install `maven`"),
    };
    assert!(
        output.status.success(),
        "Maven could not get Apache Kafka {VERSION}:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    // What is there lacks some of it, or somebody was faster and has brought the same.
    let _ = fs::remove_dir_all(place);
    if fs::rename(work.path().join("lib"), place).is_err() {
        assert!(place.exists(), "{} can't be made", place.display());
    }
}
