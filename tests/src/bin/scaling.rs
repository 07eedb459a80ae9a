//! How the rates of a pipeline on Kafka grow with partitions and copies: prints the table of `docs/scaling.md`.
//!
//! One broker, one engine and the copies share the machine. A round goes through all settings, so that what else the
//! machine does falls on all alike; the table shows the medians. Each run has a topic, a group and a database of its own:
//!
//! - *drain*: the copies sleep while a backlog is written; from their waking up until all of it are rows.
//! - *door*: clients send requests of 1,000 events as fast as they are answered.
//!
//! With an argument this is the pipeline itself, which the copies and the engine are started out of.
#![expect(clippy::print_stdout, reason = "a measurement is read from standard output")]
#![expect(clippy::expect_used, reason = "a measurement that can't be made ends with the reason")]

use std::{path::Path, process::ExitCode, time::Duration};

use moose_tests::{
    engine, http,
    kafka::Broker,
    load::{Batches, Load},
    process::{Launch, Process, cpu_time, signal_all},
    wait::eventually,
};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    error::RDKafkaErrorCode,
    producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
};
use tokio::time::Instant;

/// Partitions of the topic, and copies of the pipeline.
const SETTINGS: [(u16, usize); 5] = [(1, 1), (2, 1), (4, 1), (4, 2), (4, 4)];
/// Events of a backlog: full ranges in every partition, or the second that an open one waits would be measured.
const EVENTS: u64 = 1_200_000;
/// How long the door is measured.
const DOOR: Duration = Duration::from_secs(4);
/// Clients that send at once.
const CLIENTS: u64 = 4;
/// How long anything may take.
const LATE: Duration = Duration::from_mins(2);
/// Events of a request.
const REQUEST: Batches = Batches { records: 1_000, pause: Duration::ZERO, record: event };

/// 120 to 125 bytes.
fn event(number: u64) -> String {
    format!(
        r#"{{"id":"evt_{number:010}","userId":"user_{:06}","timestamp":"2026-01-01T00:00:{:02}.{:03}Z","eventType":"page_view"}}"#,
        number % 500_000,
        number / 1000 % 60,
        number % 1000
    )
}

fn main() -> ExitCode {
    if std::env::args_os().len() > 1 {
        return moose_runtime::run!(no build script);
    }
    let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(3);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(measure(rounds));
    ExitCode::SUCCESS
}

/// What a run came to.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// Rows a second.
    drain: f64,
    /// Events a second that were answered with a 2xx.
    door: f64,
    /// Seconds of processor time while draining: copies, broker, engine.
    cpu: [f64; 3],
    /// Seconds of processor time for a million events of the door: copies, broker, engine, clients.
    door_cpu: [f64; 4],
}

async fn measure(rounds: usize) {
    let program = std::env::current_exe().expect("this program has a path");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let broker = Broker::start(&directory.path().join("broker"));
    let engine = engine::start(&program, &directory.path().join("engine")).await;
    let bench = Bench { program: &program, directory: directory.path(), broker: &broker, engine: engine.address() };
    let mut runs = vec![Vec::new(); SETTINGS.len()];
    for round in 0..rounds {
        for ((partitions, copies), runs) in SETTINGS.into_iter().zip(&mut runs) {
            let run = bench.run(&format!("r{round}_p{partitions}_c{copies}"), partitions, copies).await;
            println!("round {round}, {partitions} partitions, {copies} copies: {run:?}");
            runs.push(run);
        }
    }
    println!(
        "\n| partitions | copies | drain, rows/s | its processor time: copies, broker, engine | door, events/s | its processor \
         time for a million: copies, broker, engine, clients |"
    );
    println!("|---|---|---|---|---|---|");
    for ((partitions, copies), runs) in SETTINGS.into_iter().zip(&runs) {
        let of = |value: fn(&Run) -> f64| median(runs.iter().map(value).collect());
        let (drain, door) = (of(|run| run.drain), of(|run| run.door));
        let cpu = seconds(&[of(|run| run.cpu[0]), of(|run| run.cpu[1]), of(|run| run.cpu[2])]);
        let door_cpu =
            [0, 1, 2, 3].map(|place| median(runs.iter().filter_map(|run| run.door_cpu.get(place).copied()).collect()));
        let door_cpu = seconds(&door_cpu);
        println!("| {partitions} | {copies} | {drain:.0} | {cpu} | {door:.0} | {door_cpu} |");
    }
    engine.stop(LATE).await;
}

fn seconds(values: &[f64]) -> String {
    values.iter().map(|seconds| format!("{seconds:.1} s")).collect::<Vec<_>>().join(", ")
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What all runs share.
struct Bench<'a> {
    program: &'a Path,
    directory: &'a Path,
    broker: &'a Broker,
    engine: std::net::SocketAddr,
}

impl Bench<'_> {
    async fn run(&self, name: &str, partitions: u16, copies: usize) -> Run {
        self.make_topic(partitions).await;
        let engine = format!("http://{}", self.engine);
        http::sql(&engine, &format!("CREATE DATABASE {name} ENGINE = Atomic")).await;
        let rows = format!("{engine}/?database={name}");
        let mut processes = Vec::new();
        for copy in 0..copies {
            processes.push(self.copy(name, copy).start());
        }
        let mut doors = Vec::new();
        for process in &mut processes {
            doors.push(process.addresses(LATE).await.http);
        }
        settled(&processes, partitions).await;

        let ids: Vec<u32> = processes.iter().map(Process::id).collect();
        signal_all("-STOP", &ids);
        self.write(partitions);
        let before = self.cpu(&ids);
        let started = Instant::now();
        signal_all("-CONT", &ids);
        has_rows(&rows, EVENTS).await;
        let drain = rate(EVENTS, started);
        let [copies, broker, engine_of, _] = used(before, self.cpu(&ids));

        let before = self.cpu(&ids);
        let started = Instant::now();
        let first = |client: u64| 1_000_000_000 * (client + 1);
        let urls = doors.iter().map(|door| format!("http://{door}/ingest/events")).cycle();
        let loads: Vec<_> =
            (0..CLIENTS).zip(urls).map(|(client, url)| Load::start(url, first(client), REQUEST)).collect();
        tokio::time::sleep(DOOR).await;
        let mut accepted = 0;
        for load in loads {
            accepted += load.stop().await.kept.len() as u64;
        }
        let door = rate(accepted, started);
        has_rows(&rows, EVENTS + accepted).await;
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let door_cpu = used(before, self.cpu(&ids)).map(|seconds| seconds * 1e6 / accepted as f64);
        for mut process in processes {
            process.interrupt();
            process.wait(LATE);
        }
        http::sql(&engine, &format!("DROP DATABASE {name} SYNC")).await;
        Run { drain, door, cpu: [copies, broker, engine_of], door_cpu }
    }

    fn copy(&self, name: &str, copy: usize) -> Launch {
        Launch::new(self.program, self.directory.join(format!("{name}-{copy}")))
            .argument("dev")
            .environment("MOOSE_APP__NAME", name)
            .environment("MOOSE_KAFKA__BROKERS", &self.broker.address())
            .environment("MOOSE_CLICKHOUSE__URL", &format!("http://{}", self.engine))
            .environment("MOOSE_CLICKHOUSE__DATABASE", name)
            .environment("RUST_LOG", "info")
    }

    /// An empty topic, whatever there was before.
    async fn make_topic(&self, partitions: u16) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().expect("a client");
        let options = AdminOptions::new();
        let _ = admin.delete_topics(&["events"], &options).await;
        let topic = NewTopic::new("events", i32::from(partitions), TopicReplication::Fixed(1));
        eventually(LATE, || async {
            match admin.create_topics([&topic], &options).await.expect("the broker answers").pop() {
                Some(Ok(_)) => Ok(()),
                // The old one may still be going.
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.broker.address());
        config
    }

    /// Writes the backlog, as another program would.
    fn write(&self, partitions: u16) {
        let mut config = self.client();
        config.set("linger.ms", "20").set("queue.buffering.max.messages", "200000");
        let producer: ThreadedProducer<DefaultProducerContext> = config.create().expect("a producer");
        for number in 0..EVENTS {
            let payload = event(number);
            let partition = i32::try_from(number % u64::from(partitions)).unwrap_or(0);
            let mut record = BaseRecord::<(), str>::to("events").partition(partition).payload(&payload);
            while let Err((error, back)) = producer.send(record) {
                assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::QueueFull), "{error}");
                std::thread::sleep(Duration::from_millis(5));
                record = back;
            }
        }
        producer.flush(LATE).expect("the broker takes them");
    }

    /// Processor time of copies, broker, engine and this program.
    fn cpu(&self, copies: &[u32]) -> [Duration; 4] {
        let ours = copies.iter().map(|copy| cpu_time(*copy)).sum();
        let engine = moose_tests::process::children_of(std::process::id());
        let is_engine = |id: &&u32| moose_tests::process::command_line(**id).contains(" engine");
        let engine = engine.iter().filter(is_engine).map(|id| cpu_time(*id)).sum();
        [ours, self.broker.process().map_or(Duration::ZERO, cpu_time), engine, cpu_time(std::process::id())]
    }
}

/// Seconds between two looks.
fn used(before: [Duration; 4], after: [Duration; 4]) -> [f64; 4] {
    let mut spans = [0.0; 4];
    for (span, (before, after)) in spans.iter_mut().zip(before.into_iter().zip(after)) {
        *span = after.saturating_sub(before).as_secs_f64();
    }
    spans
}

/// Waits until each copy has its part of the partitions: the first of them had all for a moment.
async fn settled(copies: &[Process], partitions: u16) {
    let most = usize::from(partitions).div_ceil(copies.len());
    eventually(LATE, || async {
        let held: Vec<usize> = copies.iter().map(|copy| held(&copy.output())).collect();
        let all: usize = held.iter().sum();
        if all == usize::from(partitions) && held.iter().all(|held| *held <= most) {
            Ok(())
        } else {
            Err(format!("{held:?} of {partitions} partitions"))
        }
    })
    .await;
}

/// Partitions of the topic that a copy has, by its log.
fn held(log: &str) -> usize {
    let of_topic = |line: &&str| line.contains("/events") && line.contains("topic=\"events\"");
    let count = |word: &str| log.lines().filter(of_topic).filter(|line| line.contains(word)).count();
    count(" assigned").saturating_sub(count(" revoked"))
}

async fn has_rows(url: &str, wanted: u64) {
    eventually(LATE, || async {
        let found: u64 = http::sql(url, "SELECT count() FROM events").await.parse().unwrap_or(0);
        if found >= wanted { Ok(()) } else { Err(format!("{found} of {wanted} rows")) }
    })
    .await;
}

fn rate(count: u64, since: Instant) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let count = count as f64;
    count / since.elapsed().as_secs_f64()
}
