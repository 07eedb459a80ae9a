//! How the rate of a drain grows, or does not: with the backlog, with the number of pipelines, with columns.

use crate::{
    backlog::Backlog,
    ceiling::Recording,
    records::Shape,
    report::{Figure, Report, Wanted},
    stage::Stage,
    sync::drain,
};

/// Backlogs of events, in millions.
const MILLIONS: [u64; 3] = [1, 10, 30];
/// Pipelines in one process, and the events that they share: no fewer than a full range for each, or the second that an
/// open one waits would be measured.
const PIPELINES: [usize; 3] = [1, 10, 100];
const EVENTS: u64 = 10_000_000;
/// Columns, and the records of a backlog of them: many ranges, most of them closed by their bytes where columns are many.
const COLUMNS: [(usize, u64); 3] = [(6, 2_000_000), (50, 300_000), (200, 600_000)];

/// Connections over which the engine alone takes the backlogs, for what grows in it by itself.
const CONNECTIONS: usize = 4;

pub(crate) async fn measure(stage: &Stage, rounds: usize, report: &mut Report) {
    let of_millions =
        MILLIONS.map(|millions| (format!("growth, {millions} M events"), Shape::Events, millions * 1_000_000));
    let of_pipelines = PIPELINES.map(|count| (format!("growth, {count} pipelines"), Shape::Many(count), EVENTS));
    let of_columns =
        COLUMNS.map(|(count, records)| (format!("growth, {count} columns"), Shape::Columns(count), records));
    for (series, least) in [(of_millions, Some(0.9)), (of_pipelines, Some(0.8)), (of_columns, None)] {
        let mut backlogs = Vec::new();
        for (place, (name, shape, records)) in series.into_iter().enumerate() {
            let place = stage.place(&format!("backlog-{place}"));
            backlogs.push((name, Backlog::make(place, shape, records).await, Vec::new()));
        }
        let mut alone = Vec::new();
        for (name, backlog, _) in backlogs.iter().filter(|(_, backlog, _)| matches!(backlog.shape, Shape::Events)) {
            let name = format!("{name}: engine alone, connections: {CONNECTIONS}");
            alone.push((name, Recording::of(stage, backlog).await, Vec::new()));
        }
        for _ in 0..rounds {
            for (_, backlog, rates) in &mut backlogs {
                rates.push(drain(stage, backlog).await.rate);
            }
            for (_, recording, rates) in &mut alone {
                rates.push(recording.replay(stage, CONNECTIONS).await);
            }
        }
        let first = backlogs.first().map(|(name, _, rates)| (name.clone(), rates.clone()));
        let (first, first_rates) = first.expect("a series of backlogs");
        let end = backlogs.len() - 1;
        for (place, (name, backlog, rates)) in backlogs.into_iter().enumerate() {
            if let Shape::Columns(count) = backlog.shape {
                let cells = rates.iter().map(|rate| rate * crate::stage::float(count as u64)).collect();
                report.add(Figure::new(format!("{name}: cells"), "/s", cells));
            }
            let figure = Figure::new(&name, "rows/s", rates);
            report.add(match least {
                _ if place == 0 => figure,
                Some(least) if place == end => figure.beside(&first, &first_rates).wanted(Wanted::Ratio(least)),
                _ => figure.beside(&first, &first_rates),
            });
        }
        let mut alone = alone.into_iter().map(|(name, _, rates)| (name, rates));
        if let Some((first, first_rates)) = alone.next() {
            report.add(Figure::new(&first, "rows/s", first_rates.clone()));
            for (name, rates) in alone {
                report.add(Figure::new(name, "rows/s", rates).beside(&first, &first_rates));
            }
        }
        stage.clear();
    }
}
