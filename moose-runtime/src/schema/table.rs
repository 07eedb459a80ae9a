//! A table as data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::DataType;

/// A declared table: everything its DDL says, and nothing that depends on where it is created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Name of the table, without its database.
    pub name: String,
    /// The declared columns, in order, without the provenance columns.
    pub columns: Vec<Column>,
    /// Table engine.
    pub engine: Engine,
    /// Sorting key: names of columns; empty means no order (`tuple()`).
    pub order_by: Vec<String>,
    /// Primary key, a prefix of the sorting key; empty means the sorting key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub primary_key: Vec<String>,
    /// Partition key, a ClickHouse expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_by: Option<String>,
    /// When rows go, a ClickHouse `TTL` clause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
    /// Settings of the table beside those that delivery needs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// Whether the hidden columns are there that say which record a row comes from.
    pub provenance: bool,
    /// Comment of the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// A declared column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Name of the column.
    pub name: String,
    /// Type of the column.
    pub data_type: DataType,
    /// Compression codec, such as `Delta, ZSTD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<String>,
    /// Default, a ClickHouse expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Comment of the column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// A table engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Engine {
    /// `MergeTree`: keeps every row.
    #[default]
    MergeTree,
}
