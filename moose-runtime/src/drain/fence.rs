//! The fence: makes a late statement of a replaced runner fail, however late it arrives.
//!
//! A check before a statement says nothing about when the statement arrives: its process may be frozen in between, or
//! the network may delay it. So an exchange or rename is one statement together with the runner's *fence*, two tables
//! of its own. ClickHouse renames the pairs in order and stops at the first that fails. A runner that takes over drops
//! the fence of the one before it first of all.

use super::marker::UNKNOWN_TABLE;
use crate::{
    clickhouse::{ClickHouseError, Client},
    schema::{quote_identifier, quote_string},
};

/// Prefix of the names of the two tables.
const PREFIX: &str = "_moose_fence_";

/// The fence of a runner.
#[derive(Clone, Debug)]
pub struct Fence {
    name: String,
}

impl Fence {
    /// Creates a fence for this runner, under a unique name. `None` if the database takes only one pair per statement.
    pub async fn put_up(client: &Client, runner: &str) -> Result<Option<Self>, ClickHouseError> {
        let sql = format!("SELECT engine FROM system.databases WHERE name = {}", quote_string(client.database()));
        let engines: Vec<(String,)> = client.query_rows(&sql).await?;
        if engines.first().is_none_or(|(engine,)| engine != "Atomic") {
            return Ok(None);
        }
        let fence = Self { name: format!("{PREFIX}{runner}_{:016x}", rand::random::<u64>()) };
        for table in [&fence.one(), &fence.other()] {
            client
                .execute(&format!("CREATE TABLE {table} (nothing UInt8) ENGINE = MergeTree ORDER BY tuple()"))
                .await?;
        }
        Ok(Some(fence))
    }

    /// Whether a statement failed because its fence was gone.
    pub fn is_cut(error: &ClickHouseError) -> bool {
        error.code() == Some(UNKNOWN_TABLE) && error.to_string().contains(PREFIX)
    }

    /// The text before the pair of an `EXCHANGE TABLES`.
    pub fn exchange(&self) -> String {
        format!("{} AND {}, ", self.one(), self.other())
    }

    /// The text before the pair of a `RENAME TABLE`: there and back.
    pub fn rename(&self) -> String {
        let (one, aside) = (self.one(), quote_identifier(&format!("{}_c", self.name)));
        format!("{one} TO {aside}, {aside} TO {one}, ")
    }

    /// Drops the fences of a runner, or all: statements that it has sent and that have not arrived yet will fail.
    pub async fn cut(client: &Client, runner: Option<&str>) -> Result<(), ClickHouseError> {
        let begin = runner.map_or_else(|| PREFIX.to_owned(), |runner| format!("{PREFIX}{runner}_"));
        let sql = format!(
            "SELECT name FROM system.tables WHERE database = {} AND startsWith(name, {})",
            quote_string(client.database()),
            quote_string(&begin)
        );
        loop {
            let left: Vec<(String,)> = client.query_rows(&sql).await?;
            if left.is_empty() {
                return Ok(());
            }
            for (name,) in left {
                client.execute(&format!("DROP TABLE IF EXISTS {} SYNC", quote_identifier(&name))).await?;
            }
        }
    }

    fn one(&self) -> String {
        quote_identifier(&format!("{}_a", self.name))
    }

    fn other(&self) -> String {
        quote_identifier(&format!("{}_b", self.name))
    }
}
