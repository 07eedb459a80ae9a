//! A backlog drained, beside the engine alone.

use std::path::Path;

use moose_tests::process::Launch;

use crate::{
    backlog::Backlog,
    ceiling::Recording,
    records::Shape,
    report::{Figure, Report, Spread, Wanted},
    stage::{Running, Stage, float},
};

/// Connections of the ceiling: it is driven as fast as any of them drives it.
const CONNECTIONS: [usize; 3] = [1, 2, 4];

/// What a drain came to.
pub(crate) struct Drained {
    /// Rows a second.
    pub(crate) rate: f64,
    /// Seconds of processor time of the pipeline's process, for a million rows.
    pub(crate) cpu_per_million: f64,
    /// Most memory of that process, in bytes.
    pub(crate) peak: f64,
}

/// Drains a copy of the backlog in a new process with an engine of its own.
pub(crate) async fn drain(stage: &Stage, backlog: &Backlog) -> Drained {
    let data = backlog.copy(stage);
    drain_of(stage.launch(backlog.shape, &data), &data, backlog.shape, backlog.records).await
}

/// The same for a pipeline that finds its backlog elsewhere.
pub(crate) async fn drain_of(launch: Launch, data: &Path, shape: Shape, records: u64) -> Drained {
    let mut running = Running::start(&launch, data).await;
    let (took, cpu) = running.until_confirmed(records).await;
    let drained = Drained {
        rate: float(records) / took.as_secs_f64(),
        cpu_per_million: cpu.as_secs_f64() * 1e6 / float(records),
        peak: running.peak_bytes(),
    };
    running.end(shape, records).await;
    drained
}

pub(crate) async fn measure(stage: &Stage, rounds: usize, millions: u64, report: &mut Report) {
    let backlog = Backlog::make(stage.place("backlog"), Shape::Events, millions * 1_000_000).await;
    let recording = Recording::of(stage, &backlog).await;
    let mut drained = Vec::new();
    let mut alone = CONNECTIONS.map(|_| Vec::new());
    for _ in 0..rounds {
        for (connections, rates) in CONNECTIONS.into_iter().zip(&mut alone) {
            rates.push(recording.replay(stage, connections).await);
        }
        drained.push(drain(stage, &backlog).await);
    }
    let name = format!("sync, {millions} M events");
    let rates: Vec<f64> = drained.iter().map(|drained| drained.rate).collect();
    let medians = alone.iter().map(|rates| Spread::of(rates).median);
    let best = medians.enumerate().max_by(|(_, one), (_, other)| one.total_cmp(other)).map_or(0, |(place, _)| place);
    for (place, (connections, values)) in CONNECTIONS.into_iter().zip(&alone).enumerate() {
        let beside = format!("engine alone, connections: {connections}");
        let figure = Figure::new(&name, "rows/s", rates.clone()).beside(beside, values);
        report.add(if place == best { figure.wanted(Wanted::Ratio(0.85)) } else { figure });
    }
    let cpu = drained.iter().map(|drained| drained.cpu_per_million).collect();
    report.add(Figure::new(format!("{name}: computing per million"), "s", cpu).wanted(Wanted::AtMost(0.6)));
    let peaks = drained.iter().map(|drained| drained.peak / 1_048_576.0).collect();
    report.add(Figure::new(format!("{name}: peak memory"), "MiB", peaks).wanted(Wanted::AtMost(200.0)));
}
