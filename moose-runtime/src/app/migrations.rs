//! The tables before a start: migrations applied, or refused while they are pending; in development, what is missing is
//! made.

use super::{AppError, Topology, tables};
use crate::{
    clickhouse::Client,
    migrate::{self, Confirm, MigrateError, Options},
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
    let problems = problems(client, topology, migrations).await?;
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

/// Everything about migrations that speaks against a start.
async fn problems(client: &Client, topology: &Topology, migrations: &Migrations) -> Result<Vec<String>, MigrateError> {
    let status = migrate::status(client, migrations).await?;
    if !status.ahead.is_empty() {
        // Migrations go before binaries: an older one may go on as long as its columns are there, which is looked at
        // table by table.
        let ahead = status.ahead.join(", ");
        tracing::warn!("the database has migrations that this program does not know: {ahead}");
        return Ok(status.older_differences());
    }
    let mut problems = status.differences.clone();
    problems.extend(status.pending.iter().map(|pending| format!("migration `{}` is pending", pending.file)));
    let Some(schema) = migrations.schema() else { return Ok(problems) };
    let unsaved = migrate::unsaved(migrations, &topology.declared_tables(), &topology.dropped_tables);
    let told = |change| format!("no migration does what is declared: {change}; save one with `migrate save <name>`");
    problems.extend(unsaved.into_iter().map(told));
    if problems.is_empty() {
        problems
            .extend(migrate::drift(client, topology.storage, &schema.tables).await?.iter().map(ToString::to_string));
    }
    Ok(problems)
}
