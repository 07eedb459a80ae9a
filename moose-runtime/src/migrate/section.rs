//! A section: the steps of a migration between `drain` and `resume`, usually a copy of the table and its exchange.

use std::ops::Range;

use super::{
    MigrateError,
    statement::{Kind, cluster, kind},
};
use crate::{
    clickhouse::Client,
    migration::{Action, Migration},
    schema::{quote_identifier, quote_string},
};

/// The steps during which a table is drained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    /// The drained table.
    pub(super) table: String,
    /// The step that drains it.
    start: usize,
    /// The step that resumes it.
    pub(super) end: usize,
    /// The table's new name, if the section renames it.
    pub(super) renamed: Option<String>,
    /// The step that creates the copy.
    pub(super) made: Option<usize>,
    /// The step that exchanges a copy with the table, and the copy's name.
    pub(super) swap: Option<(usize, String)>,
    /// The table used as the copy during the section, with a unique name: no other statement, however late, means this
    /// one.
    pub(super) own: Option<String>,
    /// ` ON CLUSTER …` of the exchange.
    cluster: String,
}

impl Section {
    /// The section that begins with the step `start` of the migration.
    pub(super) fn of(migration: &Migration, start: usize, table: &str, database: &str) -> Self {
        let resumes = |action: &Action| matches!(action, Action::Resume(resumed) if resumed == table);
        let steps = migration.steps();
        let after = steps.iter().enumerate().skip(start);
        // The pairs were checked when the file was read.
        let end = after.clone().find(|(_, step)| resumes(&step.action)).map_or(steps.len(), |(at, _)| at);
        let statements = || {
            after.clone().take(end.saturating_sub(start)).filter_map(|(at, step)| match &step.action {
                Action::Statement(sql) => Some((at, kind(sql, database))),
                _ => None,
            })
        };
        let renamed = statements().find_map(|(_, kind)| match kind {
            Kind::Rename(from, to) if from == table => Some(to),
            _ => None,
        });
        let is_table = |name: &String| name == table || renamed.as_ref() == Some(name);
        let swap = statements().find_map(|(at, kind)| match kind {
            Kind::Exchange(first, second) if is_table(&first) => Some((at, second)),
            Kind::Exchange(first, second) if is_table(&second) => Some((at, first)),
            _ => None,
        });
        let made = swap.as_ref().and_then(|(_, copy)| {
            statements().find(|(_, kind)| matches!(kind, Kind::Create(made) if made == copy)).map(|(at, _)| at)
        });
        let cluster = swap.as_ref().and_then(|(at, _)| match &steps.get(*at)?.action {
            Action::Statement(sql) => Some(cluster(sql)),
            _ => None,
        });
        Self {
            table: table.to_owned(),
            start,
            end,
            renamed,
            made,
            swap,
            own: None,
            cluster: cluster.unwrap_or_default(),
        }
    }

    /// The statement that renames the copy from its unique name to the one in the file, if that is left.
    pub(super) fn given_back(&self) -> Option<(&str, String)> {
        let ((_, copy), own) = (self.swap.as_ref()?, self.own.as_ref()?);
        let sql = format!("RENAME TABLE {} TO {}{}", quote_identifier(own), quote_identifier(copy), self.cluster);
        Some((own, sql))
    }

    /// Whether this is a name of the drained table.
    pub(super) fn is_about(&self, name: &str) -> bool {
        self.table == name || self.renamed.as_deref() == Some(name)
    }

    /// The steps in it.
    pub(super) fn statements(&self) -> Range<usize> {
        self.start.saturating_add(1)..self.end
    }
}

/// Whether an earlier step of the migration creates the table.
pub(super) fn makes(migration: &Migration, before: usize, table: &str, database: &str) -> bool {
    migration.steps().iter().take(before).any(|step| {
        matches!(&step.action, Action::Statement(sql)
            if matches!(kind(sql, database), Kind::Create(made) if made == table))
    })
}

/// Enables the setting that a table on the embedded engine has beyond its declaration: a confirmed INSERT is synced to
/// the disk. Migration files are for servers too, so they don't contain it.
pub(super) async fn sync_to_disk(client: &Client, table: &str) -> Result<(), MigrateError> {
    let (database, name) = (quote_string(client.database()), quote_string(table));
    let sql = format!("SELECT engine FROM system.tables WHERE database = {database} AND name = {name}");
    let engines: Vec<(String,)> = client.query_rows(&sql).await?;
    if engines.first().is_some_and(|(engine,)| engine.ends_with("MergeTree")) {
        let table = quote_identifier(table);
        let settings = "fsync_after_insert = 1, fsync_part_directory = 1";
        client.execute(&format!("ALTER TABLE {table} MODIFY SETTING {settings}")).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const REBUILD: &str = "-- moose: drain t\nCREATE TABLE t__new_2 (id UInt8) ENGINE = MergeTree ORDER BY id;\n\
         INSERT INTO t__new_2 (id) SELECT id FROM t;\nEXCHANGE TABLES t AND t__new_2;\n\
         RENAME TABLE t__new_2 TO t__old_2;\n-- moose: resume t\nSELECT 1;";

    #[test]
    fn a_section_knows_its_copy_and_its_end() {
        let migration = Migration::parse("0002_a.sql", REBUILD).unwrap();
        let section = Section::of(&migration, 0, "t", "db");
        assert_eq!((section.made, section.swap.clone(), section.end), (Some(1), Some((3, "t__new_2".to_owned())), 5));
        assert_eq!(section.statements(), 1..5);
        assert!(
            makes(&migration, 2, "t__new_2", "db")
                && !makes(&migration, 1, "t__new_2", "db")
                && !makes(&migration, 2, "t", "db")
        );
    }

    #[test]
    fn a_copy_has_a_name_of_the_runners_own_until_the_section_ends() {
        let text = REBUILD.replace("EXCHANGE TABLES t AND t__new_2", "EXCHANGE TABLES t AND t__new_2 ON CLUSTER c");
        let mut section = Section::of(&Migration::parse("0002_a.sql", &text).unwrap(), 0, "t", "db");
        assert_eq!(section.given_back(), None);
        section.own = Some("own".to_owned());
        assert_eq!(section.given_back().unwrap().1, "RENAME TABLE `own` TO `t__new_2` ON CLUSTER c");
    }

    #[test]
    fn a_section_follows_a_table_to_another_name() {
        let text = REBUILD
            .replacen("\nCREATE", "\nRENAME TABLE t TO u;\nCREATE", 1)
            .replace("EXCHANGE TABLES t", "EXCHANGE TABLES u");
        let section = Section::of(&Migration::parse("0002_a.sql", &text).unwrap(), 0, "t", "db");
        assert_eq!((section.renamed.as_deref(), section.swap.clone()), (Some("u"), Some((4, "t__new_2".to_owned()))));
        assert!(section.is_about("t") && section.is_about("u") && !section.is_about("t__new_2"));
    }

    #[test]
    fn a_section_without_an_exchange_has_no_copy() {
        let text = "-- moose: drain t\nALTER TABLE t MODIFY COLUMN a UInt8;\n-- moose: resume t";
        let section = Section::of(&Migration::parse("0001_a.sql", text).unwrap(), 0, "t", "db");
        assert_eq!((section.made, section.swap, section.end), (None, None, 2));
    }
}
