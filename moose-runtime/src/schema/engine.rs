//! Table engines of the MergeTree family, parsed from and printed as ClickHouse's own text.
//!
//! The text is the engine alone, as in DDL and at the beginning of `engine_full` in `system.tables`.

use std::{
    fmt::{self, Display},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use super::{
    lexer::{Lexer, TokenKind, unquoted},
    quote::{quote_identifier, quote_string},
};

/// A table engine. `parse(print(e)) = e`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Engine {
    /// What merging does to rows.
    pub kind: EngineKind,
    /// Whether and where the table has replicas.
    pub replication: Replication,
}

/// What merging does to the rows of a table, with the columns that say so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineKind {
    /// `MergeTree`: keeps every row.
    #[default]
    MergeTree,
    /// `ReplacingMergeTree([version[, is_deleted]])`: keeps the last of the rows with one sorting key, or the one with
    /// the highest version.
    ReplacingMergeTree {
        /// `UInt*`, a date or a time: the row with the highest one is kept.
        version: Option<String>,
        /// `UInt8`: if the row that would be kept has 1, it is deleted too. Needs a version.
        is_deleted: Option<String>,
    },
    /// `SummingMergeTree([columns])`: sums numbers of the rows with one sorting key.
    SummingMergeTree {
        /// The columns to sum; empty means all numbers outside the sorting key.
        columns: Vec<String>,
    },
    /// `AggregatingMergeTree`: merges the aggregate states of the rows with one sorting key.
    AggregatingMergeTree,
    /// `CollapsingMergeTree(sign)`: a row with sign -1 cancels one with sign 1.
    CollapsingMergeTree {
        /// `Int8`: 1 or -1.
        sign: String,
    },
    /// `VersionedCollapsingMergeTree(sign, version)`: the same for rows of one version, which may arrive in any order.
    VersionedCollapsingMergeTree {
        /// `Int8`: 1 or -1.
        sign: String,
        /// `UInt*`, a date or a time: the version of the row.
        version: String,
    },
    /// `CoalescingMergeTree([columns])`: keeps the last value that is not NULL of the rows with one sorting key.
    CoalescingMergeTree {
        /// The columns to coalesce; empty means all outside the sorting key.
        columns: Vec<String>,
    },
}

/// Whether and where a table has replicas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Replication {
    /// No replicas.
    #[default]
    None,
    /// `Replicated…`, at the path that the server's configuration defines.
    Default,
    /// `Replicated…('path', 'replica')`.
    At {
        /// Path in Keeper, such as `/clickhouse/tables/{shard}/events`.
        path: String,
        /// Name of the replica, such as `{replica}`.
        replica: String,
    },
}

impl EngineKind {
    /// Name of the engine without replication.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::MergeTree => "MergeTree",
            Self::ReplacingMergeTree { .. } => "ReplacingMergeTree",
            Self::SummingMergeTree { .. } => "SummingMergeTree",
            Self::AggregatingMergeTree => "AggregatingMergeTree",
            Self::CollapsingMergeTree { .. } => "CollapsingMergeTree",
            Self::VersionedCollapsingMergeTree { .. } => "VersionedCollapsingMergeTree",
            Self::CoalescingMergeTree { .. } => "CoalescingMergeTree",
        }
    }

    fn arguments(&self) -> Vec<String> {
        match self {
            Self::MergeTree | Self::AggregatingMergeTree => Vec::new(),
            Self::ReplacingMergeTree { version, is_deleted } => {
                version.iter().chain(is_deleted).map(|column| quote_identifier(column)).collect()
            }
            Self::SummingMergeTree { columns } | Self::CoalescingMergeTree { columns } if columns.is_empty() => {
                Vec::new()
            }
            Self::SummingMergeTree { columns } | Self::CoalescingMergeTree { columns } => {
                let names: Vec<String> = columns.iter().map(|column| quote_identifier(column)).collect();
                vec![format!("({})", names.join(", "))]
            }
            Self::CollapsingMergeTree { sign } => vec![quote_identifier(sign)],
            Self::VersionedCollapsingMergeTree { sign, version } => {
                vec![quote_identifier(sign), quote_identifier(version)]
            }
        }
    }

    /// The kind with this name and these arguments; `None` if they don't fit.
    fn new(name: &str, arguments: Vec<Argument>) -> Option<Self> {
        let mut names = Vec::new();
        let mut list = Vec::new();
        for argument in arguments {
            match argument {
                Argument::Name(name) => names.push(name),
                Argument::List(columns) => list = columns,
                Argument::Text(_) => return None,
            }
        }
        let columns = || if list.is_empty() { names.clone() } else { list.clone() };
        let one_list = list.is_empty() || names.is_empty();
        Some(match (name, names.as_slice()) {
            ("MergeTree", []) if list.is_empty() => Self::MergeTree,
            ("AggregatingMergeTree", []) if list.is_empty() => Self::AggregatingMergeTree,
            ("ReplacingMergeTree", [] | [_] | [_, _]) if list.is_empty() => {
                let mut names = names.into_iter();
                Self::ReplacingMergeTree { version: names.next(), is_deleted: names.next() }
            }
            ("SummingMergeTree", [] | [_]) if one_list => Self::SummingMergeTree { columns: columns() },
            ("CoalescingMergeTree", [] | [_]) if one_list => Self::CoalescingMergeTree { columns: columns() },
            ("CollapsingMergeTree", [sign]) if list.is_empty() => Self::CollapsingMergeTree { sign: sign.clone() },
            ("VersionedCollapsingMergeTree", [sign, version]) if list.is_empty() => {
                Self::VersionedCollapsingMergeTree { sign: sign.clone(), version: version.clone() }
            }
            _ => return None,
        })
    }
}

impl Engine {
    /// Name of the engine, as `system.tables` has it.
    pub fn name(&self) -> String {
        let prefix = if self.is_replicated() { "Replicated" } else { "" };
        format!("{prefix}{}", self.kind.name())
    }

    /// Whether the table has replicas.
    pub fn is_replicated(&self) -> bool {
        self.replication != Replication::None
    }

    /// Names of the columns that are its parameters.
    pub fn columns(&self) -> Vec<String> {
        match &self.kind {
            EngineKind::MergeTree | EngineKind::AggregatingMergeTree => Vec::new(),
            EngineKind::ReplacingMergeTree { version, is_deleted } => {
                version.iter().chain(is_deleted).cloned().collect()
            }
            EngineKind::SummingMergeTree { columns } | EngineKind::CoalescingMergeTree { columns } => columns.clone(),
            EngineKind::CollapsingMergeTree { sign } => vec![sign.clone()],
            EngineKind::VersionedCollapsingMergeTree { sign, version } => vec![sign.clone(), version.clone()],
        }
    }

    /// Whether every row stays as it was inserted.
    pub fn keeps_every_row(&self) -> bool {
        self.kind == EngineKind::MergeTree
    }

    /// Whether the engine `actual` is as declared. If the server chooses the replica's path, any path is.
    pub fn is_met_by(&self, actual: &Self) -> bool {
        let placed = match &self.replication {
            Replication::Default => actual.is_replicated(),
            other => *other == actual.replication,
        };
        self.kind == actual.kind && placed
    }

    /// Parses the engine at the beginning of an `engine_full`; returns the clauses after it too.
    pub fn read(engine_full: &str) -> Result<(Self, &str), EngineError> {
        let unknown = || EngineError::Unknown { text: engine_full.to_owned() };
        let mut reader = Reader { rest: engine_full.trim_start() };
        let name = reader.word().ok_or_else(unknown)?;
        let mut arguments = if reader.sign('(') { reader.arguments().ok_or_else(unknown)? } else { Vec::new() };
        let (replication, name) = match name.strip_prefix("Replicated") {
            None => (Replication::None, name.as_str()),
            Some(name) => match arguments.as_slice() {
                [Argument::Text(path), Argument::Text(replica), ..] => {
                    let at = Replication::At { path: path.clone(), replica: replica.clone() };
                    arguments.drain(..2);
                    (at, name)
                }
                _ => (Replication::Default, name),
            },
        };
        let kind = EngineKind::new(name, arguments).ok_or_else(unknown)?;
        Ok((Self { kind, replication }, reader.rest.trim_start()))
    }
}

impl Display for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut arguments = match &self.replication {
            Replication::At { path, replica } => vec![quote_string(path), quote_string(replica)],
            Replication::None | Replication::Default => Vec::new(),
        };
        arguments.extend(self.kind.arguments());
        formatter.write_str(&self.name())?;
        if arguments.is_empty() { Ok(()) } else { write!(formatter, "({})", arguments.join(", ")) }
    }
}

impl From<Engine> for String {
    fn from(engine: Engine) -> Self {
        engine.to_string()
    }
}

impl From<EngineKind> for Engine {
    fn from(kind: EngineKind) -> Self {
        Self { kind, replication: Replication::None }
    }
}

impl FromStr for Engine {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self, EngineError> {
        match Self::read(text)? {
            (engine, "") => Ok(engine),
            _ => Err(EngineError::Unknown { text: text.to_owned() }),
        }
    }
}

impl TryFrom<String> for Engine {
    type Error = EngineError;

    fn try_from(text: String) -> Result<Self, EngineError> {
        text.parse()
    }
}

/// A text that is no engine of the MergeTree family, as far as this version knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// Another engine, or invalid arguments.
    #[error("`{text}` is no table engine that a declaration can name")]
    Unknown {
        /// The whole text.
        text: String,
    },
}

/// An argument of an engine.
enum Argument {
    Name(String),
    Text(String),
    List(Vec<String>),
}

/// Parses an engine.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn sign(&mut self, sign: char) -> bool {
        let rest = self.rest.trim_start().strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// The next token, if it is one of these.
    fn token(&mut self, kinds: &[TokenKind]) -> Option<String> {
        let token = Lexer::new(self.rest).next_significant().filter(|token| kinds.contains(&token.kind))?;
        let text = unquoted(token.of(self.rest));
        self.rest = self.rest.get(token.end..)?;
        Some(text)
    }

    fn word(&mut self) -> Option<String> {
        self.token(&[TokenKind::Word])
    }

    fn name(&mut self) -> Option<String> {
        self.token(&[TokenKind::Word, TokenKind::Name])
    }

    /// Up to the closing parenthesis.
    fn arguments(&mut self) -> Option<Vec<Argument>> {
        let mut arguments = Vec::new();
        if self.sign(')') {
            return Some(arguments);
        }
        loop {
            arguments.push(if let Some(text) = self.token(&[TokenKind::Text]) {
                Argument::Text(text)
            } else if self.sign('(') {
                let mut names = vec![self.name()?];
                while self.sign(',') {
                    names.push(self.name()?);
                }
                self.sign(')').then_some(Argument::List(names))?
            } else {
                Argument::Name(self.name()?)
            });
            if self.sign(')') {
                return Some(arguments);
            }
            self.sign(',').then_some(())?;
        }
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
