//! Compares a real table with its declaration, column by column.
//!
//! Used when a pipeline starts, to report differences, and before INSERTs: nothing may be written to a table with a
//! difference that [prevents them](Difference::prevents_insert), because ClickHouse silently converts values that don't
//! fit.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Display},
};

use super::{Column, DataType, DefaultKind, Table, provenance};

/// A column as `system.columns` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActualColumn {
    /// `name`
    pub name: String,
    /// `type`
    pub data_type: String,
    /// `default_kind`; `None` if it is empty.
    pub default_kind: Option<DefaultKind>,
}

/// A kind as text, or that there is none.
fn kind_text(kind: Option<DefaultKind>) -> String {
    kind.map_or_else(|| "ordinary".to_owned(), |kind| kind.to_string())
}

/// One difference between a real table and its declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// A declared column is missing.
    Missing {
        /// Its name.
        column: String,
        /// Its declared type.
        declared: String,
        /// Its role for INSERTs.
        role: Role,
    },
    /// A column is not declared.
    Extra {
        /// Its name.
        column: String,
        /// Its type in the table.
        actual: String,
    },
    /// The declared type is another one.
    TypeDiffers {
        /// Its name.
        column: String,
        /// Its declared type.
        declared: String,
        /// Its type in the table.
        actual: String,
        /// Its role for INSERTs.
        role: Role,
    },
    /// The declared kind of default is another one.
    KindDiffers {
        /// Its name.
        column: String,
        /// Its declared kind.
        declared: Option<DefaultKind>,
        /// Its kind in the table.
        actual: Option<DefaultKind>,
        /// Its role for INSERTs.
        role: Role,
    },
}

/// The role of a declared column for a record's INSERT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The INSERT gives its value, which is stored.
    Stored,
    /// The INSERT gives its value, which only other columns' expressions use.
    Passed,
    /// ClickHouse computes and stores it.
    Computed,
    /// ClickHouse computes it on reading; INSERTs don't matter.
    Read,
}

impl From<&Column> for Role {
    fn from(column: &Column) -> Self {
        match column.default.as_ref().map(|default| default.kind) {
            None | Some(DefaultKind::Default) => Self::Stored,
            Some(DefaultKind::Ephemeral) => Self::Passed,
            Some(DefaultKind::Materialized) => Self::Computed,
            Some(DefaultKind::Alias) => Self::Read,
        }
    }
}

impl Difference {
    /// Whether an INSERT of the declared columns would fail, or store something other than declared. An additional
    /// column does not matter: an older binary continues while a newer one has already added its column.
    pub fn prevents_insert(&self) -> bool {
        match self {
            Self::Missing { role, .. } | Self::TypeDiffers { role, .. } => *role != Role::Read,
            Self::Extra { .. } => false,
            Self::KindDiffers { actual, role, .. } => match role {
                Role::Stored => matches!(actual, Some(DefaultKind::Ephemeral | DefaultKind::Alias)),
                Role::Passed => *actual == Some(DefaultKind::Alias),
                // It would get its type's default instead of the declared expression.
                Role::Computed => *actual != Some(DefaultKind::Default),
                Role::Read => false,
            },
        }
    }
}

impl Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { column, declared, .. } => {
                write!(formatter, "column `{column}` is missing: declared as {declared}")
            }
            Self::Extra { column, actual } => write!(formatter, "column `{column}` ({actual}) is not declared"),
            Self::TypeDiffers { column, declared, actual, .. } => {
                write!(formatter, "column `{column}` is {actual}: declared as {declared}")
            }
            Self::KindDiffers { column, declared, actual, .. } => {
                write!(formatter, "column `{column}` is {}: declared as {}", kind_text(*actual), kind_text(*declared))
            }
        }
    }
}

/// A declared column, provenance columns included.
struct Expected<'a> {
    name: &'a str,
    data_type: DataType,
    kind: Option<DefaultKind>,
    role: Role,
}

/// All differences between `actual`, all columns of a real table, and the declaration; first in the order of the
/// declaration, then the undeclared columns.
pub fn differences(declared: &Table, actual: &[ActualColumn]) -> Vec<Difference> {
    let by_name: BTreeMap<&str, &ActualColumn> = actual.iter().map(|column| (column.name.as_str(), column)).collect();
    let expected = expected_columns(declared);
    let names: BTreeSet<&str> = expected.iter().map(|column| column.name).collect();
    let mut found: Vec<Difference> =
        expected.iter().flat_map(|column| compare(column, by_name.get(column.name).copied())).collect();
    found.extend(
        actual
            .iter()
            .filter(|column| !names.contains(column.name.as_str()))
            .map(|column| Difference::Extra { column: column.name.clone(), actual: column.data_type.clone() }),
    );
    found
}

/// How to accept a table with its rows if it lacks the provenance columns: the statement to run, or what to declare.
/// `None` if it has them.
pub fn adopting(declared: &Table, found: &[Difference]) -> Option<String> {
    let lacks = |name: &str| found.iter().any(|it| matches!(it, Difference::Missing { column, .. } if column == name));
    provenance::COLUMNS.iter().any(|hidden| lacks(hidden.name)).then(|| declared.adopting())
}

fn expected_columns(declared: &Table) -> Vec<Expected<'_>> {
    let mut expected: Vec<Expected<'_>> = declared
        .columns
        .iter()
        .map(|column| Expected {
            name: &column.name,
            data_type: column.data_type.clone(),
            kind: column.default.as_ref().map(|default| default.kind),
            role: Role::from(column),
        })
        .collect();
    if declared.provenance {
        expected.extend(provenance::COLUMNS.iter().map(|column| Expected {
            name: column.name,
            data_type: column.data_type.clone(),
            kind: Some(DefaultKind::Materialized),
            // Our INSERTs fill them, although they are materialized.
            role: Role::Stored,
        }));
    }
    expected
}

fn compare(expected: &Expected<'_>, actual: Option<&ActualColumn>) -> Vec<Difference> {
    let column = expected.name.to_owned();
    let Some(actual) = actual else {
        return vec![Difference::Missing { column, declared: expected.data_type.to_string(), role: expected.role }];
    };
    let mut found = Vec::new();
    // Compared as types, since a server may write one type in several ways. A type that can't be parsed is not ours.
    if actual.data_type.parse::<DataType>().ok().as_ref() != Some(&expected.data_type) {
        found.push(Difference::TypeDiffers {
            column: column.clone(),
            declared: expected.data_type.to_string(),
            actual: actual.data_type.clone(),
            role: expected.role,
        });
    }
    if actual.default_kind != expected.kind {
        found.push(Difference::KindDiffers {
            column,
            declared: expected.kind,
            actual: actual.default_kind,
            role: expected.role,
        });
    }
    found
}

#[cfg(test)]
#[path = "difference_tests.rs"]
mod tests;
