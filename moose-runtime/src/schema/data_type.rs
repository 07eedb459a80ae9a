//! A ClickHouse type by its text.

use std::{convert::Infallible, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A ClickHouse type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum DataType {
    /// `UInt16`
    UInt16,
    /// `UInt64`
    UInt64,
    /// Any other.
    Other(String),
}

impl fmt::Display for DataType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::UInt64 => "UInt64",
            Self::UInt16 => "UInt16",
            Self::Other(text) => text,
        })
    }
}

impl From<String> for DataType {
    fn from(text: String) -> Self {
        match text.as_str() {
            "UInt16" => Self::UInt16,
            "UInt64" => Self::UInt64,
            _ => Self::Other(text.replace(", ", ",").replace(',', ", ")),
        }
    }
}

impl From<DataType> for String {
    fn from(data_type: DataType) -> Self {
        data_type.to_string()
    }
}

impl FromStr for DataType {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::from(text.to_owned()))
    }
}

impl From<crate::record::DataType> for DataType {
    fn from(data_type: crate::record::DataType) -> Self {
        Self::from(data_type.to_string())
    }
}
