//! How a real table differs from its declaration, column by column.
//!
//! Used where a pipeline starts, to say what differs, and before INSERTs, where a difference that
//! [prevents them](Difference::prevents_insert) must never be written over: ClickHouse converts silently what does not
//! fit.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Display},
    str::FromStr,
};

use super::{DataType, Table, provenance};

/// A column as `system.columns` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActualColumn {
    /// `name`
    pub name: String,
    /// `type`
    pub data_type: String,
    /// `default_kind`
    pub default_kind: DefaultKind,
}

/// What a column holds where an INSERT does not name it: `default_kind` of `system.columns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultKind {
    /// Empty: the type's default.
    None,
    /// `DEFAULT`: an expression.
    Default,
    /// `MATERIALIZED`: an expression, and hidden from `SELECT *`.
    Materialized,
    /// `EPHEMERAL`: not stored.
    Ephemeral,
    /// `ALIAS`: computed by reading.
    Alias,
}

impl DefaultKind {
    /// Whether an INSERT can give the column a value that is stored.
    fn is_stored_from_insert(self) -> bool {
        matches!(self, Self::None | Self::Default | Self::Materialized)
    }
}

impl FromStr for DefaultKind {
    type Err = UnknownDefaultKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "" => Ok(Self::None),
            "DEFAULT" => Ok(Self::Default),
            "MATERIALIZED" => Ok(Self::Materialized),
            "EPHEMERAL" => Ok(Self::Ephemeral),
            "ALIAS" => Ok(Self::Alias),
            _ => Err(UnknownDefaultKind { text: text.to_owned() }),
        }
    }
}

impl Display for DefaultKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::None => "ordinary",
            Self::Default => "DEFAULT",
            Self::Materialized => "MATERIALIZED",
            Self::Ephemeral => "EPHEMERAL",
            Self::Alias => "ALIAS",
        })
    }
}

/// A `default_kind` that this version does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown default kind `{text}` in system.columns")]
pub struct UnknownDefaultKind {
    /// What the server said.
    pub text: String,
}

/// One thing in which a real table is not as declared.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// A declared column is not there.
    Missing {
        /// Its name.
        column: String,
        /// Its declared type.
        declared: String,
    },
    /// A column that is not declared.
    Extra {
        /// Its name.
        column: String,
        /// Its type in the table.
        actual: String,
    },
    /// Declared with another type.
    TypeDiffers {
        /// Its name.
        column: String,
        /// Its declared type.
        declared: String,
        /// Its type in the table.
        actual: String,
    },
    /// Declared with another kind of default.
    KindDiffers {
        /// Its name.
        column: String,
        /// Its declared kind.
        declared: DefaultKind,
        /// Its kind in the table.
        actual: DefaultKind,
    },
}

impl Difference {
    /// Whether an INSERT of the declared columns would fail or store something else than what was sent. A column more
    /// than declared does not: an older binary goes on while a newer one has already added its column.
    pub fn prevents_insert(&self) -> bool {
        match self {
            Self::Missing { .. } | Self::TypeDiffers { .. } => true,
            Self::Extra { .. } => false,
            Self::KindDiffers { actual, .. } => !actual.is_stored_from_insert(),
        }
    }
}

impl Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { column, declared } => {
                write!(formatter, "column `{column}` is missing: declared as {declared}")
            }
            Self::Extra { column, actual } => write!(formatter, "column `{column}` ({actual}) is not declared"),
            Self::TypeDiffers { column, declared, actual } => {
                write!(formatter, "column `{column}` is {actual}: declared as {declared}")
            }
            Self::KindDiffers { column, declared, actual } => {
                write!(formatter, "column `{column}` is {actual}: declared as {declared}")
            }
        }
    }
}

/// A declared column, hidden ones included.
struct Expected<'a> {
    name: &'a str,
    data_type: DataType,
    kind: DefaultKind,
}

/// Everything in which `actual`, all columns of a real table, is not as `declared`; first in the order of the
/// declaration, then what the table has beyond it.
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

fn expected_columns(declared: &Table) -> Vec<Expected<'_>> {
    let mut expected: Vec<Expected<'_>> = declared
        .columns
        .iter()
        .map(|column| Expected {
            name: &column.name,
            data_type: column.data_type.clone(),
            kind: if column.default.is_some() { DefaultKind::Default } else { DefaultKind::None },
        })
        .collect();
    if declared.provenance {
        expected.extend(provenance::COLUMNS.iter().map(|column| Expected {
            name: column.name,
            data_type: column.data_type.clone(),
            kind: DefaultKind::Materialized,
        }));
    }
    expected
}

fn compare(expected: &Expected<'_>, actual: Option<&ActualColumn>) -> Vec<Difference> {
    let column = expected.name.to_owned();
    let Some(actual) = actual else {
        return vec![Difference::Missing { column, declared: expected.data_type.to_string() }];
    };
    let mut found = Vec::new();
    // Compared as types, since a server may write one type in several ways. A type that can't be read is not ours.
    if actual.data_type.parse::<DataType>().ok().as_ref() != Some(&expected.data_type) {
        found.push(Difference::TypeDiffers {
            column: column.clone(),
            declared: expected.data_type.to_string(),
            actual: actual.data_type.clone(),
        });
    }
    if actual.default_kind != expected.kind {
        found.push(Difference::KindDiffers { column, declared: expected.kind, actual: actual.default_kind });
    }
    found
}

#[cfg(test)]
#[path = "difference_tests.rs"]
mod tests;
