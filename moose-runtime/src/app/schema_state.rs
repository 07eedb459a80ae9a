//! Compares database, migrations and declarations: everything pending, unsaved or drifted, for a start, `check` and
//! `migrate status` alike.

use super::Topology;
use crate::{
    clickhouse::Client,
    migrate::{self, Drift, MigrateError, Status},
    migration::Migrations,
};

/// The state of database and migrations, compared with each other and with the declarations.
#[derive(Debug)]
pub(crate) struct SchemaState {
    /// What was applied, is pending or differs.
    pub(crate) status: Status,
    /// What is declared beyond what the migrations lead to, one line each.
    pub(crate) unsaved: Vec<String>,
    /// How the tables differ from what the applied migrations lead to. Unknown while some are pending.
    pub(crate) drift: Vec<Drift>,
}

impl SchemaState {
    /// Queries the state. A package without migrations has no problems, so nothing is queried for it.
    pub(crate) async fn look(
        client: &Client,
        topology: &Topology,
        migrations: &Migrations,
    ) -> Result<Self, MigrateError> {
        let status = migrate::status(client, migrations).await?;
        let Some(schema) = migrations.schema().filter(|_| !migrations.files().is_empty()) else {
            return Ok(Self { status, unsaved: Vec::new(), drift: Vec::new() });
        };
        let unsaved = migrate::unsaved(migrations, &topology.declared_tables(), &topology.dropped_tables);
        let drift = if status.is_clean() {
            migrate::drift(client, topology.storage, &schema.tables).await?
        } else {
            Vec::new()
        };
        Ok(Self { status, unsaved, drift })
    }

    /// Whether there are no problems.
    pub(crate) fn is_clean(&self) -> bool {
        self.status.is_clean() && self.unsaved.is_empty() && self.drift.is_empty()
    }

    /// All problems, one line each.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = self.status.differences.clone();
        problems.extend(self.status.pending.iter().map(|pending| format!("migration `{}` is pending", pending.file)));
        let told =
            |change| format!("no migration does what is declared: {change}; save one with `migrate save <name>`");
        problems.extend(self.unsaved.iter().map(told));
        problems.extend(self.drift.iter().map(ToString::to_string));
        problems
    }
}
