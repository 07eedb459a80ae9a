//! Applies pending migrations, one after the other, under the lock.

use super::{
    History, MigrateError, Options,
    history::{Progress, Record, Writer},
    lock::Lock,
    runner::{Runner, digest},
};
use crate::{
    clickhouse::Client,
    drain::{self, DrainError},
    migration::{Migration, Migrations},
};

/// What was applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// The migrations that were completed, by file name.
    pub migrations: Vec<String>,
    /// Number of statements that were run.
    pub statements: usize,
}

/// Applies pending migrations. If several processes call it, one does the work; the others wait, and find it done.
pub async fn apply(client: &Client, migrations: &Migrations, options: Options) -> Result<Done, MigrateError> {
    // Before anything is created in the database: most starts find nothing to do.
    if pending(migrations, &History::load(client, Record::Migrations).await?)?.is_empty() {
        drain::sweep_copies(client).await?;
        return Ok(Done::default());
    }
    let mut lock = Lock::acquire(client).await?;
    let result = async {
        let writer = Writer::open(client, Record::Migrations, options.storage, lock.who().to_owned()).await?;
        let pending = pending(migrations, &writer.history)?.to_vec();
        let mut runner = Runner::new(client, &mut lock, options, writer);
        let mut done = Done::default();
        for migration in &pending {
            tracing::info!(migration = migration.file(), "applying");
            bring(&mut runner, migration, "").await?;
            done.migrations.push(migration.file());
        }
        done.statements = runner.statements;
        drain::sweep_empty_copies(client).await?;
        Ok(done)
    }
    .await;
    lock.end_with(result).await
}

/// The migrations that are not completely applied.
pub(super) fn pending<'a>(migrations: &'a Migrations, history: &History) -> Result<&'a [Migration], MigrateError> {
    migrations.pending(&history.applied()).map_err(|differences| MigrateError::Differ { differences })
}

/// Completes one migration from wherever it is. `leads_to` is recorded with it.
pub(super) async fn bring(runner: &mut Runner<'_>, migration: &Migration, leads_to: &str) -> Result<(), MigrateError> {
    if let Some(progress) = runner.writer.history.progress(migration.number()) {
        check_the_beginning(migration, progress)?;
    }
    while let Err(error) = Box::pin(runner.migrate(migration, leads_to)).await {
        // The copy is void, and the section starts again.
        if !matches!(error, MigrateError::Drain(DrainError::Lifted { .. })) {
            return Err(error);
        }
        runner.lock.gates.lock().await.clear();
        runner.lock.put_the_fence_up().await?;
        tracing::warn!(migration = migration.file(), %error, "beginning the change of the table anew");
    }
    Ok(())
}

/// Checks that the part of a migration that was run is unchanged in its file; what comes after it may have been fixed.
fn check_the_beginning(migration: &Migration, progress: &Progress) -> Result<(), MigrateError> {
    let done = progress.steps.iter().filter(|(_, record)| record.is_done);
    for (step, record) in done.clone() {
        let found = migration.steps().get(*step);
        if found.is_none_or(|found| digest(&found.action) != record.statement) {
            return Err(MigrateError::ChangedInTheMiddle {
                file: migration.file(),
                done: done.count(),
                step: step.saturating_add(1),
                line: found.map_or(0, |found| found.line),
            });
        }
    }
    Ok(())
}
