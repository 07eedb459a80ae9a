//! Migrations at the start: applied, or the start is refused while some are pending. In development the missing tables
//! and columns are made from the declarations.

use super::{AppError, SchemaState, Topology, tables};
use crate::{
    clickhouse::Client,
    migrate::{self, Confirm, Options},
    migration::Migrations,
    schema::Storage,
};

/// What a start does about migrations.
#[derive(Clone, Copy, Debug)]
pub enum Migrating {
    /// Tables are created and changed to what is declared.
    Develop {
        /// Asks before values are deleted; if the answer is no, that change is not made.
        confirm: Confirm,
    },
    /// The start is refused while migrations are pending, or while tables differ from what these lead to. A package
    /// without migrations is treated as in development.
    Refuse,
    /// Pending migrations are applied; then as with `Refuse`.
    Apply,
}

impl Default for Migrating {
    /// Development, with nobody to ask.
    fn default() -> Self {
        Self::Develop { confirm: |_| false }
    }
}

/// Makes the tables ready to be written, as far as `migrating` allows. Without `migrations`, when only some of the
/// declarations run, missing tables are created.
pub(super) async fn prepare(
    client: &Client,
    topology: &Topology,
    migrations: Option<&Migrations>,
    migrating: Migrating,
) -> Result<(), AppError> {
    // Nobody else can be writing to an engine that this process has just started.
    let storage = topology.storage;
    let options = Options { storage, alone: storage == Storage::Embedded, in_doubt: None };
    let Some(migrations) = migrations else {
        tables::prepare(client, topology).await?;
        return Ok(());
    };
    if let Migrating::Develop { confirm } = migrating {
        return develop(client, topology, options, confirm).await;
    }
    if migrations.files().is_empty() {
        tables::prepare(client, topology).await?;
        return Ok(());
    }
    if matches!(migrating, Migrating::Apply) {
        migrate::apply(client, migrations, options).await?;
    }
    let state = SchemaState::look(client, topology, migrations).await?;
    let problems = match state.status.ahead.as_slice() {
        [] => state.problems(),
        // Migrations are deployed before binaries: an older binary may run as long as its columns exist, which is
        // checked table by table.
        ahead => {
            let ahead = ahead.join(", ");
            tracing::warn!("the database has migrations that this program does not know: {ahead}");
            state.status.older_differences()
        }
    };
    if problems.is_empty() { Ok(()) } else { Err(AppError::Migrations { problems }) }
}

async fn develop(client: &Client, topology: &Topology, options: Options, confirm: Confirm) -> Result<(), AppError> {
    let fresh = tables::prepare(client, topology).await?;
    let tables = topology.declared_tables();
    let developed = migrate::develop(client, &tables, &topology.dropped_tables, options, fresh, confirm).await?;
    for change in developed.done {
        tracing::info!("{change}");
    }
    for left in developed.left {
        tracing::warn!("{left}");
    }
    Ok(())
}
