//! A table of the schema, as data: columns, keys, engine, TTL, settings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{DataType, DefaultKind, Engine};

/// A declared table: everything in its DDL, and nothing that depends on where it is created.
///
/// Expressions are ClickHouse's text as the author wrote it. A server shows its own spelling of them, so texts may only
/// be compared after one server has formatted both.
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
    /// The sampling key, a ClickHouse expression that is in the primary key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_by: Option<String>,
    /// When rows expire, a ClickHouse `TTL` clause.
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
    /// Settings of the table besides those that delivery needs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// The cluster on whose servers the table is created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Whether the table has the provenance columns, which say from which record a row comes.
    pub provenance: bool,
    /// Comment of the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The former name of the table: a migration renames it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// Names of former columns that a migration may drop with their values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<String>,
}

/// A declared column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Name of the column.
    pub name: String,
    /// The names by which JSON may give its field: its own, then its aliases. Empty for a column that ClickHouse
    /// computes, and in a recorded schema from before they were kept. A recorded column has only its own name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub json: Vec<String>,
    /// Type of the column.
    pub data_type: DataType,
    /// The default if an INSERT does not give a value; `None` means the type's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<ColumnDefault>,
    /// Compression codec, such as `Delta, ZSTD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<String>,
    /// When values expire, a ClickHouse `TTL` expression: they are reset to the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
    /// Comment of the column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The former name of the column: a migration renames it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// The author accepts that a change of the type may lose values.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub narrowed: bool,
}

impl Column {
    /// Whether it contains a `Nested`, which a server flattens by default.
    pub(super) fn has_nested(&self) -> bool {
        self.data_type.to_string().contains("Nested(")
    }

    /// Whether INSERTs give a value for the column; not for one that ClickHouse computes.
    pub fn is_inserted(&self) -> bool {
        self.default.as_ref().is_none_or(|default| default.kind.is_inserted())
    }
}

/// The default of a column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnDefault {
    /// Whether an INSERT may give a value, and whether it is stored.
    pub kind: DefaultKind,
    /// A ClickHouse expression. Empty only for [`Ephemeral`](DefaultKind::Ephemeral), where it means the type's default.
    pub expression: String,
}

/// A skipping index: lets a query skip granules without reading them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Name of the index, unique in its table.
    pub name: String,
    /// What is indexed, a ClickHouse expression.
    pub expression: String,
    /// Type with its arguments, such as `minmax` or `bloom_filter(0.01)`.
    pub index_type: String,
    /// How many granules of the table one granule of the index covers.
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
    /// `CHECK`: refuses rows for which the expression is not true.
    Check,
    /// `ASSUME`: takes it to be true, to make queries faster.
    Assume,
}
