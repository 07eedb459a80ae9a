//! Progress after a range was delivered: moves the cursor past it, counts and logs it.

use super::{
    courier::{Courier, Delivered},
    lag,
};
use crate::{
    stream::{Cursor, VIEWS_IN_DOUBT},
    telemetry::TableLabel,
};

/// Moves the cursor past a range that is in the table with that many rows.
pub(super) fn pass(cursor: &mut Cursor, first: u64, last: u64, delivered: Delivered) {
    if let Some(counted) = &mut cursor.counted {
        counted.inserted = counted.inserted.saturating_add(delivered.rows as u64);
    }
    if delivered.views_in_doubt {
        cursor.views_in_doubt.push((first, last));
        let beyond = cursor.views_in_doubt.len().saturating_sub(VIEWS_IN_DOUBT);
        cursor.views_in_doubt.drain(..beyond);
    }
    cursor.next = last.saturating_add(1);
    cursor.pending.retain(|pending| pending.last > last);
}

/// Measures the lag of the table; `oldest` is when the first record that it lacks was accepted, if known.
pub(super) async fn measure_lag(courier: &Courier, oldest: Option<i64>) -> u64 {
    let next = courier.cursor.get().await.next;
    lag::measure(&courier.shared, &courier.assignment, next, oldest).await
}

/// Counts and logs a delivered range; `oldest` is when the next one's first record was accepted, if known.
pub(super) async fn note(courier: &Courier, delivered: Delivered, oldest: Option<i64>) {
    let table = courier.assignment.table.name.as_str();
    let label = TableLabel { table: table.to_owned() };
    let metrics = &courier.shared.metrics;
    metrics.records_inserted.get_or_create(&label).inc_by((delivered.rows - delivered.had.min(delivered.rows)) as u64);
    metrics.records_deduplicated.get_or_create(&label).inc_by(delivered.had as u64);
    #[expect(clippy::cast_precision_loss, reason = "histograms hold floats; a batch is far below 2^52")]
    {
        metrics.batch_rows.get_or_create(&label).observe(delivered.rows as f64);
        metrics.batch_bytes.get_or_create(&label).observe(delivered.bytes as f64);
    }
    metrics.flushed(table);
    let lag = measure_lag(courier, oldest).await;
    tracing::info!(
        target: "moose::flush",
        table,
        rows = delivered.rows,
        bytes = delivered.bytes,
        milliseconds = u64::try_from(delivered.took.as_millis()).unwrap_or(u64::MAX),
        lag,
        "flushed"
    );
}
