//! ClickHouse types (`DataType`) and declared columns (`ColumnSpec`), known at compile time. A type with named elements
//! holds a column spec for each.

use std::fmt;

use crate::schema::{self, Class, DefaultKind, types};

/// Generates the enum and everything that follows from the table of types.
macro_rules! declared {
    (
        plain { $($(#[$doc:meta])* $plain:ident = $text:literal, $plain_class:expr;)* }
        parameters { $($with:ident = $class:expr;)* }
        $(#[$meta:meta])*
        pub enum DataType { $($variants:tt)* }
        into schema { $($conversions:tt)* }
    ) => {
        $(#[$meta])*
        pub enum DataType {
            $($(#[$doc])* $plain,)*
            $($variants)*
        }

        impl DataType {
            /// The class of its values.
            pub(crate) const fn class(&self) -> Class {
                match self {
                    $(Self::$plain => $plain_class,)*
                    $(Self::$with { .. } => $class,)*
                }
            }

        }

        impl From<DataType> for schema::DataType {
            fn from(declared: DataType) -> Self {
                match declared {
                    $(DataType::$plain => Self::$plain,)*
                    $($conversions)*
                }
            }
        }
    };
}

types! { declared
    /// A ClickHouse type as declared by a column, known at compile time.
    ///
    /// Its text form is ClickHouse's own, as in `system.columns` and in the header of a Native block. The owned counterpart,
    /// which can also be read from such a text, is `schema::DataType`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    #[non_exhaustive]
    pub enum DataType {
        /// `FixedString(N)`: exactly N bytes
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
            /// Time zone in which the server prints the values; the stored instant doesn't depend on it.
            timezone: Option<&'static str>,
        },
        /// `DateTime64(precision)` or `DateTime64(precision, 'timezone')`
        DateTime64 {
            /// Decimal digits of the second's fraction, 0 to 9.
            precision: u8,
            /// Time zone in which the server prints the values; the stored instant doesn't depend on it.
            timezone: Option<&'static str>,
        },
        /// `Enum8('label' = value, …)`, in any order
        Enum8(&'static [(&'static str, i16)]),
        /// `Enum16('label' = value, …)`, in any order
        Enum16(&'static [(&'static str, i16)]),
        /// `Nullable(…)`
        Nullable(&'static DataType),
        /// `Array(…)`
        Array(&'static DataType),
        /// `LowCardinality(…)`
        LowCardinality(&'static DataType),
        /// `Map(key, value)`
        Map(&'static DataType, &'static DataType),
        /// `Tuple(…)` without element names
        Tuple(&'static [DataType]),
        /// `Tuple(name type, …)`
        NamedTuple(&'static [ColumnSpec]),
        /// `Nested(name type, …)`
        Nested(&'static [ColumnSpec]),
        /// `Variant(…)`, in any order
        Variant(&'static [DataType]),
        /// `Dynamic`
        Dynamic,
        /// `JSON(…)`
        Json(&'static JsonOptions),
        /// `SimpleAggregateFunction(function, type)`
        SimpleAggregateFunction {
            /// The function that merges values.
            function: &'static str,
            /// Type of the values.
            data_type: &'static DataType,
        },
    }

    into schema {
        DataType::FixedString(bytes) => Self::FixedString(bytes),
        DataType::Decimal { precision, scale } => Self::Decimal { precision, scale },
        DataType::Time64 { precision } => Self::Time64 { precision },
        DataType::DateTime { timezone } => Self::DateTime { timezone: timezone.map(str::to_owned) },
        DataType::DateTime64 { precision, timezone } => {
            Self::DateTime64 { precision, timezone: timezone.map(str::to_owned) }
        }
        DataType::Enum8(labels) => Self::enum8(owned_labels(labels)),
        DataType::Enum16(labels) => Self::enum16(owned_labels(labels)),
        DataType::Nullable(inner) => Self::Nullable(Box::new(owned(inner))),
        DataType::Array(inner) => Self::Array(Box::new(owned(inner))),
        DataType::LowCardinality(inner) => Self::LowCardinality(Box::new(owned(inner))),
        DataType::Map(key, value) => Self::Map(Box::new(owned(key)), Box::new(owned(value))),
        DataType::Tuple(elements) => Self::Tuple(all_owned(elements)),
        DataType::NamedTuple(elements) => Self::NamedTuple(owned_names(elements)),
        DataType::Nested(elements) => Self::Nested(owned_names(elements)),
        DataType::Variant(types) => Self::variant(all_owned(types)),
        DataType::Dynamic => Self::Dynamic { max_types: None },
        DataType::Json(options) => Self::json(options.owned()),
        DataType::SimpleAggregateFunction { function, data_type } => {
            Self::SimpleAggregateFunction { function: function.to_owned(), data_type: Box::new(owned(data_type)) }
        }
    }
}

/// A declared column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnSpec {
    /// Name of the column.
    pub name: &'static str,
    /// The names by which JSON may give the field: its own, then its aliases. Empty for a column that ClickHouse
    /// computes.
    pub json: &'static [&'static str],
    /// Type of the column.
    pub data_type: DataType,
    /// The column's default if an INSERT does not give a value: kind, and ClickHouse expression.
    pub default: Option<(DefaultKind, &'static str)>,
    /// Compression codec, such as `Delta, ZSTD`.
    pub codec: Option<&'static str>,
    /// When values expire, a ClickHouse `TTL` expression: they are reset to the default.
    pub ttl: Option<&'static str>,
    /// Comment, from the field's doc comment.
    pub comment: Option<&'static str>,
    /// The former name of the column.
    pub renamed_from: Option<&'static str>,
    /// The author accepts that a change of the type may lose values.
    pub narrowed: bool,
}

/// One builder call for each attribute, so that generated code contains only the attributes that a column has.
impl ColumnSpec {
    /// A column with nothing but a name and a type.
    #[must_use]
    pub const fn new(name: &'static str, json: &'static [&'static str], data_type: DataType) -> Self {
        Self {
            name,
            json,
            data_type,
            default: None,
            codec: None,
            ttl: None,
            comment: None,
            renamed_from: None,
            narrowed: false,
        }
    }

    /// With a default of that kind.
    #[must_use]
    pub const fn default(mut self, kind: DefaultKind, expression: &'static str) -> Self {
        self.default = Some((kind, expression));
        self
    }

    /// With a codec.
    #[must_use]
    pub const fn codec(mut self, codec: &'static str) -> Self {
        self.codec = Some(codec);
        self
    }

    /// With a time to live.
    #[must_use]
    pub const fn ttl(mut self, expression: &'static str) -> Self {
        self.ttl = Some(expression);
        self
    }

    /// With a comment.
    #[must_use]
    pub const fn comment(mut self, comment: &'static str) -> Self {
        self.comment = Some(comment);
        self
    }

    /// With its former name.
    #[must_use]
    pub const fn renamed_from(mut self, name: &'static str) -> Self {
        self.renamed_from = Some(name);
        self
    }

    /// Permits the loss of values when its type changes.
    #[must_use]
    pub const fn narrowed(mut self) -> Self {
        self.narrowed = true;
        self
    }

    /// Whether an INSERT gives values for the column.
    pub const fn is_inserted(&self) -> bool {
        match self.default {
            None => true,
            Some((kind, _)) => kind.is_inserted(),
        }
    }
}

/// The parameters of `JSON(…)`, known at compile time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JsonOptions {
    /// Maximum number of types per path that are stored separately, if given.
    pub max_dynamic_types: Option<u32>,
    /// Maximum number of paths that are stored as columns, if given.
    pub max_dynamic_paths: Option<u32>,
    /// Paths with a declared type.
    pub paths: &'static [ColumnSpec],
    /// Paths that are not stored.
    pub skips: &'static [&'static str],
    /// Paths that are not stored, as regular expressions.
    pub skip_regexps: &'static [&'static str],
}

impl JsonOptions {
    /// No parameters.
    pub const NONE: Self =
        Self { max_dynamic_types: None, max_dynamic_paths: None, paths: &[], skips: &[], skip_regexps: &[] };

    fn owned(&self) -> schema::JsonOptions {
        schema::JsonOptions {
            max_dynamic_types: self.max_dynamic_types,
            max_dynamic_paths: self.max_dynamic_paths,
            paths: owned_names(self.paths),
            skips: self.skips.iter().map(|path| (*path).to_owned()).collect(),
            skip_regexps: self.skip_regexps.iter().map(|text| (*text).to_owned()).collect(),
        }
    }
}

impl DataType {
    /// Whether values of the type can be NULL.
    pub const fn is_nullable(&self) -> bool {
        match self {
            Self::Nullable(_) | Self::Variant(_) | Self::Dynamic => true,
            Self::LowCardinality(inner) | Self::SimpleAggregateFunction { data_type: inner, .. } => inner.is_nullable(),
            _ => false,
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        schema::DataType::from(*self).fmt(formatter)
    }
}

fn owned(declared: &DataType) -> schema::DataType {
    (*declared).into()
}

fn all_owned(declared: &[DataType]) -> Vec<schema::DataType> {
    declared.iter().map(owned).collect()
}

fn owned_labels(labels: &[(&str, i16)]) -> Vec<(String, i16)> {
    labels.iter().map(|(label, value)| ((*label).to_owned(), *value)).collect()
}

fn owned_names(specs: &[ColumnSpec]) -> Vec<(String, schema::DataType)> {
    specs.iter().map(|spec| (spec.name.to_owned(), spec.data_type.into())).collect()
}
