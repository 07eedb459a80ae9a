//! Inserts rows that a burnt token lost from a table with views or a TTL. They go by way of a table of their own, whose
//! parts are moved over, because a moved part feeds no view a second time, and no TTL deletes it before it was seen.

use bytes::Bytes;

use super::{Assignment, Prepared, SyncError, courier::Courier, settings::Settings};
use crate::{
    drain::Drains,
    fault::{self, Point},
    schema::{quote_identifier, quote_string},
};

/// Prefix of the names of a partition's mending tables.
fn prefix(assignment: &Assignment) -> String {
    format!("{}__mend_{:016x}_{}_", assignment.table.name, assignment.storage.epoch, assignment.partition)
}

impl Courier {
    /// Inserts `body` into the table without triggering its views.
    pub(super) async fn mend(
        &self,
        range: &Prepared,
        number: u32,
        token: &str,
        body: Bytes,
        settings: &Settings,
    ) -> Result<(), SyncError> {
        let client = &self.shared.client;
        let mending = format!("{}{}_{number}", prefix(&self.assignment), range.first);
        let (source, table) = (quote_identifier(&mending), quote_identifier(&self.assignment.table.name));
        client.execute(&format!("CREATE TABLE IF NOT EXISTS {source} AS {table}")).await?;
        // A table without the TTL keeps the part until its next merge: rows that have expired must be seen once.
        if client.facts(&mending).await?.is_some_and(|facts| facts.has_ttl) {
            client.execute(&format!("ALTER TABLE {source} REMOVE TTL")).await?;
        }
        fault::point(Point::MendMade);
        self.insert(&mending, token, body, settings).await?;
        fault::point(Point::MendFilled);
        let partitions: Vec<(String,)> = client
            .query_rows(&format!(
                "SELECT DISTINCT partition_id FROM system.parts WHERE database = {} AND table = {} AND active",
                quote_string(client.database()),
                quote_string(&mending)
            ))
            .await?;
        for (partition,) in partitions {
            // The bar of a drained table stops INSERTs, but not this.
            Drains::ask(client, &self.assignment.table.name).await?;
            let partition = quote_string(&partition);
            client.execute(&format!("ALTER TABLE {source} MOVE PARTITION ID {partition} TO TABLE {table}")).await?;
            fault::point(Point::MendMoved);
        }
        Ok(())
    }

    /// Drops the mending tables of ranges that the cursor has passed. Called at a start, when nothing else can be
    /// settling such a range on the embedded log.
    pub(super) async fn drop_mending_tables(&self) -> Result<(), SyncError> {
        let client = &self.shared.client;
        let prefix = prefix(&self.assignment);
        let names: Vec<(String,)> = client
            .query_rows(&format!(
                "SELECT name FROM system.tables WHERE database = {} AND startsWith(name, {})",
                quote_string(client.database()),
                quote_string(&prefix)
            ))
            .await?;
        let next = self.cursor.get().await.next;
        for (name,) in names {
            let first = name.strip_prefix(&prefix).and_then(|rest| rest.split('_').next()?.parse::<u64>().ok());
            if first.is_some_and(|first| first < next) {
                client.execute(&format!("DROP TABLE IF EXISTS {} SYNC", quote_identifier(&name))).await?;
            }
        }
        Ok(())
    }
}
