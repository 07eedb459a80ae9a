//! Collects the facts about one table before they are evaluated.

use std::collections::HashSet;

use crate::{
    clickhouse::{ClickHouseError, Client, TableFacts},
    schema::{self, Storage, provenance, quote_identifier},
};

/// All facts about one table, before they are evaluated.
pub(super) struct Seen<'a> {
    pub(super) storage: Storage,
    pub(super) declared: &'a schema::Table,
    /// Names of the settings that the server has.
    pub(super) server: &'a HashSet<String>,
    /// The table; `None` where there is none.
    pub(super) facts: Option<TableFacts>,
    pub(super) grants: Grants,
}

/// The grants of our user; `None` if the server can't be asked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Grants {
    /// To insert every column that we send.
    pub(super) insert: Option<bool>,
    /// To query which rows the table has.
    pub(super) probe: Option<bool>,
    /// To create the tables by which lost rows are inserted again.
    pub(super) mend: Option<bool>,
}

impl Grants {
    pub(super) async fn ask(client: &Client, table: &schema::Table) -> Result<Self, ClickHouseError> {
        let place = client.qualified(&table.name);
        let hidden = [provenance::EPOCH, provenance::PARTITION, provenance::OFFSET].map(quote_identifier).join(", ");
        let inserted = table.columns.iter().filter(|column| column.is_inserted());
        let mut columns: Vec<String> = inserted.map(|column| quote_identifier(&column.name)).collect();
        if table.provenance {
            columns.push(hidden.clone());
        }
        let database = quote_identifier(client.database());
        let probe =
            if table.provenance { client.granted(&format!("SELECT({hidden}) ON {place}")).await? } else { None };
        Ok(Self {
            insert: client.granted(&format!("INSERT({}) ON {place}", columns.join(", "))).await?,
            probe,
            mend: client.granted(&format!("CREATE TABLE, DROP TABLE ON {database}.*")).await?,
        })
    }
}
