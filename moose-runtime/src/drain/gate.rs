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

/// Processes look for markers each second: whoever has not answered by then is gone, or stands still.
const ANSWERED_WITHIN: Duration = Duration::from_millis(2_500);
/// How often answers are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What is to be drained, by whom and for what.
#[derive(Clone, Debug)]
pub struct Order {
    /// Tells this drain from every other: [`new_id`](super::new_id).
    pub id: String,
    /// Whose [`Fence`] is cut when the drain is lifted.
    pub runner: String,
    /// The table.
    pub table: String,
    /// The copy of it that will be made and put in its place, if any; dropped when the drain is lifted before that.
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

    /// Makes the marker, or takes over the one that is there.
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
                // Somebody has just lifted it, or written it anew.
                Err(error) if matches!(error.code(), Some(marker::UNKNOWN_TABLE | marker::BAD_ARGUMENTS)) => {}
                written => return Ok(written?),
            }
        }
    }

    /// Takes the marker of a table away that is not there any more.
    pub async fn forget(client: &Client, table: &str) -> Result<(), DrainError> {
        let (markers, _) = marker::all(client).await?;
        for marker in markers.iter().filter(|marker| marker.table == table) {
            marker::take_away(client, marker).await?;
        }
        Ok(())
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

    /// A marker that is gone, or another's, was taken away by somebody who found it over.
    fn lifted_or(&self, error: ClickHouseError) -> DrainError {
        let is_gone = matches!(error.code(), Some(marker::UNKNOWN_TABLE | marker::BAD_ARGUMENTS));
        if is_gone { self.lifted() } else { error.into() }
    }

    /// Fails when somebody has lifted the drain, or taken it over.
    pub async fn still_held(&self) -> Result<(), DrainError> {
        let (markers, _) = marker::all(&self.client).await?;
        let mine = |marker: &Marker| marker.table == self.marker.table && marker.id == self.marker.id;
        if markers.iter().any(mine) { Ok(()) } else { Err(self.lifted()) }
    }

    /// Fails when INSERTs may have come through since it was closed: before what was copied takes the table's place.
    pub async fn still_closed(&self) -> Result<(), DrainError> {
        self.still_held().await?;
        let table = self.renamed.as_ref().unwrap_or(&self.marker.table);
        if is_barred(&self.client, table, &self.marker.id).await? { Ok(()) } else { Err(self.lifted()) }
    }

    /// What stands before the commands of an `ALTER TABLE` of the drained table: it is refused as a whole, however late it
    /// arrives, once the bar is not this drain's any more.
    pub fn fence(&self) -> [String; 2] {
        marker::same_bar(&self.marker.id)
    }

    /// Whether an `ALTER TABLE` was refused because the bar is not this drain's any more.
    pub fn is_cut(&self, error: &ClickHouseError) -> bool {
        error.code() == Some(marker::BAD_ARGUMENTS) && error.to_string().contains(&marker::own_bar(&self.marker.id))
    }

    /// That the drain is over.
    pub fn lifted(&self) -> DrainError {
        DrainError::Lifted { table: self.marker.table.clone(), lease: lease().as_secs() }
    }

    /// Opens the table, whichever stands under its name now.
    pub async fn open(self) -> Result<(), DrainError> {
        let Self { client, marker, renamed } = self;
        for table in std::iter::once(&marker.table).chain(&renamed) {
            unbar(&client, table, &marker.id).await?;
        }
        Ok(marker::take_away(&client, &marker).await?)
    }

    /// The table has got another name.
    pub fn renamed_to(&mut self, table: &str) {
        self.renamed = Some(table.to_owned());
    }

    /// Takes the bar from a table that was exchanged against the drained one, so that rows can be inserted there too.
    pub async fn unbar_the_old(&self, table: &str) -> Result<(), DrainError> {
        Ok(unbar(&self.client, table, &self.marker.id).await?)
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

/// Lifts a drain that nobody renews. What was copied so far is void from then on, and what its runner has sent and what has
/// not arrived must fail: so the fence and the copy go first.
pub(super) async fn lift(client: &Client, marker: &Marker) -> Result<(), DrainError> {
    if !marker.runner.is_empty() {
        Fence::cut(client, Some(&marker.runner)).await?;
    }
    // By its identity: it may have got another name in the migration, or the exchange may have come to pass.
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
