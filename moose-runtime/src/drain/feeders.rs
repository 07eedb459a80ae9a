//! Finds running statements that may write into a table: those that name it, and those that name a table whose views
//! write into it.

use std::collections::{BTreeMap, BTreeSet};

use super::DrainError;
use crate::{clickhouse::Client, schema::quote_string};

/// A table, or a view.
type Name = (String, String);

#[derive(serde::Deserialize)]
struct Row(String, String, String, String, String, Vec<String>, Vec<String>);

/// A condition on `system.processes` that selects statements that may write into the table. Selecting too many only
/// costs time.
pub(super) async fn statements_into(client: &Client, table: &str) -> Result<String, DrainError> {
    let rows: Vec<Row> = client
        .query_rows(
            "SELECT database, name, toString(uuid), engine, create_table_query, dependencies_database, dependencies_table \
             FROM system.tables WHERE notEmpty(dependencies_table) OR engine = 'MaterializedView' \
             OR engine IN ('Alias', 'Buffer', 'Distributed')",
        )
        .await?;
    let drained = (client.database().to_owned(), table.to_owned());
    let each: Vec<String> = feeders(&rows, drained).iter().map(names).collect();
    Ok(format!("({})", each.join(" OR ")))
}

/// The running statements that meet the condition.
pub(super) async fn running(client: &Client, condition: &str) -> Result<BTreeSet<String>, DrainError> {
    let rows: Vec<(String,)> = client
        .query_rows(&format!(
            "SELECT query_id FROM system.processes WHERE query_id != queryID() \
             AND query_kind IN ('Insert', 'AsyncInsertFlush', 'Alter') AND {condition}"
        ))
        .await?;
    Ok(rows.into_iter().map(|(query,)| query).collect())
}

/// The condition for statements that name the table.
fn names((database, table): &Name) -> String {
    let (database, table) = (quote_string(database), quote_string(table));
    format!("(position(query, {table}) > 0 AND (current_database = {database} OR position(query, {database}) > 0))")
}

/// The table, and every table whose rows reach it through any number of views.
fn feeders(rows: &[Row], drained: Name) -> BTreeSet<Name> {
    let mut into: BTreeMap<Name, Vec<Name>> = BTreeMap::new();
    for Row(database, name, uuid, engine, text, view_databases, views) in rows {
        let this = (database.clone(), name.clone());
        for view in view_databases.iter().cloned().zip(views.iter().cloned()) {
            into.entry(view).or_default().push(this.clone());
        }
        if engine == "MaterializedView" {
            let inner = [format!(".inner_id.{uuid}"), format!(".inner.{name}")];
            let targets = match target(text) {
                Some(target) => vec![target],
                None => inner.into_iter().map(|inner| (database.clone(), inner)).collect(),
            };
            for target in targets {
                into.entry(target).or_default().push(this.clone());
            }
        } else if engine != "MergeTree" && text.contains(drained.1.as_str()) {
            // A table that only forwards its rows.
            into.entry(drained.clone()).or_default().push(this);
        }
    }
    let mut found = BTreeSet::from([drained.clone()]);
    let mut open = vec![drained];
    while let Some(next) = open.pop() {
        for feeder in into.get(&next).into_iter().flatten() {
            if found.insert(feeder.clone()) {
                open.push(feeder.clone());
            }
        }
    }
    found
}

/// Database and table after `TO` in the definition of a view, as the server writes it.
fn target(text: &str) -> Option<Name> {
    let head = text.split_once(" AS ").map_or(text, |(head, _)| head);
    let (_, behind) = head.split_once(" TO ")?;
    let (database, rest) = identifier(behind)?;
    let (table, _) = identifier(rest.strip_prefix('.')?)?;
    Some((database, table))
}

/// The name that the text begins with, quoted or not, and what follows.
fn identifier(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('`') else {
        let end = text.find(|character: char| !character.is_alphanumeric() && character != '_').unwrap_or(text.len());
        let (name, rest) = text.split_at_checked(end)?;
        return (!name.is_empty()).then(|| (name.to_owned(), rest));
    };
    let mut name = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '`' => return Some((name, quoted.get(at + 1..)?)),
            '\\' => name.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => name.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, engine: &str, text: &str, views: &[&str]) -> Row {
        let views: Vec<String> = views.iter().map(|&view| view.to_owned()).collect();
        let databases = vec!["db".to_owned(); views.len()];
        Row(
            "db".to_owned(),
            name.to_owned(),
            format!("of {name}"),
            engine.to_owned(),
            text.to_owned(),
            databases,
            views,
        )
    }

    #[test]
    fn a_table_is_fed_by_whatever_leads_to_it_over_views() {
        let rows = [
            row("source", "Null", "", &["first"]),
            row("first", "MaterializedView", "CREATE MATERIALIZED VIEW db.first (`a` UInt8) AS SELECT 1", &[]),
            row(".inner_id.of first", "MergeTree", "", &["second", "elsewhere"]),
            row(
                "second",
                "MaterializedView",
                "CREATE MATERIALIZED VIEW db.second TO db.`it\\`s` (`a` UInt8) AS SELECT 1",
                &[],
            ),
            row(
                "elsewhere",
                "MaterializedView",
                "CREATE MATERIALIZED VIEW db.elsewhere TO db.other AS SELECT 1 AS `TO db.x`",
                &[],
            ),
            row("beside", "MergeTree", "", &["elsewhere"]),
            row("buffer", "Buffer", "CREATE TABLE db.buffer (`a` UInt8) ENGINE = Buffer('db', 'it`s', 1)", &[]),
        ];
        let found = feeders(&rows, ("db".to_owned(), "it`s".to_owned()));
        let names: Vec<&str> = found.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, [".inner_id.of first", "buffer", "first", "it`s", "second", "source"]);
        assert_eq!(feeders(&rows, ("db".to_owned(), "alone".to_owned())).len(), 1);
    }
}
