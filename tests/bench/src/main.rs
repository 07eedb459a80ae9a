//! Each figure of the pipeline beside its ceiling, measured in the same run, in rounds that take turns.
//!
//! ```sh
//! cargo run --release -p moose-bench -- all --json figures.json --svg figures.svg
//! cargo run --release -p moose-bench -- sync decode
//! ```
//!
//! `docs/performance.md` says what each of them is. The processes that are measured are this program too: a pipeline, the
//! engine, or a bare HTTP server, as a variable tells it.
#![expect(clippy::print_stdout, reason = "a measurement is read from standard output")]
#![expect(clippy::expect_used, reason = "a measurement that can't be made ends with the reason")]

mod backlog;
mod ceiling;
mod chart;
mod client;
mod connection;
mod decode;
mod freshness;
mod growth;
mod ingest;
#[cfg(feature = "kafka")]
mod kafka;
mod memory;
mod records;
mod report;
mod rivals;
mod serve;
mod stage;
mod sync;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, ValueEnum};

use crate::{report::Report, stage::Stage};

#[derive(Parser)]
#[command(about = "Measures the pipeline beside its ceilings")]
struct Arguments {
    /// What to measure.
    #[arg(required = true)]
    names: Vec<Name>,
    /// How often; the figures are medians.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Events of the backlogs of `sync`, in millions; also of `rivals`, the first of them.
    #[arg(long, value_delimiter = ',', default_values_t = [3, 10])]
    millions: Vec<u64>,
    /// Where to write the figures as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Where to write the chart of the ratios.
    #[arg(long)]
    svg: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    All,
    Decode,
    Sync,
    SyncKafka,
    IngestSingle,
    IngestNdjson,
    Freshness,
    Memory,
    Growth,
    Rivals,
}

impl Name {
    async fn measure(self, stage: &Stage, arguments: &Arguments, report: &mut Report) {
        let (rounds, millions) = (arguments.rounds, &arguments.millions);
        match self {
            // Nothing by itself.
            Self::All => {}
            Self::Decode => decode::measure(rounds, report),
            Self::Sync => {
                for millions in millions {
                    sync::measure(stage, rounds, *millions, report).await;
                    stage.clear();
                }
            }
            #[cfg(feature = "kafka")]
            Self::SyncKafka => kafka::measure(stage, rounds, report).await,
            #[cfg(not(feature = "kafka"))]
            Self::SyncKafka => println!("sync-kafka: needs a build with --features kafka"),
            Self::IngestSingle => ingest::single(stage, rounds, report).await,
            Self::IngestNdjson => ingest::ndjson(stage, rounds, report).await,
            Self::Freshness => freshness::measure(stage, rounds, report).await,
            Self::Memory => memory::measure(stage, millions, report).await,
            Self::Growth => growth::measure(stage, rounds, report).await,
            Self::Rivals => rivals::measure(stage, rounds, millions.first().copied().unwrap_or(1), report).await,
        }
    }
}

fn main() -> ExitCode {
    let app = moose_runtime::app!(no build script);
    if let Ok(what) = std::env::var(serve::VARIABLE) {
        return serve::serve(app, &what);
    }
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(measure(&arguments))
}

async fn measure(arguments: &Arguments) -> ExitCode {
    let stage = Stage::new();
    let mut report = Report::default();
    for name in Name::value_variants().iter().filter(|name| **name != Name::All) {
        if arguments.names.contains(name) || arguments.names.contains(&Name::All) {
            Box::pin(name.measure(&stage, arguments, &mut report)).await;
            stage.clear();
        }
    }
    println!("{report}");
    if let Some(path) = &arguments.json {
        std::fs::write(path, report.json()).expect("the file for the figures can be written");
    }
    if let Some(path) = &arguments.svg {
        std::fs::write(path, chart::draw(&report)).expect("the file for the chart can be written");
    }
    ExitCode::SUCCESS
}
