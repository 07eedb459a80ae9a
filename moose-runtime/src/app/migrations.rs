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
    /// Tables are made and brought along to the declarations.
    Develop {
        /// Asked before something is done that takes values away; told no, it is not done.
        confirm: Confirm,
    },
    /// The start is refused while migrations are pending, or tables are not as these lead to. A package without
    /// migrations is treated as in development.
    Refuse,
    /// Migrations that are pending are applied; then as with `Refuse`.
    Apply,
}

impl Default for Migrating {
    /// In development, with nobody to be asked.
    fn default() -> Self {
        Self::Develop { confirm: |_| false }
    }
}

/// Makes the tables fit to be written, as far as `migrating` allows. Without `migrations`, where only a part of the
/// declarations runs, tables that are missing are made.
pub(super) async fn prepare(
    client: &Client,
    topology: &Topology,
    migrations: Option<&Migrations>,
    migrating: Migrating,
) -> Result<(), AppError> {
    // An engine that this process has just started has nobody else who writes.
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
        // Migrations go before binaries: an older one may go on as long as its columns are there, which is looked at
        // table by table.
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
