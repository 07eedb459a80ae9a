//! `migrate baseline`: marks migrations as applied in a database that already has the tables.

use super::{
    Drift, History, MigrateError, drift,
    history::{Record, Writer},
    lock::Lock,
};
use crate::{clickhouse::Client, migration::Migrations, schema::Storage};

/// Marks all pending migrations as applied, without running them. Refused unless the tables are as the migrations leave
/// them, and if a migration is partly applied. Returns the names of their files.
pub async fn baseline(client: &Client, migrations: &Migrations, storage: Storage) -> Result<Vec<String>, MigrateError> {
    let refuse = |reason: String| Err(MigrateError::Baseline { reason });
    let Some(schema) = migrations.schema() else {
        return refuse("there are no migrations: save the first with `migrate save <name>`".to_owned());
    };
    let lock = Lock::acquire(client).await?;
    let result = async {
        let mut writer = Writer::open(client, Record::Migrations, storage, lock.who().to_owned()).await?;
        let pending = super::apply::pending(migrations, &writer.history)?;
        if let Some(begun) = pending.iter().find(|migration| is_begun(&writer.history, migration.number())) {
            return refuse(format!("migration `{}` was applied in part: finish it with `migrate apply`", begun.file()));
        }
        let differences = drift(client, storage, &schema.tables).await?;
        if !differences.is_empty() {
            let list: Vec<String> = differences.iter().map(|found: &Drift| format!("\n  {found}")).collect();
            let list = list.concat();
            return refuse(format!(
                "the tables are not those that the migrations lead to, so they can't be taken as applied:{list}"
            ));
        }
        for migration in pending {
            writer.baseline(migration, "").await?;
        }
        Ok(pending.iter().map(crate::migration::Migration::file).collect())
    }
    .await;
    lock.end_with(result).await
}

fn is_begun(history: &History, number: u32) -> bool {
    history.progress(number).is_some_and(|progress| !progress.is_applied)
}
