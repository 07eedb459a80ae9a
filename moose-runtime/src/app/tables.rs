//! The tables at a start: what is missing is made, what is there is looked at.

use super::AppError;
use crate::{
    clickhouse::{ClickHouseError, Client},
    declare::Model,
    schema::Storage,
    sync::check::{Report, check},
};

/// Makes the tables that are not there; true when that is all of them. What differs from its declaration is the
/// [check](look)'s to say. A table that is there under its former name is for a migration to rename.
pub(super) async fn prepare(client: &Client, model: &Model, storage: &Storage) -> Result<bool, ClickHouseError> {
    let mut made = 0;
    for declared in &model.tables {
        let table = &declared.table;
        let is_renamed = match &table.renamed_from {
            Some(former) => client.table(former).await?.is_some(),
            None => false,
        };
        if !is_renamed && client.table(&table.name).await?.is_none() {
            client.execute(&table.create_statement(client.database(), storage)).await?;
            tracing::info!(table = table.name, "table created");
            made += 1;
        }
    }
    Ok(made == model.tables.len())
}

/// Finds out what can be promised for the tables that streams fill, and says it. With `refuse`, anything less than
/// exactly once is an error.
pub(super) async fn look(client: &Client, model: &Model, storage: Storage, refuse: bool) -> Result<Report, AppError> {
    let filled = |name: &String| model.streams.iter().any(|stream| stream.destinations.contains(name));
    let tables = model.tables.iter().map(|declared| &declared.table).filter(|table| filled(&table.name));
    let report = check(client, storage, tables).await?;
    if refuse && !report.is_exactly_once() {
        return Err(AppError::UnsafeTables { report });
    }
    if report.is_exactly_once() && report.is_open() {
        tracing::info!("{report}");
    } else {
        tracing::warn!("{report}");
    }
    Ok(report)
}
