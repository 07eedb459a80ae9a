//! The changes of a table, as data, and the risk of each.

use std::fmt::{self, Display};

use super::super::{Column, ColumnDefault, Constraint, DataType, DefaultKind, Engine, Index, Projection, Table};
use super::Fit;

/// What a change does to existing rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// Every value is kept, at little cost.
    Safe,
    /// Every value is kept, but the server rewrites a column or the whole table.
    Rewrite,
    /// Rows or values are deleted.
    Destructive,
}

impl Display for Risk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Safe => "safe",
            Self::Rewrite => "rewrite",
            Self::Destructive => "destructive",
        })
    }
}

/// The position of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    /// First.
    First,
    /// After the column of this name.
    After(String),
}

/// The change of one table.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TableChange {
    /// It is new.
    Create(Box<Table>),
    /// It is dropped, with its rows, as declared.
    Drop {
        /// Its name.
        name: String,
        /// The cluster on which it is.
        cluster: Option<String>,
    },
    /// It changes.
    Alter {
        /// The table as it is recorded.
        before: Box<Table>,
        /// The table as it is declared.
        after: Box<Table>,
        /// The differences; never empty.
        changes: Vec<Change>,
    },
}

/// One difference between a recorded and a declared table. Columns have their declared names.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "every field is the name or the value of what its variant is about, before and after")]
#[non_exhaustive]
pub enum Change {
    /// The table is renamed.
    RenameTable { from: String, to: String },
    /// Another engine, or other arguments.
    Engine { from: Engine, to: Engine },
    /// Another sorting key.
    SortingKey { from: Vec<String>, to: Vec<String> },
    /// Another primary key.
    PrimaryKey { from: Vec<String>, to: Vec<String> },
    /// Another partition key.
    PartitionKey { from: Option<String>, to: Option<String> },
    /// Another sample key.
    SampleKey { from: Option<String>, to: Option<String> },
    /// A new column.
    AddColumn { column: Column, position: Position },
    /// A column is dropped, as declared.
    DropColumn { name: String, data_type: DataType },
    /// A column is renamed.
    RenameColumn { from: String, to: String },
    /// A column becomes stored, or is stored no longer.
    ReplaceColumn { before: Column, after: Column },
    /// Another type.
    ColumnType { column: String, from: DataType, to: DataType, fit: Fit },
    /// Another default, or another kind of it.
    ColumnDefault { column: String, from: Option<ColumnDefault>, to: Option<ColumnDefault> },
    /// Another codec.
    ColumnCodec { column: String, from: Option<String>, to: Option<String> },
    /// Another TTL of a column.
    ColumnTtl { column: String, from: Option<String>, to: Option<String> },
    /// Another comment of a column.
    ColumnComment { column: String, from: Option<String>, to: Option<String> },
    /// A column moves.
    MoveColumn { column: String, position: Position },
    /// Another TTL of the table.
    TableTtl { from: Option<String>, to: Option<String> },
    /// A new skipping index.
    AddIndex { index: Index },
    /// A skipping index is dropped.
    DropIndex { name: String },
    /// A new projection.
    AddProjection { projection: Projection },
    /// A projection is dropped.
    DropProjection { name: String },
    /// A new constraint.
    AddConstraint { constraint: Constraint },
    /// A constraint is dropped.
    DropConstraint { name: String },
    /// Another setting.
    Setting { name: String, from: Option<String>, to: Option<String> },
    /// Another comment of the table.
    TableComment { from: Option<String>, to: Option<String> },
    /// The provenance columns are added or dropped.
    Provenance { to: bool },
    /// The table moves to another cluster.
    Cluster { from: Option<String>, to: Option<String> },
}

/// Settings that can't be changed after a table is created.
const LIFELONG_SETTINGS: [&str; 5] = [
    "index_granularity",
    "index_granularity_bytes",
    "enable_mixed_granularity_parts",
    "add_minmax_index_for_numeric_columns",
    "add_minmax_index_for_string_columns",
];

impl Change {
    /// What it does to existing rows.
    pub fn risk(&self) -> Risk {
        match self {
            Self::DropColumn { .. }
            | Self::ColumnTtl { to: Some(_), .. }
            | Self::TableTtl { to: Some(_), .. }
            | Self::Provenance { to: false }
            | Self::ColumnType { fit: Fit::Narrows | Fit::Never, .. } => Risk::Destructive,
            Self::ReplaceColumn { before, .. } if before.is_stored() => Risk::Destructive,
            Self::Engine { from, to } if from.kind != to.kind && !to.keeps_every_row() => Risk::Destructive,
            Self::Setting { name, .. } if LIFELONG_SETTINGS.contains(&name.as_str()) => Risk::Rewrite,
            Self::Engine { .. }
            | Self::SortingKey { .. }
            | Self::PrimaryKey { .. }
            | Self::PartitionKey { .. }
            | Self::SampleKey { .. }
            | Self::AddProjection { .. } => Risk::Rewrite,
            Self::ColumnDefault { from, .. } if is_stored(from.as_ref()) => Risk::Rewrite,
            _ => Risk::Safe,
        }
    }

    /// Whether no ALTER can make it, so that the table must be rebuilt.
    pub(super) fn needs_new_table(&self) -> bool {
        match self {
            Self::Engine { .. }
            | Self::SortingKey { .. }
            | Self::PrimaryKey { .. }
            | Self::PartitionKey { .. }
            | Self::SampleKey { .. } => true,
            Self::Setting { name, .. } => LIFELONG_SETTINGS.contains(&name.as_str()),
            _ => false,
        }
    }

    /// Whether no INSERT may be under way meanwhile: one created before would fail for ever, or could not be recognised
    /// after.
    pub(super) fn needs_drain(&self) -> bool {
        match self {
            Self::RenameTable { .. }
            | Self::RenameColumn { .. }
            | Self::DropColumn { .. }
            | Self::Provenance { .. }
            | Self::ReplaceColumn { .. } => true,
            Self::ColumnType { fit, .. } => *fit != Fit::Widens,
            _ => false,
        }
    }
}

impl Column {
    /// Whether the column's values are stored.
    pub(super) fn is_stored(&self) -> bool {
        is_stored(self.default.as_ref())
    }
}

/// Whether a column with this default is stored.
pub(super) fn is_stored(default: Option<&ColumnDefault>) -> bool {
    !matches!(default.map(|default| default.kind), Some(DefaultKind::Alias | DefaultKind::Ephemeral))
}

impl Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => formatter.write_str("first"),
            Self::After(column) => write!(formatter, "after `{column}`"),
        }
    }
}

impl Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = formatter;
        match self {
            Self::RenameTable { from, to } => write!(f, "rename table `{from}` to `{to}`"),
            Self::Engine { from, to } => write!(f, "engine: {from} -> {to}"),
            Self::SortingKey { from, to } => write!(f, "sorting key: {} -> {}", key(from), key(to)),
            Self::PrimaryKey { from, to } => write!(f, "primary key: {} -> {}", key(from), key(to)),
            Self::PartitionKey { from, to } => {
                write!(f, "partition key: {} -> {}", text(from.as_ref()), text(to.as_ref()))
            }
            Self::SampleKey { from, to } => write!(f, "sample key: {} -> {}", text(from.as_ref()), text(to.as_ref())),
            Self::AddColumn { column, position } => write!(f, "add column {} {position}", line(&column.definition())),
            Self::DropColumn { name, data_type } => write!(f, "drop column `{name}` {data_type}"),
            Self::RenameColumn { from, to } => write!(f, "rename column `{from}` to `{to}`"),
            Self::ReplaceColumn { before, after } => {
                write!(f, "replace column {} with {}", line(&before.definition()), line(&after.definition()))
            }
            Self::ColumnType { column, from, to, .. } => write!(f, "column `{column}`: type {from} -> {to}"),
            Self::ColumnDefault { column, from, to } => {
                write!(f, "column `{column}`: default {} -> {}", default(from.as_ref()), default(to.as_ref()))
            }
            Self::ColumnCodec { column, from, to } => {
                write!(f, "column `{column}`: codec {} -> {}", text(from.as_ref()), text(to.as_ref()))
            }
            Self::ColumnTtl { column, from, to } => {
                write!(f, "column `{column}`: TTL {} -> {}", text(from.as_ref()), text(to.as_ref()))
            }
            Self::ColumnComment { column, from, to } => {
                write!(f, "column `{column}`: comment {} -> {}", text(from.as_ref()), text(to.as_ref()))
            }
            Self::MoveColumn { column, position } => write!(f, "move column `{column}` {position}"),
            Self::TableTtl { from, to } => write!(f, "TTL: {} -> {}", text(from.as_ref()), text(to.as_ref())),
            Self::AddIndex { index } => write!(f, "add {}", line(&index.definition())),
            Self::DropIndex { name } => write!(f, "drop index `{name}`"),
            Self::AddProjection { projection } => write!(f, "add {}", line(&projection.definition())),
            Self::DropProjection { name } => write!(f, "drop projection `{name}`"),
            Self::AddConstraint { constraint } => write!(f, "add {}", line(&constraint.definition())),
            Self::DropConstraint { name } => write!(f, "drop constraint `{name}`"),
            Self::Setting { name, from, to } => {
                write!(f, "setting {name}: {} -> {}", text(from.as_ref()), text(to.as_ref()))
            }
            Self::TableComment { from, to } => write!(f, "comment: {} -> {}", text(from.as_ref()), text(to.as_ref())),
            Self::Provenance { to: true } => f.write_str("add the hidden columns of delivery"),
            Self::Provenance { to: false } => f.write_str("drop the hidden columns of delivery"),
            Self::Cluster { from, to } => write!(f, "cluster: {} -> {}", text(from.as_ref()), text(to.as_ref())),
        }
    }
}

/// The text in one line, so that it stays in a comment.
pub(super) fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn text(text: Option<&String>) -> String {
    text.map_or_else(|| "none".to_owned(), |text| line(text))
}

fn key(columns: &[String]) -> String {
    format!("({})", columns.join(", "))
}

fn default(default: Option<&ColumnDefault>) -> String {
    default.map_or_else(|| "none".to_owned(), |default| line(&format!("{} {}", default.kind, default.expression)))
}
