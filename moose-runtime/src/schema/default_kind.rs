//! The kind of a column's default: `DEFAULT`, `MATERIALIZED`, `ALIAS`, `EPHEMERAL`.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

/// The kind of a column's default: a non-empty `default_kind` of `system.columns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DefaultKind {
    /// `DEFAULT`: the value of an expression.
    Default,
    /// `MATERIALIZED`: always the value of an expression, and hidden from `SELECT *`.
    Materialized,
    /// `EPHEMERAL`: for other columns' expressions only, not stored.
    Ephemeral,
    /// `ALIAS`: computed on reading.
    Alias,
}

impl DefaultKind {
    /// The kind that `system.columns` shows; `None` for an ordinary column, which it shows as empty.
    #[doc(hidden)]
    pub fn read(text: &str) -> Result<Option<Self>, UnknownDefaultKind> {
        match text {
            "" => Ok(None),
            "DEFAULT" => Ok(Some(Self::Default)),
            "MATERIALIZED" => Ok(Some(Self::Materialized)),
            "EPHEMERAL" => Ok(Some(Self::Ephemeral)),
            "ALIAS" => Ok(Some(Self::Alias)),
            _ => Err(UnknownDefaultKind { text: text.to_owned() }),
        }
    }

    /// Whether a record's INSERT gives a value for a column of this kind.
    pub const fn is_inserted(self) -> bool {
        matches!(self, Self::Default | Self::Ephemeral)
    }
}

impl Display for DefaultKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
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
    /// The server's text.
    pub text: String,
}
