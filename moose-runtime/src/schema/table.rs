//! A table of the schema, as data: columns, keys, engine, TTL, settings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{DataType, DefaultKind, Engine};

/// A declared table: everything its DDL says, and nothing that depends on where it is created.
///
/// Expressions are ClickHouse's text as the author wrote it. A server shows its own spelling of them, so texts are only
/// to be compared after one server has formatted both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Name of the table, without its database.
    pub name: String,
    /// The declared columns, in order, without the provenance columns.
    pub columns: Vec<Column>,
    /// Table engine.
    pub engine: Engine,
    /// Sorting key: names of columns, or ClickHouse expressions over them; empty means no order (`tuple()`).
    pub order_by: Vec<String>,
    /// Primary key, a prefix of the sorting key; empty means the sorting key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub primary_key: Vec<String>,
    /// Partition key, a ClickHouse expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_by: Option<String>,
    /// What `SAMPLE` picks rows by, a ClickHouse expression that is in the primary key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_by: Option<String>,
    /// When rows go, a ClickHouse `TTL` clause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
    /// Skipping indexes, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<Index>,
    /// Projections, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub projections: Vec<Projection>,
    /// Constraints, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
    /// Settings of the table beside those that delivery needs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// The cluster on all of whose servers the table is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Whether the hidden columns are there that say which record a row comes from.
    pub provenance: bool,
    /// Comment of the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The name that the table had before: a migration renames it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// Names of columns that the table had and that a migration may drop with what is in them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<String>,
}

/// A declared column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Name of the column.
    pub name: String,
    /// The names by which JSON may give its field: its own, then its aliases. Empty where ClickHouse computes the column,
    /// and in a record that was written before they were kept. Of a recorded column only its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub json: Vec<String>,
    /// Type of the column.
    pub data_type: DataType,
    /// What the column holds where an INSERT does not name it; `None` means the type's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<ColumnDefault>,
    /// Compression codec, such as `Delta, ZSTD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<String>,
    /// When values go back to the column's default, a ClickHouse `TTL` expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
    /// Comment of the column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The name that the column had before: a migration renames it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// The author accepts that a change of the type may lose values.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub narrowed: bool,
}

impl Column {
    /// Whether a `Nested` is in it, which a server takes apart unless it is told not to.
    pub(super) fn has_nested(&self) -> bool {
        self.data_type.to_string().contains("Nested(")
    }

    /// Whether INSERTs name the column. Those that ClickHouse computes are not theirs to give.
    pub fn is_inserted(&self) -> bool {
        self.default.as_ref().is_none_or(|default| default.kind.is_inserted())
    }
}

/// What a column holds where an INSERT does not name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnDefault {
    /// Whether an INSERT may name the column, and whether it is stored.
    pub kind: DefaultKind,
    /// A ClickHouse expression. Empty only for [`Ephemeral`](DefaultKind::Ephemeral), where it means the type's default.
    pub expression: String,
}

/// A skipping index: what lets a query leave out granules without reading them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Name of the index, unique in its table.
    pub name: String,
    /// What is indexed, a ClickHouse expression.
    pub expression: String,
    /// Type with its arguments, such as `minmax` or `bloom_filter(0.01)`.
    pub index_type: String,
    /// How many granules of the table one of the index stands for.
    pub granularity: u64,
}

/// A projection: the same rows in another order, or aggregated, kept in the parts of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Projection {
    /// Name of the projection, unique in its table.
    pub name: String,
    /// `SELECT … [GROUP BY …] [ORDER BY …]`, without a table.
    pub query: String,
}

/// A constraint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constraint {
    /// Name of the constraint, unique in its table.
    pub name: String,
    /// What ClickHouse does with it.
    pub kind: ConstraintKind,
    /// A ClickHouse expression that is true for every row.
    pub expression: String,
}

/// What ClickHouse does with a constraint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ConstraintKind {
    /// `CHECK`: refuses rows for which it is not true.
    Check,
    /// `ASSUME`: believes it, and uses it to make queries faster.
    Assume,
}
