//! Memory with records of 100 KB; that of the backlogs of small ones is measured where they are drained.

use crate::{
    backlog::Backlog,
    records::Shape,
    report::{Figure, Report, Wanted},
    stage::Stage,
    sync::drain,
};

/// Half a gigabyte of them.
const DOCUMENTS: u64 = 5_000;

pub(crate) async fn measure(stage: &Stage, millions: &[u64], report: &mut Report) {
    for (name, shape, records, most) in millions
        .iter()
        .map(|millions| (format!("memory, {millions} M events"), Shape::Events, millions * 1_000_000, 200.0))
        .chain([("memory, records of 100 KB".to_owned(), Shape::Documents, DOCUMENTS, 350.0)])
    {
        let backlog = Backlog::make(stage.place("backlog"), shape, records).await;
        let peak = drain(stage, &backlog).await.peak / 1_048_576.0;
        report.add(Figure::new(name, "MiB", vec![peak]).wanted(Wanted::AtMost(most)));
    }
}
