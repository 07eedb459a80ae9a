//! The tables before a start: migrations applied, or refused while they are pending; in development, what is missing is
//! made.

use super::{AppError, tables};
use crate::{
    clickhouse::Client,
    declare::Model,
    migrate::{self, MigrateError, Options},
    migration::Migrations,
    schema::Storage,
};

/// What a start does about migrations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Migrating {
    /// Tables that are missing are made, and what differs is told.
    #[default]
    Develop,
    /// The start is refused while migrations are pending, or tables are not as these lead to. A package without
    /// migrations is treated as in development.
    Refuse,
    /// Migrations that are pending are applied; then as with `Refuse`.
    Apply,
}

/// Makes the tables fit to be written, as far as `migrating` allows.
pub(super) async fn prepare(
    client: &Client,
    model: &Model,
    storage: Storage,
    migrations: &Migrations,
    migrating: Migrating,
) -> Result<(), AppError> {
    if migrating == Migrating::Develop || migrations.files().is_empty() {
        return Ok(tables::prepare(client, model, &storage).await?);
    }
    if migrating == Migrating::Apply {
        // An engine that this process has just started has nobody else who writes.
        let options = Options { storage, alone: storage == Storage::Embedded, in_doubt: None };
        migrate::apply(client, migrations, options).await?;
    }
    let problems = problems(client, model, storage, migrations).await?;
    if problems.is_empty() { Ok(()) } else { Err(AppError::Migrations { problems }) }
}

/// Everything about migrations that speaks against a start.
async fn problems(
    client: &Client,
    model: &Model,
    storage: Storage,
    migrations: &Migrations,
) -> Result<Vec<String>, MigrateError> {
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
    let unsaved = migrate::unsaved(migrations, &model.declared_tables(), &model.dropped_tables);
    let told = |change| format!("no migration does what is declared: {change}; save one with `migrate save <name>`");
    problems.extend(unsaved.into_iter().map(told));
    if problems.is_empty() {
        problems.extend(migrate::drift(client, storage, &schema.tables).await?.iter().map(ToString::to_string));
    }
    Ok(problems)
}
