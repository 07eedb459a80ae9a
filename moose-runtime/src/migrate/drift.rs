//! Drift: how the real tables differ from what is declared, in columns, keys, engine, TTL, indexes, settings, comments.
//!
//! A server has its own spelling of expressions, codecs and defaults. So the declared table is created once more, empty
//! and under another name, and the two `CREATE` statements that the server shows are compared.

use std::fmt;

use serde::Serialize;

use super::{
    MigrateError,
    shape::{self, Shape},
};
use crate::{
    clickhouse::{ClickHouseError, Client},
    migration::{Draft, Migrations},
    schema::{Engine, Storage, Table, provenance, quote_identifier, quote_string},
};

/// Prefix of the names of tables that are created for a comparison.
const PREFIX: &str = "_moose_shape_";

/// One difference between a real table and its declaration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// The table.
    pub table: String,
    /// What differs, such as ``column `a` ``.
    pub part: String,
    /// The declared text; `None` if it is not declared.
    pub declared: Option<String>,
    /// The text in the database; `None` if it is not there.
    pub actual: Option<String>,
    /// What to do, if that fits in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl fmt::Display for Drift {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, part, declared, actual, remedy } = self;
        match (declared, actual) {
            (Some(declared), Some(actual)) => {
                write!(formatter, "table `{table}`: {part} is {actual}, declared is {declared}")
            }
            (Some(declared), None) => write!(formatter, "table `{table}`: {part} is not there, declared is {declared}"),
            (None, actual) => {
                let actual = actual.as_deref().unwrap_or_default();
                write!(formatter, "table `{table}`: {part} is not declared: {actual}")
            }
        }?;
        remedy.as_ref().map_or(Ok(()), |remedy| write!(formatter, "; {remedy}"))
    }
}

/// All differences between the tables of the database and the declared ones.
pub async fn drift<'a>(
    client: &Client,
    storage: Storage,
    tables: impl IntoIterator<Item = &'a Table>,
) -> Result<Vec<Drift>, MigrateError> {
    sweep(client).await?;
    let mut found = Vec::new();
    for declared in tables {
        let whole = |actual: Option<String>| Drift {
            table: declared.name.clone(),
            part: "the table".to_owned(),
            declared: Some("a table".to_owned()),
            actual,
            remedy: None,
        };
        match of_table(client, storage, declared).await {
            Ok(Some(drifts)) => found.extend(drifts),
            Ok(None) => found.push(whole(None)),
            // The server refuses this one for some reason; the others are compared all the same.
            Err(MigrateError::ClickHouse(error @ ClickHouseError::Exception { .. })) => {
                found.push(whole(Some(format!("not to be compared ({error})"))));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// The differences of one table; `None` if it does not exist.
async fn of_table(client: &Client, storage: Storage, declared: &Table) -> Result<Option<Vec<Drift>>, MigrateError> {
    let Some(actual) = shape_of(client, &declared.name).await? else { return Ok(None) };
    let mut found = Vec::new();
    for unlike in compare(declared, &declared_shape(client, storage, declared).await?, &actual) {
        if !unlike.is_spelling(client).await? {
            found.push(unlike.drift);
        }
    }
    Ok(Some(found))
}

/// What the declarations have beyond the migrations, one line each.
pub fn unsaved(migrations: &Migrations, tables: &[Table], dropped: &[String]) -> Vec<String> {
    match Draft::of(migrations, tables, dropped) {
        Ok(draft) => draft.map(|draft| draft.lines()).unwrap_or_default(),
        Err(refused) => refused.refusals.iter().map(ToString::to_string).collect(),
    }
}

/// The declared table as the server would print it.
async fn declared_shape(client: &Client, storage: Storage, declared: &Table) -> Result<Shape, MigrateError> {
    let name = format!("{PREFIX}{:016x}", rand::random::<u64>());
    let mut table = Table { name: name.clone(), cluster: None, ..declared.clone() };
    // A Keeper path can't be used twice.
    table.engine = Engine { replication: crate::schema::Replication::None, ..declared.engine.clone() };
    client.execute(&table.create_statement(client.database(), &storage)).await?;
    let shape = shape_of(client, &name).await;
    client.execute(&format!("DROP TABLE IF EXISTS {} SYNC", quote_identifier(&name))).await?;
    let mut shape = shape?.unwrap_or_default();
    // The server adds some of its own. Settings beyond the declared ones are the operator's.
    let names: Vec<String> = declared.all_settings(storage).into_iter().map(|(name, _)| name).collect();
    shape.settings.retain(|name, _| names.contains(name));
    if declared.engine.is_replicated()
        && let Some(engine) = shape.clauses.get_mut("ENGINE =")
    {
        *engine = format!("Replicated{engine}");
    }
    Ok(shape)
}

/// The shape of a table; `None` if it does not exist.
async fn shape_of(client: &Client, name: &str) -> Result<Option<Shape>, MigrateError> {
    let text = super::swap::definition(client, name).await?;
    Ok(text.and_then(|text| Shape::read(&text)))
}

/// Drops tables left by processes that were killed during a comparison.
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

/// Two pieces with different texts.
struct Unlike {
    drift: Drift,
    /// A statement with `{}` in place of the piece.
    statement: String,
}

impl Unlike {
    /// Whether both texts mean the same to the server, which keeps parentheses as written: `ORDER BY id` is `ORDER BY
    /// (id)`, but `(a + b) * c` is not `a + b * c`.
    ///
    /// The server's syntax tree has no parentheses, but it also lacks other parts of a text. So texts that differ in
    /// more than parentheses are different, and the trees are compared only for the others.
    async fn is_spelling(&self, client: &Client) -> Result<bool, MigrateError> {
        let (Some(declared), Some(actual)) = (&self.drift.declared, &self.drift.actual) else { return Ok(false) };
        if shape::bare(declared) != shape::bare(actual) {
            return Ok(false);
        }
        let tree = async |piece: &str| {
            let statement = format!("EXPLAIN AST {}", self.statement.replacen("{}", piece, 1));
            let text = client.query_text(&statement, "TSVRaw").await?;
            Ok::<_, ClickHouseError>(shape::tree(&String::from_utf8_lossy(&text)))
        };
        match (tree(declared).await, tree(actual).await) {
            (Ok(declared), Ok(actual)) => Ok(!declared.is_empty() && declared == actual),
            // A server without this statement: only the texts can be compared.
            (Err(ClickHouseError::Exception { .. }), _) | (_, Err(ClickHouseError::Exception { .. })) => Ok(false),
            (Err(error), _) | (_, Err(error)) => Err(error.into()),
        }
    }
}

fn compare(table: &Table, declared: &Shape, actual: &Shape) -> Vec<Unlike> {
    let mut found = Vec::new();
    let mut differs = |part: String, declared: Option<&String>, actual: Option<&String>, statement: String| {
        if declared != actual {
            let (declared, actual) = (declared.cloned(), actual.cloned());
            let drift = Drift { table: table.name.clone(), part, declared, actual, remedy: None };
            found.push(Unlike { drift, statement });
        }
    };
    let column = |shape: &'_ Shape, name: &str| {
        shape.columns.iter().find(|(known, _)| known == name).map(|(_, definition)| definition.clone())
    };
    let hidden = hidden_pieces(table);
    let lacking: Vec<&str> = (hidden.iter().map(String::as_str))
        .filter(|piece| column(actual, piece).is_none() && !actual.others.contains_key(*piece))
        .collect();
    for (name, definition) in declared.columns.iter().filter(|(name, _)| !lacking.contains(&name.as_str())) {
        let statement = format!("CREATE TABLE t ({name} {{}}) ENGINE = Null");
        differs(format!("column {name}"), Some(definition), column(actual, name).as_ref(), statement);
    }
    for (name, definition) in &actual.columns {
        if column(declared, name).is_none() {
            differs(format!("column {name}"), None, Some(definition), String::new());
        }
    }
    let order = |shape: &Shape, other: &Shape| {
        let both = shape.columns.iter().map(|(name, _)| name.as_str()).filter(|name| column(other, name).is_some());
        both.collect::<Vec<_>>().join(", ")
    };
    let orders = (order(declared, actual), order(actual, declared));
    differs("the order of columns".to_owned(), Some(&orders.0), Some(&orders.1), String::new());
    let names = declared.others.keys().chain(actual.others.keys().filter(|name| !declared.others.contains_key(*name)));
    for name in names.filter(|name| !lacking.contains(&name.as_str())) {
        let statement = format!("CREATE TABLE t (x UInt8, {name} {{}}) ENGINE = Null");
        differs(name.clone(), declared.others.get(name), actual.others.get(name), statement);
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
        let (declared, actual) = both(clause, declared, actual);
        let engine = if clause == "ENGINE =" { "" } else { "ENGINE = MergeTree " };
        let statement = format!("CREATE TABLE t (x UInt8) {engine}{clause} {{}}");
        differs(name.to_owned(), declared, actual.map(|actual| without_path(actual)).as_ref(), statement);
    }
    for (name, value) in &declared.settings {
        differs(format!("setting {name}"), Some(value), actual.settings.get(name), String::new());
    }
    for unlike in &mut found {
        if let (Some(name), Some(value)) = (unlike.drift.part.strip_prefix("setting "), &unlike.drift.declared) {
            let (place, cluster) = (quote_identifier(&table.name), table.on_cluster());
            unlike.drift.remedy =
                Some(format!("`ALTER TABLE {place}{cluster} MODIFY SETTING {name} = {value}` sets it"));
        }
    }
    // Checked last, since the message is long.
    if !lacking.is_empty() {
        found.push(Unlike { drift: not_ours(table, &lacking), statement: String::new() });
    }
    found
}

/// The clause on both sides. Without a primary key it is the sorting key.
fn both<'a>(clause: &str, declared: &'a Shape, actual: &'a Shape) -> (Option<&'a String>, Option<&'a String>) {
    let of = |shape: &'a Shape| shape.clauses.get(clause);
    match (clause, of(declared), of(actual)) {
        ("PRIMARY KEY", None, Some(written)) => (declared.clauses.get("ORDER BY"), Some(written)),
        ("PRIMARY KEY", Some(written), None) => (Some(written), actual.clauses.get("ORDER BY")),
        (_, declared, actual) => (declared, actual),
    }
}

/// The provenance columns of a table that has them, and their index, by their names in a [`Shape`].
fn hidden_pieces(table: &Table) -> Vec<String> {
    let columns = [provenance::EPOCH, provenance::PARTITION, provenance::OFFSET];
    let columns = columns.map(quote_identifier).into_iter();
    let pieces = columns.chain([format!("index {}", quote_identifier(provenance::OFFSET_INDEX))]);
    if table.provenance { pieces.collect() } else { Vec::new() }
}

/// A table that was not created by us, or not from a declaration with provenance columns.
fn not_ours(table: &Table, lacking: &[&str]) -> Drift {
    Drift {
        table: table.name.clone(),
        part: lacking.join(", "),
        declared: Some("a table with hidden columns that say which record a row comes from".to_owned()),
        actual: None,
        remedy: Some(table.adopting()),
    }
}

/// A replicated engine without path and replica name, which depend on the cluster.
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
    use crate::schema::fixture;

    fn shape(columns: &str, tail: &str) -> Shape {
        Shape::read(&format!("CREATE TABLE moose.t ({columns}) ENGINE = MergeTree {tail}")).unwrap()
    }

    fn told(declared: &Shape, actual: &Shape) -> Vec<String> {
        let table = Table { provenance: false, ..fixture::table("t") };
        compare(&table, declared, actual).iter().map(|unlike| unlike.drift.to_string()).collect()
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
                "table `t`: setting y is not there, declared is 2; `ALTER TABLE `t` MODIFY SETTING y = 2` sets it",
            ]
        );
    }

    #[test]
    fn a_table_without_any_of_the_hidden_columns_is_one_line_with_both_ways_to_keep_it() {
        let hidden = "`_stream_epoch` UInt64, `_stream_partition` UInt16, `_stream_offset` UInt64, \
                      INDEX _stream_offset_range _stream_offset TYPE minmax GRANULARITY 1";
        let declared = shape(&format!("`a` UInt8, {hidden}"), "ORDER BY a");
        let actual = shape("`a` UInt8", "ORDER BY a");
        let found = compare(&fixture::table("t"), &declared, &actual);
        let [one] = found.as_slice() else { panic!("{} differences", found.len()) };
        let text = one.drift.to_string();
        for piece in ["ALTER TABLE `t` ADD COLUMN IF NOT EXISTS `_stream_epoch`", "`.provenance(false)`"] {
            assert!(text.contains(piece), "{text}");
        }
    }

    #[test]
    fn what_means_the_same_is_no_difference() {
        for (one, other) in [
            ("ORDER BY (a, b)", "PRIMARY KEY (a, b) ORDER BY (a, b)"),
            ("ORDER BY a", "PARTITION BY tuple() ORDER BY tuple(a)"),
            ("ORDER BY a SETTINGS x = 1, y = 'b'", "ORDER BY a SETTINGS y = 'b', x = true, index_granularity = 8192"),
        ] {
            assert_eq!(told(&shape("`a` UInt8", one), &shape("`a` UInt8 CODEC(Default)", other)), [""; 0], "{other}");
        }
        let (short, long) = ("PRIMARY KEY a ORDER BY (a, b)", "ORDER BY (a, b)");
        assert_eq!(
            told(&shape("`a` UInt8", long), &shape("`a` UInt8", short)),
            ["table `t`: the primary key is a, declared is (a, b)"]
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
