//! Waiting for mutations: what an `ALTER` has begun goes on in the background, and a migration is done when that is.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::MigrateError;
use crate::{clickhouse::Client, schema::quote_string};

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A mutation that fails is tried again by the server; what passes within this time is nobody's business.
const GRACE: Duration = Duration::from_secs(5);

/// A mutation that does not come to its end.
#[derive(Debug)]
pub(super) struct Stuck {
    pub(super) mutation: String,
    pub(super) reason: String,
}

/// Waits until the table has no mutation left to do, or one that fails again and again.
pub(super) async fn wait(client: &Client, table: &str) -> Result<Option<Stuck>, MigrateError> {
    let sql = format!(
        "SELECT mutation_id, latest_fail_reason FROM system.mutations \
         WHERE database = {} AND table = {} AND NOT is_done ORDER BY create_time",
        quote_string(client.database()),
        quote_string(table)
    );
    let mut failing: Option<Instant> = None;
    loop {
        let rows: Vec<(String, String)> = client.query_rows(&sql).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        match rows.into_iter().find(|(_, reason)| !reason.is_empty()) {
            Some((mutation, reason)) if failing.get_or_insert_with(Instant::now).elapsed() >= GRACE => {
                return Ok(Some(Stuck { mutation, reason }));
            }
            Some(_) => {}
            None => failing = None,
        }
        sleep(LOOK_EVERY).await;
    }
}
