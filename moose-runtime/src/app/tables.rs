//! The tables at a start: what is missing is made, what differs is said.

use crate::{
    clickhouse::{ClickHouseError, Client},
    declare::Model,
    schema::{Storage, differences},
};

/// Makes the tables that are not there and warns of those that differ from their declaration.
pub(super) async fn prepare(client: &Client, model: &Model, storage: &Storage) -> Result<(), ClickHouseError> {
    for declared in &model.tables {
        let table = &declared.table;
        let Some(state) = client.table(&table.name).await? else {
            client.execute(&table.create_statement(client.database(), storage)).await?;
            tracing::info!(table = table.name, "table created");
            continue;
        };
        for difference in differences(table, &state.columns) {
            tracing::warn!(table = table.name, %difference, "table differs from its declaration");
        }
    }
    Ok(())
}
