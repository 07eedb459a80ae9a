//! The uuids of tables by name: recorded before an exchange or rename, and compared when it is unknown whether that
//! took effect.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::MigrateError;
use crate::{clickhouse::Client, drain::without_bars, schema::quote_string};

/// The outcome of an exchange or rename.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The tables have the same names as before.
    NotYet,
    /// It took effect.
    Done,
    /// The tables are others.
    Moved(String),
}

/// Uuids of the tables with these names; missing tables are left out.
pub(super) async fn identities(client: &Client, names: &[&str]) -> Result<BTreeMap<String, Uuid>, MigrateError> {
    let list = names.iter().map(|name| quote_string(name)).collect::<Vec<_>>().join(", ");
    let database = quote_string(client.database());
    let sql = format!("SELECT name, uuid FROM system.tables WHERE database = {database} AND name IN ({list})");
    Ok(client.query_rows::<(String, Uuid)>(&sql).await?.into_iter().collect())
}

/// The table's definition; `None` if it does not exist.
pub(super) async fn definition(client: &Client, table: &str) -> Result<Option<String>, MigrateError> {
    let (database, name) = (quote_string(client.database()), quote_string(table));
    let sql = format!("SELECT create_table_query FROM system.tables WHERE database = {database} AND name = {name}");
    let rows: Vec<(String,)> = client.query_rows(&sql).await?;
    // A drain that came or went meanwhile is not a change by the migration.
    Ok(rows.into_iter().next().map(|(text,)| without_bars(&text)))
}

/// The outcome of `EXCHANGE TABLES first AND second`.
pub(super) fn exchanged(
    before: &BTreeMap<String, Uuid>,
    now: &BTreeMap<String, Uuid>,
    first: &str,
    second: &str,
) -> Outcome {
    let of = |tables: &BTreeMap<String, Uuid>| (tables.get(first).copied(), tables.get(second).copied());
    let (was, is) = (of(before), of(now));
    if is == was {
        Outcome::NotYet
    } else if is == (was.1, was.0) {
        Outcome::Done
    } else {
        Outcome::Moved(told(before, now, &[first, second]))
    }
}

/// The outcome of `RENAME TABLE from TO to`.
pub(super) fn renamed(before: &BTreeMap<String, Uuid>, now: &BTreeMap<String, Uuid>, from: &str, to: &str) -> Outcome {
    let Some(moved) = before.get(from) else { return Outcome::NotYet };
    if now.get(to) == Some(moved) {
        Outcome::Done
    } else if now.get(from) == Some(moved) {
        Outcome::NotYet
    } else {
        Outcome::Moved(told(before, now, &[from, to]))
    }
}

fn told(before: &BTreeMap<String, Uuid>, now: &BTreeMap<String, Uuid>, names: &[&str]) -> String {
    let text = |uuid: Option<&Uuid>| uuid.map_or("not there".to_owned(), ToString::to_string);
    let each =
        names.iter().map(|name| format!("`{name}` was {}, is {}", text(before.get(*name)), text(now.get(*name))));
    each.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(pairs: &[(&str, u128)]) -> BTreeMap<String, Uuid> {
        pairs.iter().map(|(name, number)| ((*name).to_owned(), Uuid::from_u128(*number))).collect()
    }

    #[test]
    fn the_outcome_is_told_by_the_identities() {
        let before = tables(&[("a", 1), ("b", 2)]);
        assert_eq!(exchanged(&before, &before, "a", "b"), Outcome::NotYet);
        assert_eq!(exchanged(&before, &tables(&[("a", 2), ("b", 1)]), "a", "b"), Outcome::Done);
        assert!(matches!(exchanged(&before, &tables(&[("a", 3), ("b", 1)]), "a", "b"), Outcome::Moved(_)));
        assert!(matches!(exchanged(&before, &tables(&[("a", 2)]), "a", "b"), Outcome::Moved(_)));

        let before = tables(&[("a", 1)]);
        assert_eq!(renamed(&before, &before, "a", "b"), Outcome::NotYet);
        assert_eq!(renamed(&before, &tables(&[("b", 1)]), "a", "b"), Outcome::Done);
        assert_eq!(renamed(&before, &tables(&[("b", 1), ("a", 9)]), "a", "b"), Outcome::Done);
        assert!(matches!(renamed(&before, &tables(&[("b", 7)]), "a", "b"), Outcome::Moved(_)));
    }
}
