//! Sends each kind of statement to the server safely: behind the fence or the bar of a drain where another runner may
//! have taken over meanwhile; a table is renamed by its identity before it is dropped.

use uuid::Uuid;

use super::{
    MigrateError,
    history::Note,
    runner::{Place, Runner},
    statement::{Kind, behind_two_words, cluster, with_commands},
    swap,
    words::with_name,
};
use crate::{
    drain::Fence,
    fault::{self, Point},
    schema::quote_identifier,
};

/// The name of a table that is about to be dropped: made from its uuid, so that it is unique.
fn doomed(uuid: Uuid) -> String {
    format!("_moose_dropped_{uuid}")
}

impl Runner<'_> {
    /// Runs a statement of this kind.
    pub(super) async fn run(
        &mut self,
        place: Place<'_>,
        sql: &str,
        kind: &Kind,
        note: &Note,
    ) -> Result<(), MigrateError> {
        self.statements += 1;
        let is_here = cluster(sql).is_empty();
        match kind {
            Kind::DropTable(table) if is_here => match note.tables.get(table) {
                Some(uuid) => self.drop_table(place, table, *uuid).await,
                None => self.send(place, sql).await,
            },
            Kind::Exchange(..) | Kind::Rename(..) if is_here => self.send_fenced(place, sql, kind).await,
            Kind::Alter(table) => self.send_barred(place, sql, table).await,
            _ => self.send(place, sql).await,
        }
    }

    async fn send(&self, place: Place<'_>, sql: &str) -> Result<(), MigrateError> {
        fault::point(Point::MigrateSend);
        let sql = format!("{}{sql}", self.lock.tag());
        self.unhurried.execute(&sql).await.map_err(|source| place.failed(source))
    }

    /// Sends an exchange or rename behind the fence.
    async fn send_fenced(&mut self, place: Place<'_>, sql: &str, kind: &Kind) -> Result<(), MigrateError> {
        loop {
            let fenced = match (&self.lock.fence, kind) {
                (Some(fence), Kind::Exchange(..)) => behind_two_words(sql, &fence.exchange()),
                (Some(fence), _) => behind_two_words(sql, &fence.rename()),
                (None, _) => sql.to_owned(),
            };
            let Err(error) = self.send(place, &fenced).await else { return Ok(()) };
            if !matches!(&error, MigrateError::Statement { source, .. } if Fence::is_cut(source)) {
                return Err(error);
            }
            // The process that dropped it has taken over, or has lifted the drain.
            self.lock.still_held().await?;
            let gates = self.lock.gates.lock().await;
            if let Some((_, gate)) = gates.iter().find(|(section, _)| section.statements().contains(&place.step)) {
                return Err(gate.lifted().into());
            }
            drop(gates);
            self.lock.put_the_fence_up().await?;
        }
    }

    /// Sends a change of a table, which fails if a drain on it has ended.
    async fn send_barred(&self, place: Place<'_>, sql: &str, table: &str) -> Result<(), MigrateError> {
        let gates = self.lock.gates.lock().await;
        let found =
            gates.iter().find(|(section, _)| section.statements().contains(&place.step) && section.is_about(table));
        let gate = found.map(|(_, gate)| gate.clone());
        drop(gates);
        let Some(gate) = gate else { return self.send(place, sql).await };
        let barred = with_commands(sql, &gate.fence(), self.client.database());
        match self.send(place, barred.as_deref().unwrap_or(sql)).await {
            Err(MigrateError::Statement { source, .. }) if gate.is_cut(&source) => Err(gate.lifted().into()),
            sent => sent,
        }
    }

    /// Drops the table with this uuid: renames it by that, checks it, and drops it under its new name.
    async fn drop_table(&mut self, place: Place<'_>, table: &str, uuid: Uuid) -> Result<(), MigrateError> {
        let doomed = doomed(uuid);
        let (name, aside) = (quote_identifier(table), quote_identifier(&doomed));
        let there = format!("RENAME TABLE {name} TO {aside}");
        let back = format!("RENAME TABLE {aside} TO {name}");
        let rename = Kind::Rename(String::new(), String::new());
        self.send_fenced(place, &there, &rename).await?;
        let found = swap::identities(self.client, &[&doomed]).await?;
        if found.values().any(|found| *found != uuid) {
            self.send_fenced(place, &back, &rename).await?;
            return Err(place.moved(format!("`{table}` is another table than a moment ago")));
        }
        self.finish_drop(place, table, uuid).await
    }

    /// Drops a table that was already renamed by its uuid, with all options of the statement. If ClickHouse refuses,
    /// the table gets its name back.
    pub(super) async fn finish_drop(&mut self, place: Place<'_>, table: &str, uuid: Uuid) -> Result<(), MigrateError> {
        let doomed = doomed(uuid);
        if swap::identities(self.client, &[&doomed]).await?.get(&doomed) != Some(&uuid) {
            return Ok(());
        }
        let dropped = self.send(place, &with_name(place.sql, table, &doomed)).await;
        if let Err(MigrateError::Statement { source, .. }) = &dropped
            && source.code().is_some()
        {
            // It is too large, or not empty: it stays.
            let back = format!("RENAME TABLE {} TO {}", quote_identifier(&doomed), quote_identifier(table));
            self.send_fenced(place, &back, &Kind::Rename(String::new(), String::new())).await?;
        }
        dropped
    }
}
