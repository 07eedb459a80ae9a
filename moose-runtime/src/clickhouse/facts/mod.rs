//! Reads the properties of a table that delivery guarantees depend on: settings, partition key, TTL, views, row
//! policies and so on.
//!
//! They are only queried and parsed here; [`sync`](crate::sync) evaluates them. What the server does not let our user
//! see is `None`.

mod text;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Deserialize;

use super::{ClickHouseError, Client, TableState};
use crate::schema::{quote_identifier, quote_string};

pub use text::calls;

/// `ACCESS_DENIED`.
const ACCESS_DENIED: u32 = 497;
/// Maximum number of tables behind a table that are followed.
const MOST_VIEWS: usize = 100;

/// Engine settings that delivery depends on.
const ENGINE_SETTINGS: &str = "'non_replicated_deduplication_window', 'replicated_deduplication_window', \
     'replicated_deduplication_window_seconds', 'async_insert', 'fsync_after_insert', 'fsync_part_directory'";

/// The facts about a table and the views behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableFacts {
    /// Identity, engine, columns.
    pub state: TableState,
    /// The table's settings that delivery depends on; the server's defaults where the table has none of its own.
    pub settings: BTreeMap<String, String>,
    /// The partition key, as ClickHouse writes it; empty without one.
    pub partition_key: String,
    /// Columns of the partition key that have a default: name and expression.
    pub partition_defaults: Vec<(String, String)>,
    /// Whether the table has a `TTL`.
    pub has_ttl: bool,
    /// Materialized views that the table feeds, directly or through other views.
    pub views: Vec<ViewFacts>,
    /// Row policies on the table; `None` if our user may not see them.
    pub row_policies: Option<Vec<String>>,
}

/// Name and value of the setting that says how many tokens a table with that engine remembers.
pub fn window_of(engine: &str, settings: &BTreeMap<String, String>) -> (&'static str, u64) {
    let replicated = engine.starts_with("Replicated") || engine.starts_with("Shared");
    let name = if replicated { "replicated_deduplication_window" } else { "non_replicated_deduplication_window" };
    (name, settings.get(name).and_then(|value| value.parse().ok()).unwrap_or(0))
}

/// A materialized view behind a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewFacts {
    /// Its name, with its database.
    pub view: String,
    /// The table that its rows go to; `None` if that could not be found out.
    pub target: Option<ViewTarget>,
}

/// The target of a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewTarget {
    /// Its name, with its database.
    pub table: String,
    /// Its engine.
    pub engine: String,
    /// Its settings, as [`TableFacts::settings`].
    pub settings: BTreeMap<String, String>,
}

/// A row policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowPolicy {
    /// Its name, with its table.
    pub(crate) name: String,
    /// Whether it applies to our user.
    pub(crate) is_ours: bool,
}

/// A row of `system.tables`.
#[derive(Deserialize)]
struct Row {
    database: String,
    name: String,
    uuid: uuid::Uuid,
    engine: String,
    engine_full: String,
    create_table_query: String,
    partition_key: String,
    dependencies_database: Vec<String>,
    dependencies_table: Vec<String>,
}

/// The server's default settings by kind of engine.
struct Defaults {
    plain: BTreeMap<String, String>,
    replicated: BTreeMap<String, String>,
}

impl Defaults {
    /// The settings of a table with that engine clause.
    fn under(&self, engine: &str, engine_full: &str) -> BTreeMap<String, String> {
        let replicated = engine.starts_with("Replicated") || engine.starts_with("Shared");
        let mut settings = if replicated { self.replicated.clone() } else { self.plain.clone() };
        for (name, value) in text::settings(engine_full) {
            if let Some(known) = settings.get_mut(&name) {
                *known = value;
            }
        }
        settings
    }
}

impl Client {
    /// The facts about a table, if it exists.
    pub(crate) async fn facts(&self, name: &str) -> Result<Option<TableFacts>, ClickHouseError> {
        let Some(state) = self.table(name).await? else { return Ok(None) };
        let Some(row) = self.row(self.database(), name).await? else { return Ok(None) };
        let defaults = Defaults {
            plain: self.engine_settings("merge_tree_settings").await?,
            replicated: self.engine_settings("replicated_merge_tree_settings").await?,
        };
        let partition_defaults: Vec<(String, String)> = self
            .query_rows(&format!(
                "SELECT name, default_expression FROM system.columns WHERE database = {} AND table = {} \
                 AND is_in_partition_key AND default_kind != '' ORDER BY position",
                quote_string(self.database()),
                quote_string(name)
            ))
            .await?;
        Ok(Some(TableFacts {
            state,
            settings: defaults.under(&row.engine, &row.engine_full),
            partition_defaults,
            has_ttl: text::clause(&row.engine_full, "TTL").is_some(),
            views: self.views(&row, &defaults).await?,
            row_policies: self
                .row_policies(name)
                .await?
                .map(|policies| policies.into_iter().map(|policy| policy.name).collect()),
            partition_key: row.partition_key,
        }))
    }

    /// Whether our user has a privilege, such as `INSERT(id) ON db.table`; `None` if the server can't be asked.
    pub async fn granted(&self, privilege: &str) -> Result<Option<bool>, ClickHouseError> {
        match self.query_text(&format!("CHECK GRANT {privilege}"), "TabSeparated").await {
            Ok(answer) => Ok(Some(answer.first() == Some(&b'1'))),
            // Servers before 24.10 lack this statement.
            Err(ClickHouseError::Exception { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn row(&self, database: &str, name: &str) -> Result<Option<Row>, ClickHouseError> {
        let sql = format!(
            "SELECT database, name, uuid, engine, engine_full, create_table_query, partition_key, \
             dependencies_database, dependencies_table FROM system.tables WHERE database = {} AND name = {}",
            quote_string(database),
            quote_string(name)
        );
        Ok(self.query_rows(&sql).await?.into_iter().next())
    }

    /// The server's default settings. Settings that a server does not have are left out: it lacks their feature too.
    async fn engine_settings(&self, system_table: &str) -> Result<BTreeMap<String, String>, ClickHouseError> {
        let sql = format!("SELECT name, value FROM system.{system_table} WHERE name IN ({ENGINE_SETTINGS})");
        Ok(self.query_rows::<(String, String)>(&sql).await?.into_iter().collect())
    }

    /// Follows the table's dependencies: a view, its target, the views behind that.
    async fn views(&self, table: &Row, defaults: &Defaults) -> Result<Vec<ViewFacts>, ClickHouseError> {
        let dependencies = |row: &Row| -> Vec<(String, String)> {
            row.dependencies_database.iter().cloned().zip(row.dependencies_table.iter().cloned()).collect()
        };
        let mut found = Vec::new();
        let mut known = BTreeSet::new();
        let mut open: VecDeque<_> = dependencies(table).into();
        while let Some((database, name)) = open.pop_front() {
            if found.len() >= MOST_VIEWS || !known.insert((database.clone(), name.clone())) {
                continue;
            }
            // Other kinds of dependants read on demand, and are not fed.
            let Some(view) = self.row(&database, &name).await?.filter(|row| row.engine == "MaterializedView") else {
                continue;
            };
            let target = match self.target_of(&view).await? {
                Some(row) => {
                    open.extend(dependencies(&row));
                    Some(ViewTarget {
                        settings: defaults.under(&row.engine, &row.engine_full),
                        table: full_name(&row),
                        engine: row.engine,
                    })
                }
                None => None,
            };
            found.push(ViewFacts { view: full_name(&view), target });
        }
        found.sort_by(|left, right| left.view.cmp(&right.view));
        Ok(found)
    }

    async fn target_of(&self, view: &Row) -> Result<Option<Row>, ClickHouseError> {
        if let Some((database, table)) = text::view_target(&view.create_table_query) {
            return self.row(database.as_deref().unwrap_or(&view.database), &table).await;
        }
        match self.row(&view.database, &format!(".inner_id.{}", view.uuid)).await? {
            Some(inner) => Ok(Some(inner)),
            None => self.row(&view.database, &format!(".inner.{}", view.name)).await,
        }
    }

    /// The row policies on a table; `None` if our user may not see them.
    pub(crate) async fn row_policies(&self, table: &str) -> Result<Option<Vec<RowPolicy>>, ClickHouseError> {
        // An empty table name is a policy on the whole database.
        let sql = format!(
            "WITH arrayPushBack(enabledRoles(), currentUser()) AS us \
             SELECT name, toString(if(apply_to_all, NOT hasAny(apply_to_except, us), hasAny(apply_to_list, us))) \
             FROM system.row_policies WHERE database = {} AND table IN ('', {}) ORDER BY name",
            quote_string(self.database()),
            quote_string(table)
        );
        match self.query_rows::<(String, String)>(&sql).await {
            Ok(rows) => {
                let policies = rows.into_iter().map(|(name, ours)| RowPolicy { name, is_ours: ours == "1" });
                Ok(Some(policies.collect()))
            }
            Err(error) if error.code() == Some(ACCESS_DENIED) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The client's database and a table of it, quoted for a statement.
    pub fn qualified(&self, table: &str) -> String {
        format!("{}.{}", quote_identifier(self.database()), quote_identifier(table))
    }
}

fn full_name(row: &Row) -> String {
    format!("{}.{}", row.database, row.name)
}
