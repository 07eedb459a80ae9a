//! How the real tables differ from what is declared: columns, keys, engine, TTL, indexes, settings, comments.
//!
//! A server has its own spelling of expressions, codecs and defaults. So the declared table is made once more, empty and
//! under another name, and the two texts of one server are compared.

use std::fmt;

use serde::Serialize;

use super::{MigrateError, shape::Shape};
use crate::{
    clickhouse::Client,
    migration::{Draft, Migrations},
    schema::{Engine, Storage, Table, quote_identifier, quote_string},
};

/// Begin of the names of tables that are made to be compared.
const PREFIX: &str = "_moose_shape_";

/// Settings of which a replicated table has its own.
const UNREPLICATED: &str = "non_replicated_deduplication_window";

/// One thing in which a real table is not as declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// The table.
    pub table: String,
    /// What differs, such as ``column `a` ``.
    pub part: String,
    /// How it is declared; `None` where it is not.
    pub declared: Option<String>,
    /// How it is in the database; `None` where it is not there.
    pub actual: Option<String>,
}

impl fmt::Display for Drift {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, part, declared, actual } = self;
        match (declared, actual) {
            (Some(declared), Some(actual)) => {
                write!(formatter, "table `{table}`: {part} is {actual}, declared is {declared}")
            }
            (Some(declared), None) => write!(formatter, "table `{table}`: {part} is not there, declared is {declared}"),
            (None, actual) => {
                let actual = actual.as_deref().unwrap_or_default();
                write!(formatter, "table `{table}`: {part} is not declared: {actual}")
            }
        }
    }
}

/// All in which the tables of the database differ from the declared ones.
pub async fn drift<'a>(
    client: &Client,
    storage: Storage,
    tables: impl IntoIterator<Item = &'a Table>,
) -> Result<Vec<Drift>, MigrateError> {
    sweep(client).await?;
    let mut found = Vec::new();
    for declared in tables {
        let name = declared.name.as_str();
        match shape_of(client, name).await? {
            Some(actual) => found.extend(compare(name, &declared_shape(client, storage, declared).await?, &actual)),
            None => found.push(Drift {
                table: name.to_owned(),
                part: "the table".to_owned(),
                declared: Some("a table".to_owned()),
                actual: None,
            }),
        }
    }
    Ok(found)
}

/// What the declarations ask for beyond the migrations, a line each.
pub fn unsaved(migrations: &Migrations, tables: &[Table], dropped: &[String]) -> Vec<String> {
    match Draft::of(migrations, tables, dropped) {
        Ok(draft) => draft.map(|draft| draft.lines()).unwrap_or_default(),
        Err(refused) => refused.refusals.iter().map(ToString::to_string).collect(),
    }
}

/// The declared table as the server would write it.
async fn declared_shape(client: &Client, storage: Storage, declared: &Table) -> Result<Shape, MigrateError> {
    let name = format!("{PREFIX}{:016x}", rand::random::<u64>());
    let mut table = Table { name: name.clone(), cluster: None, ..declared.clone() };
    // A path in Keeper can't be had twice.
    table.engine = Engine { replication: crate::schema::Replication::None, ..declared.engine.clone() };
    client.execute(&table.create_statement(client.database(), &storage)).await?;
    let shape = shape_of(client, &name).await;
    client.execute(&format!("DROP TABLE IF EXISTS {} SYNC", quote_identifier(&name))).await?;
    let mut shape = shape?.unwrap_or_default();
    if declared.engine.is_replicated() {
        shape.settings.remove(UNREPLICATED);
        if let Some(engine) = shape.clauses.get_mut("ENGINE =") {
            *engine = format!("Replicated{engine}");
        }
    }
    Ok(shape)
}

/// The table of that name; `None` where it is not there.
async fn shape_of(client: &Client, name: &str) -> Result<Option<Shape>, MigrateError> {
    let text = super::swap::definition(client, name).await?;
    Ok(text.and_then(|text| Shape::read(&text)))
}

/// Drops what processes have left that were killed in the middle.
async fn sweep(client: &Client) -> Result<(), MigrateError> {
    let left: Vec<(String,)> = client
        .query_rows(&format!(
            "SELECT name FROM system.tables WHERE database = {} AND startsWith(name, '{PREFIX}') \
             AND metadata_modification_time < now() - INTERVAL 10 MINUTE",
            quote_string(client.database())
        ))
        .await?;
    for (name,) in left {
        client.execute(&format!("DROP TABLE IF EXISTS {} SYNC", quote_identifier(&name))).await?;
    }
    Ok(())
}

fn compare(table: &str, declared: &Shape, actual: &Shape) -> Vec<Drift> {
    let mut found = Vec::new();
    let mut differs = |part: String, declared: Option<&String>, actual: Option<&String>| {
        if declared != actual {
            let (declared, actual) = (declared.cloned(), actual.cloned());
            found.push(Drift { table: table.to_owned(), part, declared, actual });
        }
    };
    let column = |shape: &'_ Shape, name: &str| {
        shape.columns.iter().find(|(known, _)| known == name).map(|(_, definition)| definition.clone())
    };
    for (name, definition) in &declared.columns {
        differs(format!("column {name}"), Some(definition), column(actual, name).as_ref());
    }
    for (name, definition) in &actual.columns {
        if column(declared, name).is_none() {
            differs(format!("column {name}"), None, Some(definition));
        }
    }
    let order = |shape: &Shape, other: &Shape| {
        let both = shape.columns.iter().map(|(name, _)| name.as_str()).filter(|name| column(other, name).is_some());
        both.collect::<Vec<_>>().join(", ")
    };
    differs("the order of columns".to_owned(), Some(&order(declared, actual)), Some(&order(actual, declared)));
    let names = declared.others.keys().chain(actual.others.keys().filter(|name| !declared.others.contains_key(*name)));
    for name in names {
        differs(name.clone(), declared.others.get(name), actual.others.get(name));
    }
    for (clause, name) in [
        ("ENGINE =", "the engine"),
        ("PARTITION BY", "the partition key"),
        ("PRIMARY KEY", "the primary key"),
        ("ORDER BY", "the sorting key"),
        ("SAMPLE BY", "the sample key"),
        ("TTL", "the TTL"),
        ("COMMENT", "the comment"),
    ] {
        let (declared, actual) = (declared.clauses.get(clause), actual.clauses.get(clause));
        differs(name.to_owned(), declared, actual.map(|actual| without_path(actual)).as_ref());
    }
    // A setting that the table has beyond the declared ones is the operator's.
    for (name, value) in &declared.settings {
        differs(format!("setting {name}"), Some(value), actual.settings.get(name));
    }
    found
}

/// A replicated engine without the path and the name of the replica, which are the cluster's to say.
fn without_path(engine: &str) -> String {
    let Some((name, rest)) = engine.split_once('(').filter(|(name, _)| name.starts_with("Replicated")) else {
        return engine.to_owned();
    };
    let arguments: Vec<&str> = rest.trim_end_matches(')').split(',').map(str::trim).skip(2).collect();
    if arguments.is_empty() { name.to_owned() } else { format!("{name}({})", arguments.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(columns: &str, tail: &str) -> Shape {
        Shape::read(&format!("CREATE TABLE moose.t ({columns}) ENGINE = MergeTree {tail}")).unwrap()
    }

    fn told(declared: &Shape, actual: &Shape) -> Vec<String> {
        compare("t", declared, actual).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_piece_that_differs_is_told_with_both_texts() {
        let declared =
            shape("`a` UInt8, `b` String DEFAULT 'x', INDEX i a TYPE minmax", "ORDER BY a SETTINGS x = 1, y = 2");
        assert_eq!(told(&declared, &declared), [""; 0]);
        let actual = shape("`b` String, `c` UInt8, `a` UInt8", "ORDER BY b SETTINGS x = 1, z = 3");
        assert_eq!(
            told(&declared, &actual),
            [
                "table `t`: column `b` is String, declared is String DEFAULT 'x'",
                "table `t`: column `c` is not declared: UInt8",
                "table `t`: the order of columns is `b`, `a`, declared is `a`, `b`",
                "table `t`: index `i` is not there, declared is a TYPE minmax",
                "table `t`: the sorting key is b, declared is a",
                "table `t`: setting y is not there, declared is 2",
            ]
        );
    }

    #[test]
    fn a_replicated_engine_is_compared_without_its_path() {
        assert_eq!(without_path("ReplicatedMergeTree('/a/{uuid}', '{replica}')"), "ReplicatedMergeTree");
        let versioned = "ReplicatedReplacingMergeTree('/a', '{replica}', version)";
        assert_eq!(without_path(versioned), "ReplicatedReplacingMergeTree(version)");
        assert_eq!(without_path("ReplacingMergeTree(version)"), "ReplacingMergeTree(version)");
    }
}
