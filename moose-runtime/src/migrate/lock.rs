//! The lock of migrations, one runner at a time: a table that can be created only once, with the holder and the end of
//! its lease in its comment.
//!
//! The holder renews the lease in the background. The table of a holder whose lease has expired (see [`lease`]) is
//! renamed to a name of its own, which only one of several successors can do, and nobody twice. A holder that was
//! frozen and wakes up can't renew another's lease: the renewal names its own constraint, and fails where that does not
//! exist.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::{sync::Mutex, task::JoinHandle, time::sleep};

use super::{MigrateError, section::Section};
use crate::{
    clickhouse::{ClickHouseError, Client},
    drain::{Fence, Gate, sweep_bars, sweep_copies, sweep_markers},
    fault,
    schema::{quote_identifier, quote_string},
};

/// Name of the table.
const TABLE: &str = "_moose_migration_lock";
/// How long the lock outlives a holder that is gone. It is renewed six times as often.
fn lease() -> Duration {
    fault::lease(Duration::from_secs(30))
}
/// Interval of checks while waiting.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// `TABLE_ALREADY_EXISTS`.
const TABLE_EXISTS: u32 = 57;
/// `UNKNOWN_TABLE`.
const UNKNOWN_TABLE: u32 = 60;

/// A comment before each statement of a migration, by which the statements of a runner that is gone are found.
fn tag(client: &Client) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric();
    let database: String = client.database().chars().map(|found| if is_plain(found) { found } else { '_' }).collect();
    format!("/* moose migration of {database} by ")
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    /// A unique id.
    id: String,
    /// For people: user, host, process.
    who: String,
    /// End of the lease by the server's clock, in milliseconds since the Unix epoch.
    until: i64,
}

/// The lock, held until it is released. If it is dropped instead, it expires with its lease.
#[derive(Debug)]
pub(super) struct Lock {
    client: Client,
    holder: Holder,
    /// Renewed together with the lock.
    pub(super) gates: Arc<Mutex<Vec<(Section, Gate)>>>,
    /// The fence for exchanges and renames, if the database supports it.
    pub(super) fence: Option<Fence>,
    renewing: JoinHandle<()>,
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

impl Lock {
    /// Waits for the lock, for as long as its holder renews it.
    pub(super) async fn acquire(client: &Client) -> Result<Self, MigrateError> {
        let mut holder = Holder { id: format!("{:016x}", rand::random::<u64>()), who: who(), until: 0 };
        let mut told = false;
        loop {
            holder.until = lease_end(client).await?;
            let create = format!(
                "CREATE TABLE {TABLE} (nothing UInt8, CONSTRAINT {} CHECK 1) ENGINE = MergeTree ORDER BY tuple() COMMENT {}",
                held_by(&holder),
                quote_string(&as_comment(&holder)?)
            );
            match client.execute(&create).await {
                Ok(()) => break,
                Err(error) if error.code() == Some(TABLE_EXISTS) => {}
                Err(error) => return Err(error.into()),
            }
            match current(client).await? {
                Some((other, now)) if other.until < now => pass_by(client, &other).await?,
                Some((other, _)) if !told => {
                    tracing::info!("waiting for {}, who applies migrations", other.who);
                    told = true;
                }
                _ => {}
            }
            sleep(LOOK_EVERY).await;
        }
        let gates = Arc::default();
        let renewing = tokio::spawn(keep_renewing(client.clone(), holder.clone(), Arc::clone(&gates)));
        let mut lock = Self { client: client.clone(), holder, gates, fence: None, renewing };
        // Statements that the previous holder has sent fail from here on, if they have not arrived.
        Fence::cut(client, None).await?;
        end_orphans(client).await?;
        lock.put_the_fence_up().await?;
        sweep(client).await?;
        sweep_bars(client).await?;
        sweep_markers(client).await?;
        sweep_copies(client).await?;
        Ok(lock)
    }

    /// Creates a fence; the previous one was dropped.
    pub(super) async fn put_the_fence_up(&mut self) -> Result<(), MigrateError> {
        self.fence = Fence::put_up(&self.client, &self.holder.id).await?;
        // A process that has taken the lock since may have looked for fences before this one existed.
        self.still_held().await
    }

    /// The unique id of this holder.
    pub(super) fn id(&self) -> &str {
        &self.holder.id
    }

    /// Who holds it.
    pub(super) fn who(&self) -> &str {
        &self.holder.who
    }

    /// The comment before this holder's statements.
    pub(super) fn tag(&self) -> String {
        format!("{}{} */ ", tag(&self.client), self.holder.id)
    }

    /// Fails if another process has it.
    pub(super) async fn still_held(&self) -> Result<(), MigrateError> {
        still_held(&self.client, &self.holder).await
    }

    /// Resumes the tables that a failure has left drained, and releases the lock.
    pub(super) async fn end_with<T>(self, result: Result<T, MigrateError>) -> Result<T, MigrateError> {
        let mut left = Vec::new();
        left.append(&mut *self.gates.lock().await);
        // Only this runner's own bars: one that has taken the lock over has drains of its own.
        for (section, gate) in left {
            if let Err(error) = gate.open().await {
                tracing::warn!(table = section.table, %error, "failed to open the drained table; it opens by itself");
            }
        }
        match (result, self.release().await) {
            (Ok(done), Ok(())) => Ok(done),
            (Ok(_), Err(error)) | (Err(error), _) => Err(error),
        }
    }

    /// Releases it.
    async fn release(self) -> Result<(), MigrateError> {
        self.renewing.abort();
        self.still_held().await?;
        Fence::cut(&self.client, Some(&self.holder.id)).await?;
        // Renamed rather than dropped, so that a lock that another process creates in between is not removed.
        set_aside(&self.client, &self.holder).await?;
        Ok(())
    }
}

async fn still_held(client: &Client, holder: &Holder) -> Result<(), MigrateError> {
    match current(client).await? {
        Some((found, _)) if found.id == holder.id => Ok(()),
        Some((found, _)) => Err(MigrateError::LockLost { by: found.who }),
        None => Err(MigrateError::LockLost { by: "somebody who has finished".to_owned() }),
    }
}

async fn keep_renewing(client: Client, mut holder: Holder, gates: Arc<Mutex<Vec<(Section, Gate)>>>) {
    loop {
        sleep(lease() / 6).await;
        if let Err(error) = renew(&client, &mut holder).await {
            // The runner checks before each step, and will find out.
            tracing::warn!(%error, "failed to renew the lock of the migrations; will be tried again");
        }
        for (section, gate) in gates.lock().await.iter_mut() {
            if let Err(error) = gate.renew().await {
                tracing::warn!(table = section.table, %error, "failed to renew the drain; will be tried again");
            }
        }
    }
}

async fn renew(client: &Client, holder: &mut Holder) -> Result<(), MigrateError> {
    still_held(client, holder).await?;
    holder.until = lease_end(client).await?;
    let comment = quote_string(&as_comment(holder)?);
    // An ALTER is atomic: it fails if another process has the lock by now.
    let mine = held_by(holder);
    let sql =
        format!("ALTER TABLE {TABLE} DROP CONSTRAINT {mine}, ADD CONSTRAINT {mine} CHECK 1, MODIFY COMMENT {comment}");
    Ok(client.execute(&sql).await?)
}

/// The holder of the lock: a constraint that every row passes.
fn held_by(holder: &Holder) -> String {
    quote_identifier(&format!("held_by_{}", holder.id))
}

/// The current lock, and the server's time.
async fn current(client: &Client) -> Result<Option<(Holder, i64)>, MigrateError> {
    let rows: Vec<(String, String)> = client
        .query_rows(&format!(
            "SELECT comment, toString(toUnixTimestamp64Milli(now64(3))) FROM system.tables \
             WHERE database = {} AND name = '{TABLE}'",
            quote_string(client.database())
        ))
        .await?;
    let Some((comment, now)) = rows.into_iter().next() else { return Ok(None) };
    let strange = || MigrateError::StrangeLock { table: TABLE.to_owned() };
    let holder = serde_json::from_str(&comment).map_err(|_| strange())?;
    Ok(Some((holder, now.parse().map_err(|_| strange())?)))
}

/// Removes the lock of a holder whose lease has expired.
async fn pass_by(client: &Client, gone: &Holder) -> Result<(), MigrateError> {
    if set_aside(client, gone).await? {
        tracing::warn!("{} holds the lock of the migrations and is gone; going on in its place", gone.who);
    }
    Ok(())
}

/// Removes the lock of this holder by renaming it. The new name contains the holder's id, and stays: a late process
/// with the same observation can't remove a newer lock. False if another process was first.
async fn set_aside(client: &Client, holder: &Holder) -> Result<bool, MigrateError> {
    let aside = quote_identifier(&format!("{TABLE}_{}", holder.id));
    match client.execute(&format!("RENAME TABLE {TABLE} TO {aside}")).await {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.code(), Some(TABLE_EXISTS | UNKNOWN_TABLE)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Drops locks that were removed long ago: no process is that late.
async fn sweep(client: &Client) -> Result<(), MigrateError> {
    let old: Vec<(String,)> = client
        .query_rows(&format!(
            "SELECT name FROM system.tables WHERE database = {} AND startsWith(name, '{TABLE}_') \
             AND metadata_modification_time < now() - INTERVAL 1 DAY",
            quote_string(client.database())
        ))
        .await?;
    for (name,) in old {
        client.execute(&format!("DROP TABLE IF EXISTS {}", quote_identifier(&name))).await?;
    }
    Ok(())
}

/// Kills the statements of runners that are gone: a server continues a copy whose client has died.
async fn end_orphans(client: &Client) -> Result<(), MigrateError> {
    let running = format!(
        "SELECT query_id, query_kind FROM system.processes WHERE query_id != queryID() AND startsWith(query, {})",
        quote_string(&tag(client))
    );
    loop {
        let orphans: Vec<(String, String)> = client.query_rows(&running).await?;
        if orphans.is_empty() {
            return Ok(());
        }
        for (query, _) in orphans.iter().filter(|(_, kind)| kind == "Insert") {
            tracing::warn!(query, "ends the copy of a runner that is gone");
            client.execute(&format!("KILL QUERY WHERE query_id = {} ASYNC", quote_string(query))).await?;
        }
        sleep(LOOK_EVERY).await;
    }
}

async fn lease_end(client: &Client) -> Result<i64, ClickHouseError> {
    let milliseconds = lease().as_millis();
    let rows: Vec<(String,)> =
        client.query_rows(&format!("SELECT toString(toUnixTimestamp64Milli(now64(3)) + {milliseconds})")).await?;
    rows.first().and_then(|(end,)| end.parse().ok()).ok_or_else(|| ClickHouseError::Unexpected {
        url: client.url().to_owned(),
        reason: "no time in the answer".to_owned(),
    })
}

fn as_comment(holder: &Holder) -> Result<String, MigrateError> {
    serde_json::to_string(holder).map_err(|_| MigrateError::StrangeLock { table: TABLE.to_owned() })
}

/// User, host and process, as far as the system knows.
fn who() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "somebody".to_owned());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "an unnamed host" } else { host.trim() };
    format!("{user} at {host}, process {}", std::process::id())
}
