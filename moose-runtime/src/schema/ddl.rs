//! The DDL of a table, as text.
//!
//! Every identifier and string is quoted, so no name or comment can end a clause; expressions (`partition_by`, `ttl`,
//! `codec`, defaults, indexes, projections, constraints) are the author's ClickHouse text, unchanged. The elements
//! between the parentheses of `CREATE TABLE` have a `definition`, which `ALTER TABLE … ADD` takes too.

use std::fmt::{self, Write};

use super::{
    Column, Constraint, ConstraintKind, DefaultKind, Index, Projection, Table,
    provenance::{self, HiddenColumn},
    quote::{quote_identifier, quote_string, setting_value},
};

/// How many tokens of the last INSERTs a table remembers. A range resent after more than that could be stored twice, so
/// it is far more than a pending range can fall behind (3 MB of log per table).
const DEDUPLICATION_WINDOW: u32 = 100_000;
/// How long a replicated table remembers tokens: a week's outage.
const DEDUPLICATION_SECONDS: u32 = 604_800;

/// The setting of a statement that defines a `Nested` column: it is one column, not flattened to an array per element.
pub(super) const NESTED_WHOLE: &str = "flatten_nested = 0";

/// What stores a table, as far as its DDL depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Storage {
    /// The embedded engine: one disk, no replica, so INSERTs are synced to the disk before they are confirmed.
    Embedded,
    /// A ClickHouse server, whose operator decides about syncing.
    Server,
}

impl Table {
    /// The statement that creates the table if it does not exist, without a semicolon.
    pub fn create_statement(&self, database: &str, storage: &Storage) -> String {
        let mut statement = String::new();
        let name = format!("{}.{}", quote_identifier(database), quote_identifier(&self.name));
        let written = self.write_create(&mut statement, &name, *storage);
        debug_assert!(written.is_ok(), "writing to a string does not fail");
        statement
    }

    /// The same for the current database, with this name, on a server.
    pub(super) fn create_statement_as(&self, name: &str) -> String {
        let mut statement = String::new();
        let written = self.write_create(&mut statement, &quote_identifier(name), Storage::Server);
        debug_assert!(written.is_ok(), "writing to a string does not fail");
        statement
    }

    fn write_create(&self, out: &mut String, name: &str, storage: Storage) -> fmt::Result {
        writeln!(out, "CREATE TABLE IF NOT EXISTS {name}{}", self.on_cluster())?;
        out.push_str("(\n");
        for (index, element) in self.elements().iter().enumerate() {
            let separator = if index == 0 { "    " } else { ",\n    " };
            write!(out, "{separator}{element}")?;
        }
        out.push_str("\n)\n");
        writeln!(out, "ENGINE = {}", self.engine)?;
        if let Some(expression) = &self.partition_by {
            writeln!(out, "PARTITION BY {expression}")?;
        }
        if !self.primary_key.is_empty() {
            writeln!(out, "PRIMARY KEY {}", self.key(&self.primary_key))?;
        }
        writeln!(out, "ORDER BY {}", self.key(&self.order_by))?;
        if let Some(expression) = &self.sample_by {
            writeln!(out, "SAMPLE BY {expression}")?;
        }
        if let Some(expression) = &self.ttl {
            writeln!(out, "TTL {expression}")?;
        }
        let settings = self.all_settings(storage).into_iter().map(|(name, value)| format!("{name} = {value}"));
        // A setting of the statement, not of the table: the server does not keep it.
        let whole = self.columns.iter().any(Column::has_nested).then(|| NESTED_WHOLE.to_owned());
        write!(out, "SETTINGS {}", settings.chain(whole).collect::<Vec<_>>().join(", "))?;
        if let Some(comment) = &self.comment {
            write!(out, "\nCOMMENT {}", quote_string(comment))?;
        }
        Ok(())
    }

    /// How to accept a table that was not created by us, with its rows: the statement that adds the provenance columns,
    /// or what to declare. An earlier row has no values of its own in them, and shows the default: it is from no
    /// stream. Columns that already exist stay as they are.
    pub fn adopting(&self) -> String {
        let (mut pieces, index) = hidden_additions();
        pieces.push(index);
        format!(
            "to keep the table and its rows, add the hidden columns with `ALTER TABLE {}{} {}`, or declare it with \
             `.provenance(false)` and do without them",
            quote_identifier(&self.name),
            self.on_cluster(),
            pieces.join(", ")
        )
    }

    /// ` ON CLUSTER 'name'`, after the table's name in every statement that changes it; empty without a cluster.
    pub fn on_cluster(&self) -> String {
        self.cluster.as_ref().map(|cluster| format!(" ON CLUSTER {}", quote_string(cluster))).unwrap_or_default()
    }

    /// `(a, f(b))`; `tuple()` for none. Names of columns are quoted, anything else is an expression.
    pub fn key(&self, entries: &[String]) -> String {
        if entries.is_empty() {
            return "tuple()".to_owned();
        }
        let is_column = |entry: &str| self.columns.iter().any(|column| column.name == entry);
        let quoted = |entry: &String| if is_column(entry) { quote_identifier(entry) } else { entry.clone() };
        format!("({})", entries.iter().map(quoted).collect::<Vec<_>>().join(", "))
    }

    /// The elements between the parentheses: columns, provenance columns, indexes, projections, constraints.
    fn elements(&self) -> Vec<String> {
        let mut elements: Vec<String> = self.columns.iter().map(Column::definition).collect();
        if self.provenance {
            elements.extend(provenance::COLUMNS.iter().map(HiddenColumn::definition));
        }
        elements.extend(self.indexes.iter().map(Index::definition));
        if self.provenance {
            elements.push(provenance::offset_index().definition());
        }
        elements.extend(self.projections.iter().map(Projection::definition));
        elements.extend(self.constraints.iter().map(Constraint::definition));
        elements
    }

    /// All settings of the table in this storage, as names and SQL values: first those that exactly-once delivery
    /// depends on, then its own.
    pub fn all_settings(&self, storage: Storage) -> Vec<(String, String)> {
        let mut settings = if self.engine.is_replicated() {
            vec![
                ("replicated_deduplication_window", DEDUPLICATION_WINDOW),
                ("replicated_deduplication_window_seconds", DEDUPLICATION_SECONDS),
            ]
        } else {
            vec![("non_replicated_deduplication_window", DEDUPLICATION_WINDOW)]
        };
        if storage == Storage::Embedded {
            settings.extend([("fsync_after_insert", 1), ("fsync_part_directory", 1)]);
        }
        let ours = settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_string()));
        ours.chain(self.settings.iter().map(|(name, value)| (name.clone(), setting_value(value)))).collect()
    }
}

impl Column {
    /// The column's text in `CREATE TABLE`, `ADD COLUMN` and `MODIFY COLUMN`.
    pub fn definition(&self) -> String {
        let default = self.default.as_ref().map(|default| match (default.kind, default.expression.as_str()) {
            (DefaultKind::Ephemeral, "") => " EPHEMERAL".to_owned(),
            (kind, expression) => format!(" {kind} {expression}"),
        });
        let clauses = [
            default,
            self.comment.as_ref().map(|comment| format!(" COMMENT {}", quote_string(comment))),
            self.codec.as_ref().map(|codec| format!(" CODEC({codec})")),
            self.ttl.as_ref().map(|expression| format!(" TTL {expression}")),
        ];
        let mut definition = format!("{} {}", quote_identifier(&self.name), self.data_type);
        definition.extend(clauses.into_iter().flatten());
        definition
    }
}

impl HiddenColumn {
    /// The column's text in `CREATE TABLE` and `ADD COLUMN`.
    pub(super) fn definition(&self) -> String {
        let Self { name, data_type, absent, codec } = self;
        format!("{} {data_type} MATERIALIZED {absent} CODEC({codec})", quote_identifier(name))
    }
}

/// The commands of `ALTER TABLE` that add the provenance columns, and then their index.
pub(super) fn hidden_additions() -> (Vec<String>, String) {
    let add = |column: &HiddenColumn| format!("ADD COLUMN IF NOT EXISTS {}", column.definition());
    let index = provenance::offset_index().definition().replacen("INDEX ", "ADD INDEX IF NOT EXISTS ", 1);
    (provenance::COLUMNS.iter().map(add).collect(), index)
}

impl Index {
    /// The index's text in `CREATE TABLE` and `ADD`.
    pub fn definition(&self) -> String {
        let Self { name, expression, index_type, granularity } = self;
        format!("INDEX {} {expression} TYPE {index_type} GRANULARITY {granularity}", quote_identifier(name))
    }
}

impl Projection {
    /// The projection's text in `CREATE TABLE` and `ADD`.
    pub fn definition(&self) -> String {
        format!("PROJECTION {} ({})", quote_identifier(&self.name), self.query)
    }
}

impl Constraint {
    /// The constraint's text in `CREATE TABLE` and `ADD`.
    pub fn definition(&self) -> String {
        let kind = match self.kind {
            ConstraintKind::Check => "CHECK",
            ConstraintKind::Assume => "ASSUME",
        };
        format!("CONSTRAINT {} {kind} {}", quote_identifier(&self.name), self.expression)
    }
}

#[cfg(test)]
#[path = "ddl_tests.rs"]
mod tests;
