//! The ClickHouse type of a column, from and to ClickHouse's own text.
//!
//! The text is the one of `system.columns` and of DDL. What this version does not know keeps its text, so a table with
//! such columns can still be read and compared.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A ClickHouse type, owned: what stands in a schema or was read from a server.
///
/// `parse(print(t)) = t`, and printing what was parsed gives ClickHouse's own spelling of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
#[non_exhaustive]
pub enum DataType {
    /// `String`
    String,
    /// `Bool`
    Bool,
    /// `Int8`
    Int8,
    /// `Int16`
    Int16,
    /// `Int32`
    Int32,
    /// `Int64`
    Int64,
    /// `UInt8`
    UInt8,
    /// `UInt16`
    UInt16,
    /// `UInt32`
    UInt32,
    /// `UInt64`
    UInt64,
    /// `Float32`
    Float32,
    /// `Float64`
    Float64,
    /// `Date32`
    Date32,
    /// `DateTime64(precision)` or `DateTime64(precision, 'timezone')`
    DateTime64 {
        /// Decimal digits of the second's fraction, 0 to 9.
        precision: u8,
        /// Time zone in which the server prints the values.
        timezone: Option<String>,
    },
    /// `UUID`
    Uuid,
    /// `Nullable(…)`
    Nullable(Box<DataType>),
    /// `Array(…)`
    Array(Box<DataType>),
    /// `LowCardinality(…)`
    LowCardinality(Box<DataType>),
    /// Any other type, as ClickHouse writes it.
    Other(String),
}

/// Types without parameters, and their texts.
const PLAIN: [(DataType, &str); 14] = [
    (DataType::String, "String"),
    (DataType::Bool, "Bool"),
    (DataType::Int8, "Int8"),
    (DataType::Int16, "Int16"),
    (DataType::Int32, "Int32"),
    (DataType::Int64, "Int64"),
    (DataType::UInt8, "UInt8"),
    (DataType::UInt16, "UInt16"),
    (DataType::UInt32, "UInt32"),
    (DataType::UInt64, "UInt64"),
    (DataType::Float32, "Float32"),
    (DataType::Float64, "Float64"),
    (DataType::Date32, "Date32"),
    (DataType::Uuid, "UUID"),
];

impl DataType {
    /// Whether values of the type can be NULL, as far as the type is known.
    pub fn is_nullable(&self) -> bool {
        match self {
            Self::Nullable(_) => true,
            Self::LowCardinality(inner) => inner.is_nullable(),
            _ => false,
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DateTime64 { precision, timezone: None } => write!(formatter, "DateTime64({precision})"),
            Self::DateTime64 { precision, timezone: Some(timezone) } => {
                write!(formatter, "DateTime64({precision}, '{timezone}')")
            }
            Self::Nullable(inner) => write!(formatter, "Nullable({inner})"),
            Self::Array(inner) => write!(formatter, "Array({inner})"),
            Self::LowCardinality(inner) => write!(formatter, "LowCardinality({inner})"),
            Self::Other(text) => formatter.write_str(text),
            plain => {
                formatter.write_str(PLAIN.iter().find(|(data_type, _)| data_type == plain).map_or("", |(_, text)| text))
            }
        }
    }
}

impl From<DataType> for String {
    fn from(data_type: DataType) -> Self {
        data_type.to_string()
    }
}

impl TryFrom<String> for DataType {
    type Error = DataTypeError;

    fn try_from(text: String) -> Result<Self, DataTypeError> {
        text.parse()
    }
}

/// A text that can't be a type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DataTypeError {
    /// There is nothing.
    #[error("a column type is empty")]
    Empty,
    /// A parenthesis or quote has no partner, or something stands after the last.
    #[error("the parentheses and quotes of the column type `{text}` don't match")]
    Unbalanced {
        /// The whole text.
        text: String,
    },
    /// Types in types in types.
    #[error("a column type is nested deeper than {most} levels")]
    TooDeep {
        /// Levels that are read.
        most: usize,
    },
}

/// Deeper types than any table has; a bound on what a text can make the parser do.
const DEEPEST: usize = 64;

impl FromStr for DataType {
    type Err = DataTypeError;

    fn from_str(text: &str) -> Result<Self, DataTypeError> {
        if is_balanced(text) { parse(text, DEEPEST) } else { Err(DataTypeError::Unbalanced { text: text.to_owned() }) }
    }
}

/// A type's text whose parentheses and quotes match.
fn parse(text: &str, depth: usize) -> Result<DataType, DataTypeError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(DataTypeError::Empty);
    }
    if depth == 0 {
        return Err(DataTypeError::TooDeep { most: DEEPEST });
    }
    if let Some((data_type, _)) = PLAIN.iter().find(|(_, name)| *name == text) {
        return Ok(data_type.clone());
    }
    let inner = |text: &str| Ok(Box::new(parse(text, depth - 1)?));
    let known = match arguments(text) {
        Some(("Nullable", of)) => Some(DataType::Nullable(inner(of)?)),
        Some(("Array", of)) => Some(DataType::Array(inner(of)?)),
        Some(("LowCardinality", of)) => Some(DataType::LowCardinality(inner(of)?)),
        Some(("DateTime64", of)) => date_time64(of),
        _ => None,
    };
    Ok(known.unwrap_or_else(|| DataType::Other(text.to_owned())))
}

/// `name` and `inside` of `name(inside)`.
fn arguments(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.split_once('(')?;
    let inside = rest.strip_suffix(')').filter(|inside| is_balanced(inside))?;
    Some((name.trim_end(), inside))
}

fn date_time64(arguments: &str) -> Option<DataType> {
    let (precision, timezone) = match arguments.split_once(',') {
        Some((precision, timezone)) => (precision, Some(timezone)),
        None => (arguments, None),
    };
    let precision = precision.trim().parse().ok().filter(|digits| *digits <= 9)?;
    let timezone = match timezone {
        Some(quoted) => {
            Some(quoted.trim().strip_prefix('\'')?.strip_suffix('\'').filter(|name| is_plain(name))?.to_owned())
        }
        None => None,
    };
    Some(DataType::DateTime64 { precision, timezone })
}

/// Whether a time zone's name needs no escapes between quotes.
fn is_plain(name: &str) -> bool {
    !name.contains(['\'', '\\'])
}

/// Whether every parenthesis outside quotes has its partner and every quote ends.
fn is_balanced(text: &str) -> bool {
    let mut open = 0_usize;
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(_), '\\') => drop(characters.next()),
            (Some(end), _) if end == character => quote = None,
            (None, '\'' | '`' | '"') => quote = Some(character),
            (None, '(') => open += 1,
            (None, ')') => match open.checked_sub(1) {
                Some(less) => open = less,
                None => return false,
            },
            _ => {}
        }
    }
    open == 0 && quote.is_none()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_type() -> impl Strategy<Value = DataType> {
        let plain = proptest::sample::select(PLAIN.map(|(data_type, _)| data_type).to_vec());
        let time = (0_u8..10, proptest::option::of("[A-Z][a-z]{2,8}(/[A-Z][a-z_]{2,8})?"))
            .prop_map(|(precision, timezone)| DataType::DateTime64 { precision, timezone });
        let other = proptest::sample::select(vec![
            "FixedString(16)",
            "Decimal(18, 4)",
            "Enum8('a' = 1, 'it\\'s (' = 2)",
            "Map(String, UInt8)",
            "Tuple(a String, `b c` Array(UInt8))",
            "AggregateFunction(sum, UInt64)",
            "DateTime('UTC')",
        ])
        .prop_map(|text| DataType::Other(text.to_owned()));
        prop_oneof![4 => plain, 2 => time, 1 => other].prop_recursive(4, 8, 1, |inner| {
            let inner = inner.prop_map(Box::new);
            prop_oneof![
                inner.clone().prop_map(DataType::Nullable),
                inner.clone().prop_map(DataType::Array),
                inner.prop_map(DataType::LowCardinality),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_printed_type_parses_to_itself(data_type in any_type()) {
            prop_assert_eq!(data_type.to_string().parse::<DataType>(), Ok(data_type.clone()));
            let json = serde_json::to_string(&data_type).unwrap();
            prop_assert_eq!(serde_json::from_str::<DataType>(&json).unwrap(), data_type);
        }

        #[test]
        fn no_text_breaks_the_parser(text in "[A-Za-z0-9()',` \\\\]{0,60}") {
            if let Ok(data_type) = text.parse::<DataType>() {
                prop_assert_eq!(data_type.to_string().parse::<DataType>(), Ok(data_type));
            }
        }
    }

    #[test]
    fn a_declared_type_prints_the_same_when_owned() {
        use crate::record::DataType as Declared;
        for declared in [
            Declared::Array(&Declared::LowCardinality(&Declared::Nullable(&Declared::String))),
            Declared::DateTime64 { precision: 3, timezone: Some("UTC") },
            Declared::DateTime64 { precision: 6, timezone: None },
            Declared::Nullable(&Declared::Uuid),
            Declared::Date32,
        ] {
            let owned = DataType::from(declared);
            assert_eq!(owned.to_string(), declared.to_string());
            assert_eq!(declared.to_string().parse(), Ok(owned));
        }
    }

    #[test]
    fn spaces_do_not_matter_and_unknown_types_stay() {
        let parsed: DataType = " Array( Nullable(DateTime64( 3,'Europe/Berlin')) ) ".parse().unwrap();
        assert_eq!(parsed.to_string(), "Array(Nullable(DateTime64(3, 'Europe/Berlin')))");
        let unknown: DataType = "Array(Variant(String, UInt8))".parse().unwrap();
        assert_eq!(unknown, DataType::Array(Box::new(DataType::Other("Variant(String, UInt8)".to_owned()))));
        assert_eq!("DateTime64(12)".parse(), Ok(DataType::Other("DateTime64(12)".to_owned())));
    }

    #[test]
    fn what_is_no_type_is_an_error() {
        let unbalanced = |text: &str| Err(DataTypeError::Unbalanced { text: text.to_owned() });
        for text in ["Array(String", "String)", ")(", "Enum8('a = 1)"] {
            assert_eq!(text.parse::<DataType>(), unbalanced(text), "{text}");
        }
        assert_eq!("".parse::<DataType>(), Err(DataTypeError::Empty));
        assert_eq!("Array()".parse::<DataType>(), Err(DataTypeError::Empty));
        let deep = format!("{}String{}", "Array(".repeat(100_000), ")".repeat(100_000));
        assert_eq!(deep.parse::<DataType>(), Err(DataTypeError::TooDeep { most: DEEPEST }));
    }
}
