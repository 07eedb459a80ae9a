//! Tables at the start: missing ones are created, existing ones are checked against their declarations.

use super::{AppError, TableNode, Topology};
use crate::{
    clickhouse::{ClickHouseError, Client},
    sync::check::{Report, check},
};

/// Creates missing tables; true if all of them were missing. Differences from the declarations are left to the
/// [check](look). A table that exists under its former name must be renamed by a migration.
pub(super) async fn prepare(client: &Client, topology: &Topology) -> Result<bool, ClickHouseError> {
    let mut made = 0;
    for table in topology.tables.iter().map(TableNode::table) {
        let is_renamed = match &table.renamed_from {
            Some(former) => client.table(former).await?.is_some(),
            None => false,
        };
        if !is_renamed && client.table(&table.name).await?.is_none() {
            client.execute(&table.create_statement(client.database(), &topology.storage)).await?;
            tracing::info!(table = table.name, "table created");
            made += 1;
        }
    }
    Ok(made == topology.tables.len())
}

/// Finds out which delivery guarantee holds for the tables that streams fill, and logs it. With `refuse`, anything less
/// than exactly once is an error.
pub(super) async fn look(client: &Client, topology: &Topology, refuse: bool) -> Result<Report, AppError> {
    let report = check(client, topology.storage, topology.filled_tables()).await?;
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
