//! The ClickHouse type of a column, parsed from and printed as ClickHouse's own text.
//!
//! The text is the one in `system.columns` and in DDL. A type unknown to this version keeps its text, so a table with
//! such columns can still be read and compared.

mod parse;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use parse::DataTypeError;

use super::{
    quote::{quote_identifier, quote_string},
    types::{Class, types},
};

/// Generates the enum and everything that follows from the table of types.
macro_rules! owned {
    (
        plain { $($(#[$doc:meta])* $plain:ident = $text:literal, $plain_class:expr;)* }
        parameters { $($with:ident = $class:expr;)* }
        $(#[$meta:meta])*
        pub enum DataType { $($variants:tt)* }
    ) => {
        $(#[$meta])*
        pub enum DataType {
            $($(#[$doc])* $plain,)*
            $($variants)*
        }

        /// Types without parameters, and their texts.
        const PLAIN: &[(DataType, &str)] = &[$((DataType::$plain, $text)),*];

        impl DataType {
            /// The class of its values; `None` if the type is unknown.
            pub(crate) fn class(&self) -> Option<Class> {
                Some(match self {
                    $(Self::$plain => $plain_class,)*
                    $(Self::$with { .. } => $class,)*
                    Self::Other(_) => return None,
                })
            }

            /// The text of a type without parameters.
            fn plain_text(&self) -> Option<&'static str> {
                match self {
                    $(Self::$plain => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

types! { owned
    /// A ClickHouse type, owned: in a schema, or read from a server.
    ///
    /// `parse(print(t)) = t`, and printing a parsed type gives ClickHouse's own spelling of it.
    #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(into = "String", try_from = "String")]
    #[non_exhaustive]
    pub enum DataType {
        /// `FixedString(N)`
        FixedString(u32),
        /// `Decimal(precision, scale)`
        Decimal {
            /// Total number of decimal digits, 1 to 76.
            precision: u8,
            /// Digits after the decimal point.
            scale: u8,
        },
        /// `Time64(precision)`
        Time64 {
            /// Decimal digits of the second's fraction, 0 to 9.
            precision: u8,
        },
        /// `DateTime` or `DateTime('timezone')`
        DateTime {
            /// Time zone in which the server prints the values.
            timezone: Option<String>,
        },
        /// `DateTime64(precision)` or `DateTime64(precision, 'timezone')`
        DateTime64 {
            /// Decimal digits of the second's fraction, 0 to 9.
            precision: u8,
            /// Time zone in which the server prints the values.
            timezone: Option<String>,
        },
        /// `Enum8('label' = value, …)`, in order of the values.
        Enum8(Vec<(String, i16)>),
        /// `Enum16('label' = value, …)`, in order of the values.
        Enum16(Vec<(String, i16)>),
        /// `Nullable(…)`
        Nullable(Box<DataType>),
        /// `Array(…)`
        Array(Box<DataType>),
        /// `LowCardinality(…)`
        LowCardinality(Box<DataType>),
        /// `Map(key, value)`
        Map(Box<DataType>, Box<DataType>),
        /// `Tuple(…)` without element names.
        Tuple(Vec<DataType>),
        /// `Tuple(name type, …)`
        NamedTuple(Vec<(String, DataType)>),
        /// `Nested(name type, …)` that is not flattened. A server flattens it by default, and then shows a column
        /// `name.element Array(type)` for each element.
        Nested(Vec<(String, DataType)>),
        /// `Variant(…)`, in order of the types' texts.
        Variant(Vec<DataType>),
        /// `Dynamic` or `Dynamic(max_types=N)`
        Dynamic {
            /// Maximum number of types that are stored separately, if given.
            max_types: Option<u32>,
        },
        /// `JSON(…)`
        Json(Box<JsonOptions>),
        /// `SimpleAggregateFunction(function, type)`
        SimpleAggregateFunction {
            /// The function that merges values.
            function: String,
            /// Type of the values.
            data_type: Box<DataType>,
        },
        /// Any other type, as ClickHouse writes it.
        Other(String),
    }
}

/// The parameters of `JSON(…)`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct JsonOptions {
    /// Maximum number of types per path that are stored separately, if given.
    pub max_dynamic_types: Option<u32>,
    /// Maximum number of paths that are stored as columns, if given.
    pub max_dynamic_paths: Option<u32>,
    /// Paths with a declared type, in order of the paths.
    pub paths: Vec<(String, DataType)>,
    /// Paths that are not stored, in order.
    pub skips: Vec<String>,
    /// Paths that are not stored, as regular expressions.
    pub skip_regexps: Vec<String>,
}

/// Words that ClickHouse quotes as names of elements.
const QUOTED_WORDS: [&str; 5] = ["all", "distinct", "from", "select", "table"];

impl DataType {
    /// `Enum8` with its values in ClickHouse's order.
    pub fn enum8(mut labels: Vec<(String, i16)>) -> Self {
        labels.sort_by_key(|(_, value)| *value);
        Self::Enum8(labels)
    }

    /// `Enum16` with its values in ClickHouse's order.
    pub fn enum16(mut labels: Vec<(String, i16)>) -> Self {
        labels.sort_by_key(|(_, value)| *value);
        Self::Enum16(labels)
    }

    /// `Variant` with its types in ClickHouse's order, each once.
    pub fn variant(mut types: Vec<Self>) -> Self {
        types.sort_by_cached_key(Self::to_string);
        types.dedup();
        Self::Variant(types)
    }

    /// `JSON` with its paths in ClickHouse's order.
    pub fn json(mut options: JsonOptions) -> Self {
        options.paths.sort_by(|one, other| one.0.cmp(&other.0));
        options.skips.sort();
        Self::Json(Box::new(options))
    }

    /// Whether values of the type can be NULL, as far as known.
    pub fn is_nullable(&self) -> bool {
        match self {
            Self::Nullable(_) | Self::Variant(_) | Self::Dynamic { .. } => true,
            Self::LowCardinality(inner) | Self::SimpleAggregateFunction { data_type: inner, .. } => inner.is_nullable(),
            _ => false,
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FixedString(bytes) => write!(formatter, "FixedString({bytes})"),
            Self::Decimal { precision, scale } => write!(formatter, "Decimal({precision}, {scale})"),
            Self::Time64 { precision } => write!(formatter, "Time64({precision})"),
            Self::DateTime { timezone: None } => formatter.write_str("DateTime"),
            Self::DateTime { timezone: Some(timezone) } => write!(formatter, "DateTime({})", quote_string(timezone)),
            Self::DateTime64 { precision, timezone: None } => write!(formatter, "DateTime64({precision})"),
            Self::DateTime64 { precision, timezone: Some(timezone) } => {
                write!(formatter, "DateTime64({precision}, {})", quote_string(timezone))
            }
            Self::Enum8(labels) => list(formatter, "Enum8", labels.iter().map(label)),
            Self::Enum16(labels) => list(formatter, "Enum16", labels.iter().map(label)),
            Self::Nullable(inner) => write!(formatter, "Nullable({inner})"),
            Self::Array(inner) => write!(formatter, "Array({inner})"),
            Self::LowCardinality(inner) => write!(formatter, "LowCardinality({inner})"),
            Self::Map(key, value) => write!(formatter, "Map({key}, {value})"),
            Self::Tuple(elements) => list(formatter, "Tuple", elements),
            Self::NamedTuple(elements) => list(formatter, "Tuple", elements.iter().map(element)),
            Self::Nested(elements) => list(formatter, "Nested", elements.iter().map(element)),
            Self::Variant(types) => list(formatter, "Variant", types),
            Self::Dynamic { max_types: None } => formatter.write_str("Dynamic"),
            Self::Dynamic { max_types: Some(types) } => write!(formatter, "Dynamic(max_types={types})"),
            Self::Json(options) => match options.arguments() {
                arguments if arguments.is_empty() => formatter.write_str("JSON"),
                arguments => list(formatter, "JSON", arguments),
            },
            Self::SimpleAggregateFunction { function, data_type } => {
                write!(formatter, "SimpleAggregateFunction({function}, {data_type})")
            }
            Self::Other(text) => formatter.write_str(text),
            plain => formatter.write_str(plain.plain_text().unwrap_or_default()),
        }
    }
}

/// `name(argument, …)`
fn list<T: fmt::Display>(
    formatter: &mut fmt::Formatter<'_>,
    name: &str,
    arguments: impl IntoIterator<Item = T>,
) -> fmt::Result {
    write!(formatter, "{name}(")?;
    for (place, argument) in arguments.into_iter().enumerate() {
        write!(formatter, "{}{argument}", if place == 0 { "" } else { ", " })?;
    }
    formatter.write_str(")")
}

fn label((label, value): &(String, i16)) -> String {
    format!("{} = {value}", quote_string(label))
}

fn element((name, data_type): &(String, DataType)) -> String {
    format!("{} {data_type}", name_text(name))
}

/// A name as ClickHouse writes it in a type: quoted only if necessary.
fn name_text(name: &str) -> String {
    let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let is_word = starts && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_');
    let is_quoted = QUOTED_WORDS.iter().any(|word| name.eq_ignore_ascii_case(word));
    if is_word && !is_quoted { name.to_owned() } else { quote_identifier(name) }
}

impl JsonOptions {
    fn arguments(&self) -> Vec<String> {
        let numbers = [("max_dynamic_types", self.max_dynamic_types), ("max_dynamic_paths", self.max_dynamic_paths)];
        let mut arguments: Vec<String> =
            numbers.iter().filter_map(|(name, number)| number.map(|number| format!("{name}={number}"))).collect();
        arguments.extend(self.paths.iter().map(element));
        arguments.extend(self.skips.iter().map(|path| format!("SKIP {}", name_text(path))));
        arguments.extend(self.skip_regexps.iter().map(|text| format!("SKIP REGEXP {}", quote_string(text))));
        arguments
    }
}

impl From<DataType> for String {
    fn from(data_type: DataType) -> Self {
        data_type.to_string()
    }
}
