//! Measures the lag of a table behind its stream, whatever its worker is doing: held, settling or delivering.

use std::time::Duration;

use super::{Assignment, Shared, now};
use crate::telemetry::LagLabel;

/// How often the lag is measured while nothing else updates it.
pub(super) const EVERY: Duration = Duration::from_secs(1);

/// Sets the metrics of lag: how many records from `next` on are not in the table, and how long the oldest of them has
/// waited; `oldest` is when that was accepted, if known.
pub(super) async fn measure(shared: &Shared, assignment: &Assignment, next: u64, oldest: Option<i64>) -> u64 {
    let (topic, partition) = (&assignment.topic, assignment.partition);
    let Ok(bounds) = shared.backend.bounds(topic, partition).await else { return 0 };
    let lag = bounds.end.saturating_sub(next.max(bounds.start));
    let oldest = match oldest {
        _ if lag == 0 => None,
        Some(oldest) => Some(oldest),
        None => {
            let read = shared.backend.read(topic, partition, next.max(bounds.start), 1).await;
            read.ok().and_then(|records| records.first().map(|record| record.timestamp))
        }
    };
    let waited = oldest.map_or(0, |oldest| u64::try_from(now().saturating_sub(oldest)).unwrap_or(0));
    let label = LagLabel { stream: topic.clone(), table: assignment.table.name.clone(), partition };
    shared.metrics.lag_records.get_or_create(&label).set(i64::try_from(lag).unwrap_or(i64::MAX));
    shared.metrics.lag_seconds.get_or_create(&label).set(Duration::from_millis(waited).as_secs_f64());
    lag
}

/// Keeps measuring, from the committed cursor, until dropped: for the time before a worker delivers.
pub(super) async fn keep_measuring(shared: &Shared, assignment: &Assignment) {
    let group = super::group(&shared.app_name, &assignment.table.name);
    loop {
        let cursor = shared.backend.cursor(&group, &assignment.topic, assignment.partition).await;
        // Without a cursor nothing of the partition is in the table.
        if let Ok(cursor) = cursor {
            measure(shared, assignment, cursor.map_or(0, |cursor| cursor.next), None).await;
        }
        tokio::time::sleep(EVERY).await;
    }
}
