//! The gate, the side that changes the table: drains it, adds the bar, and resumes it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    DrainError, Fence, Phase,
    aside::drop_copy,
    feeders,
    marker::{self, Marker, TABLE_EXISTS, bar, is_barred, lease, name_of, server_time, unbar, uuid_of},
};
use crate::clickhouse::{ClickHouseError, Client};

/// Processes look for markers each second: one that has not reported within this time is gone, or frozen.
const ANSWERED_WITHIN: Duration = Duration::from_millis(2_500);
/// Interval of checks for reports.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A request to drain: the table, the owner and the reason.
#[derive(Clone, Debug)]
pub struct Order {
    /// The unique id of this drain: [`new_id`](super::new_id).
    pub id: String,
    /// The runner whose [`Fence`] is dropped when the drain is lifted.
    pub runner: String,
    /// The table.
    pub table: String,
    /// The copy that will be made and take its place, if any; dropped if the drain is lifted before that.
    pub copy: Option<String>,
    /// The owner.
    pub owner: String,
    /// The reason, shown to operators.
    pub reason: String,
    /// How long to wait for ranges on their way. Those left then are settled after the change.
    pub patience: Duration,
    /// No other process can be filling the table, so there is no wait.
    pub alone: bool,
}

/// A drained table. Its holder must renew it ([`Gate::renew`]) well within each [`lease`].
#[derive(Clone, Debug)]
pub struct Gate {
    client: Client,
    marker: Marker,
    /// The table's new name, if it was renamed meanwhile together with its bar.
    renamed: Option<String>,
}

impl Gate {
    /// Drains the table: when it returns, no INSERT into it runs, and none gets through. A drain that was abandoned is
    /// taken over.
    pub async fn close(client: &Client, order: &Order) -> Result<Self, DrainError> {
        let table = order.table.as_str();
        let Some(uuid) = uuid_of(client, table).await? else {
            return Err(DrainError::NoTable { table: table.to_owned() });
        };
        let marker = Marker {
            id: order.id.clone(),
            runner: order.runner.clone(),
            table: table.to_owned(),
            uuid,
            copy: order.copy.clone(),
            owner: order.owner.clone(),
            reason: order.reason.clone(),
            phase: Phase::Draining,
            until: lease_end(server_time(client).await?),
        };
        let mut gate = Self { client: client.clone(), marker, renamed: None };
        gate.mark().await?;
        if !order.alone {
            gate.wait_for_ranges(order.patience).await?;
        }
        gate.marker.phase = Phase::Closed;
        gate.renew().await?;
        bar(client, table, &gate.marker.id).await?;
        gate.wait_for_inserts().await?;
        Ok(gate)
    }

    /// Creates the marker, or takes over an existing one.
    async fn mark(&self) -> Result<(), DrainError> {
        loop {
            match self.client.execute(&self.marker.create()?).await {
                Err(error) if error.code() == Some(TABLE_EXISTS) => {}
                made => return Ok(made?),
            }
            let (markers, _) = marker::all(&self.client).await?;
            let Some(other) = markers.iter().find(|other| other.table == self.marker.table) else { continue };
            marker::supersede(&self.client, other).await?;
            match self.client.execute(&self.marker.in_place_of(other)?).await {
                // The marker was just removed or rewritten by another process.
                Err(error) if matches!(error.code(), Some(marker::UNKNOWN_TABLE | marker::BAD_ARGUMENTS)) => {}
                written => return Ok(written?),
            }
        }
    }

    /// Removes the marker of a table that no longer exists.
    pub async fn forget(client: &Client, table: &str) -> Result<(), DrainError> {
        let (markers, _) = marker::all(client).await?;
        for marker in markers.iter().filter(|marker| marker.table == table) {
            marker::take_away(client, marker).await?;
        }
        Ok(())
    }

    /// Renews the lease.
    pub async fn renew(&mut self) -> Result<(), DrainError> {
        self.still_held().await?;
        self.marker.until = lease_end(server_time(&self.client).await?);
        self.write().await
    }

    /// Rewrites the marker with its current state.
    async fn write(&self) -> Result<(), DrainError> {
        self.client.execute(&self.marker.change()?).await.map_err(|error| self.lifted_or(error))
    }

    /// A marker that is gone, or another's, means that somebody found the lease expired and lifted the drain.
    fn lifted_or(&self, error: ClickHouseError) -> DrainError {
        let is_gone = matches!(error.code(), Some(marker::UNKNOWN_TABLE | marker::BAD_ARGUMENTS));
        if is_gone { self.lifted() } else { error.into() }
    }

    /// Fails if the drain was lifted or taken over.
    pub async fn still_held(&self) -> Result<(), DrainError> {
        let (markers, _) = marker::all(&self.client).await?;
        let mine = |marker: &Marker| marker.table == self.marker.table && marker.id == self.marker.id;
        if markers.iter().any(mine) { Ok(()) } else { Err(self.lifted()) }
    }

    /// Fails if INSERTs may have got through since it was closed: checked before a copy takes the table's place.
    pub async fn still_closed(&self) -> Result<(), DrainError> {
        self.still_held().await?;
        let table = self.renamed.as_ref().unwrap_or(&self.marker.table);
        if is_barred(&self.client, table, &self.marker.id).await? { Ok(()) } else { Err(self.lifted()) }
    }

    /// The commands before those of an `ALTER TABLE` of the drained table: it fails as a whole, however late it
    /// arrives, once the bar is no longer this drain's.
    pub fn fence(&self) -> [String; 2] {
        marker::same_bar(&self.marker.id)
    }

    /// Whether an `ALTER TABLE` failed because the bar is no longer this drain's.
    pub fn is_cut(&self, error: &ClickHouseError) -> bool {
        error.code() == Some(marker::BAD_ARGUMENTS) && error.to_string().contains(&marker::own_bar(&self.marker.id))
    }

    /// The error that the drain was lifted.
    pub fn lifted(&self) -> DrainError {
        DrainError::Lifted { table: self.marker.table.clone(), lease: lease().as_secs() }
    }

    /// Resumes the table, whichever has its name now.
    pub async fn open(self) -> Result<(), DrainError> {
        let Self { client, marker, renamed } = self;
        for table in std::iter::once(&marker.table).chain(&renamed) {
            unbar(&client, table, &marker.id).await?;
        }
        Ok(marker::take_away(&client, &marker).await?)
    }

    /// The table was renamed.
    pub fn renamed_to(&mut self, table: &str) {
        self.renamed = Some(table.to_owned());
    }

    /// Removes the bar from a table that was exchanged with the drained one, so that rows can be inserted there too.
    pub async fn unbar_the_old(&self, table: &str) -> Result<(), DrainError> {
        Ok(unbar(&self.client, table, &self.marker.id).await?)
    }

    /// Waits until every process that fills the table has reported that it has no range on its way.
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

    /// Waits for INSERTs that the server had started before the bar was added.
    async fn wait_for_inserts(&mut self) -> Result<(), DrainError> {
        let inserts = feeders::statements_into(&self.client, &self.marker.table).await?;
        let mut before = feeders::running(&self.client, &inserts).await?;
        let mut renewed = Instant::now();
        while !before.is_empty() {
            sleep(LOOK_EVERY).await;
            let running = feeders::running(&self.client, &inserts).await?;
            before.retain(|query| running.contains(query));
            if renewed.elapsed() > lease() / 3 {
                self.renew().await?;
                renewed = Instant::now();
            }
        }
        Ok(())
    }
}

/// Lifts a drain whose lease has expired. The copy made so far becomes void, and statements that its runner has sent
/// and that have not arrived must fail: so the fence and the copy are dropped first.
pub(super) async fn lift(client: &Client, marker: &Marker) -> Result<(), DrainError> {
    if !marker.runner.is_empty() {
        Fence::cut(client, Some(&marker.runner)).await?;
    }
    // By uuid: it may have been renamed by the migration, or the exchange may have happened.
    let stands = marker::named(client, marker.uuid).await?;
    if let Some(copy) = marker.copy.as_ref().filter(|copy| stands.is_some() && stands.as_ref() != Some(copy))
        && let Some(made) = uuid_of(client, copy).await?
    {
        drop_copy(client, copy, made).await?;
    }
    unbar(client, stands.as_ref().unwrap_or(&marker.table), &marker.id).await?;
    marker::take_away(client, marker).await?;
    let Marker { table, owner, reason, .. } = marker;
    tracing::warn!(table, owner, reason, "lifted a drain that nobody renewed");
    Ok(())
}

fn lease_end(now: i64) -> i64 {
    now.saturating_add(i64::try_from(lease().as_millis()).unwrap_or(i64::MAX))
}
