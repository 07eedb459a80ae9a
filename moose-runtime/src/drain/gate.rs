//! The side that changes the table: drains it, bars it, and opens it again.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    DrainError, Phase,
    marker::{self, Marker, bar, is_barred, lease, name_of, server_time, unbar, uuid_of},
};
use crate::{
    clickhouse::{ClickHouseError, Client},
    schema::{quote_identifier, quote_string},
};

/// `TABLE_ALREADY_EXISTS`.
const TABLE_EXISTS: u32 = 57;
/// Processes look for markers each second: whoever has not answered by then is gone, or stands still.
const ANSWERED_WITHIN: Duration = Duration::from_millis(2_500);
/// How often answers are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What is to be drained, by whom and for what.
#[derive(Clone, Debug)]
pub struct Order {
    /// The table.
    pub table: String,
    /// The copy of it that will be made and put in its place, if any.
    pub copy: Option<String>,
    /// Who drains.
    pub owner: String,
    /// What for: shown to operators.
    pub reason: String,
    /// How long ranges on their way are waited for. What is left then is settled after the change.
    pub patience: Duration,
    /// Nobody can be filling the table: nobody is waited for.
    pub alone: bool,
}

/// A table that is drained. Whoever holds it renews it ([`Gate::renew`]) more often than each [`lease`].
#[derive(Clone, Debug)]
pub struct Gate {
    client: Client,
    marker: Marker,
    /// Another name that the table has got meanwhile, with its bar.
    renamed: Option<String>,
}

impl Gate {
    /// Drains the table: when it returns, no INSERT of it runs, and none gets through. A drain that was left behind is
    /// taken over.
    pub async fn close(client: &Client, order: &Order) -> Result<Self, DrainError> {
        let table = order.table.as_str();
        let Some(uuid) = uuid_of(client, table).await? else {
            return Err(DrainError::NoTable { table: table.to_owned() });
        };
        let marker = Marker {
            table: table.to_owned(),
            uuid,
            copy: order.copy.clone(),
            owner: order.owner.clone(),
            reason: order.reason.clone(),
            phase: Phase::Draining,
            until: lease_end(server_time(client).await?),
        };
        let mut gate = Self { client: client.clone(), marker, renamed: None };
        match client.execute(&gate.marker.create()?).await {
            Err(error) if error.code() == Some(TABLE_EXISTS) => gate.write().await?,
            made => made?,
        }
        if !order.alone {
            gate.wait_for_ranges(order.patience).await?;
        }
        gate.marker.phase = Phase::Closed;
        gate.renew().await?;
        bar(client, table).await?;
        gate.wait_for_inserts().await?;
        Ok(gate)
    }

    /// Takes the marker of a table away that is not there any more.
    pub async fn forget(client: &Client, table: &str) -> Result<(), DrainError> {
        Ok(client.execute(&format!("DROP TABLE IF EXISTS {} SYNC", name_of(table))).await?)
    }

    /// Goes on holding it.
    pub async fn renew(&mut self) -> Result<(), DrainError> {
        self.still_held().await?;
        self.marker.until = lease_end(server_time(&self.client).await?);
        self.write().await
    }

    /// Writes the marker anew, as it is now.
    async fn write(&self) -> Result<(), DrainError> {
        self.client.execute(&self.marker.change()?).await.map_err(|error| self.lifted_or(error))
    }

    /// A marker that is gone was taken away by somebody who found it over.
    fn lifted_or(&self, error: ClickHouseError) -> DrainError {
        if error.code() == Some(marker::UNKNOWN_TABLE) { self.lifted() } else { error.into() }
    }

    /// Fails when somebody has lifted the drain, or taken it over.
    pub async fn still_held(&self) -> Result<(), DrainError> {
        let (markers, _) = marker::all(&self.client).await?;
        let mine = |marker: &Marker| marker.table == self.marker.table && marker.owner == self.marker.owner;
        if markers.iter().any(mine) { Ok(()) } else { Err(self.lifted()) }
    }

    /// Fails when INSERTs may have come through since it was closed: before what was copied takes the table's place.
    pub async fn still_closed(&self) -> Result<(), DrainError> {
        self.still_held().await?;
        let table = self.renamed.as_ref().unwrap_or(&self.marker.table);
        if is_barred(&self.client, table).await? { Ok(()) } else { Err(self.lifted()) }
    }

    fn lifted(&self) -> DrainError {
        DrainError::Lifted { table: self.marker.table.clone(), lease: lease().as_secs() }
    }

    /// Opens the table, whichever stands under its name now.
    pub async fn open(self) -> Result<(), DrainError> {
        let Self { client, marker, renamed } = self;
        for table in std::iter::once(&marker.table).chain(&renamed) {
            unbar(&client, table).await?;
        }
        Ok(client.execute(&format!("DROP TABLE IF EXISTS {} SYNC", name_of(&marker.table))).await?)
    }

    /// The table has got another name.
    pub fn renamed_to(&mut self, table: &str) {
        self.renamed = Some(table.to_owned());
    }

    /// Takes the bar from a table that was exchanged against the drained one, so that rows can be inserted there too.
    pub async fn unbar_the_old(&self, table: &str) -> Result<(), DrainError> {
        Ok(unbar(&self.client, table).await?)
    }

    /// Waits until everybody who fills the table has answered that nothing of it is on its way.
    async fn wait_for_ranges(&mut self, patience: Duration) -> Result<(), DrainError> {
        let sql = format!(
            "SELECT instance, toString(argMax(ranges, at)) FROM {} GROUP BY instance",
            name_of(&self.marker.table)
        );
        let begun = Instant::now();
        let mut renewed = Instant::now();
        loop {
            let answers: Vec<(String, String)> =
                self.client.query_rows(&sql).await.map_err(|error| self.lifted_or(error))?;
            let open: Vec<&str> =
                answers.iter().filter(|(_, ranges)| ranges != "0").map(|(instance, _)| instance.as_str()).collect();
            if begun.elapsed() >= ANSWERED_WITHIN && open.is_empty() {
                return Ok(());
            }
            if begun.elapsed() >= patience.max(ANSWERED_WITHIN) {
                let (table, open) = (&self.marker.table, open.join(", "));
                tracing::warn!(
                    table,
                    "ranges are still on their way in {open}: they are settled after the change, by asking the table"
                );
                return Ok(());
            }
            if renewed.elapsed() > lease() / 3 {
                self.renew().await?;
                renewed = Instant::now();
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Waits for the INSERTs that the server had begun before the bar was up.
    async fn wait_for_inserts(&mut self) -> Result<(), DrainError> {
        let mut before = self.running().await?;
        let mut renewed = Instant::now();
        while !before.is_empty() {
            sleep(LOOK_EVERY).await;
            let running = self.running().await?;
            before.retain(|query| running.contains(query));
            if renewed.elapsed() > lease() / 3 {
                self.renew().await?;
                renewed = Instant::now();
            }
        }
        Ok(())
    }

    /// Statements that run and may write into the table: those that name it. One too many only costs time.
    async fn running(&self) -> Result<BTreeSet<String>, DrainError> {
        let rows: Vec<(String,)> = self
            .client
            .query_rows(&format!(
                "SELECT query_id FROM system.processes WHERE query_id != queryID() \
                 AND query_kind IN ('Insert', 'AsyncInsertFlush', 'Alter') AND position(query, {table}) > 0 \
                 AND (current_database = {database} OR position(query, {database}) > 0)",
                table = quote_string(&self.marker.table),
                database = quote_string(self.client.database()),
            ))
            .await?;
        Ok(rows.into_iter().map(|(query,)| query).collect())
    }
}

/// Lifts a drain that nobody renews. What was copied so far is void from then on, so it is renamed first: a gate that
/// only stood still can't put it in the table's place any more.
pub(super) async fn lift(client: &Client, marker: &Marker) -> Result<(), DrainError> {
    let table = marker.table.as_str();
    if let Some(copy) = &marker.copy
        && uuid_of(client, table).await? == Some(marker.uuid)
        && uuid_of(client, copy).await?.is_some()
    {
        let void = format!("{copy}__void_{}", marker.until);
        rename(client, copy, &void).await?;
        if uuid_of(client, &void).await? == Some(marker.uuid) {
            // The exchange came in between after all: this is the table as it was before.
            rename(client, &void, copy).await?;
        }
    }
    unbar(client, table).await?;
    client.execute(&format!("DROP TABLE IF EXISTS {} SYNC", name_of(table))).await?;
    tracing::warn!(table, owner = marker.owner, reason = marker.reason, "lifted a drain that nobody renewed");
    Ok(())
}

async fn rename(client: &Client, from: &str, to: &str) -> Result<(), DrainError> {
    let sql = format!("RENAME TABLE {} TO {}", quote_identifier(from), quote_identifier(to));
    match client.execute(&sql).await {
        // Somebody else was first.
        Err(error) if matches!(error.code(), Some(marker::UNKNOWN_TABLE | TABLE_EXISTS)) => Ok(()),
        done => Ok(done?),
    }
}

fn lease_end(now: i64) -> i64 {
    now.saturating_add(i64::try_from(lease().as_millis()).unwrap_or(i64::MAX))
}
