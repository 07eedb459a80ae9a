//! Traits for field attributes (`Allows…`): type-level functions from a column to its column under the attribute. Each
//! column implements those that it supports.

use super::Column;
use crate::record::{Findings, JsonOptions, Node, Place};

/// A column that has a dictionary-encoded form: `#[olap(low_cardinality)]`.
#[diagnostic::on_unimplemented(
    message = "`low_cardinality` does not apply to this type",
    label = "has no LowCardinality form",
    note = "`#[olap(low_cardinality)]` is for strings, `Uuid`, `Option` or `Vec` of those, and maps with such keys"
)]
pub trait AllowsLowCardinality: Column {
    /// The dictionary-encoded column.
    type LowCardinality: Column;
}

/// A column whose fractional digits can be chosen: `#[olap(precision = P)]`.
#[diagnostic::on_unimplemented(
    message = "`precision = {P}` does not apply to this type",
    label = "has no precision",
    note = "`#[olap(precision = …)]` is for `DateTime<Utc>`, `NaiveTime`, and `Option`, `Vec` or map values of them"
)]
pub trait AllowsPrecision<const P: u8>: Column {
    /// The column with that precision.
    type WithPrecision: Column;
}

/// A column with a shorter ClickHouse type of the same meaning: `#[olap(compact)]`.
#[diagnostic::on_unimplemented(
    message = "`compact` does not apply to this type",
    label = "has no shorter form",
    note = "`#[olap(compact)]` makes `DateTime` of timestamps, `Date` of dates, `Time` of times and `BFloat16` of `f32`"
)]
pub trait AllowsCompact: Column {
    /// The column of the shorter type.
    type Compact: Column;
}

/// A time zone as a type.
pub trait Timezone: Send + 'static {
    /// Its name in the time zone database, such as `Europe/Berlin`.
    const NAME: &'static str;
}

/// A column with a time zone, in which a server prints its values: `#[olap(timezone = "…")]`.
#[diagnostic::on_unimplemented(
    message = "`timezone` does not apply to this type",
    label = "has no time zone",
    note = "`#[olap(timezone = \"…\")]` is for `DateTime<Utc>`, and `Option`, `Vec` or map values of it"
)]
pub trait AllowsTimezone<Z: Timezone>: Column {
    /// The column with that time zone.
    type WithTimezone: Column;
}

/// A column of strings or bytes that can have a fixed length: `#[olap(fixed = N)]`.
#[diagnostic::on_unimplemented(
    message = "`fixed = {N}` does not apply to this type",
    label = "has no form of fixed length",
    note = "`#[olap(fixed = …)]` is for strings, and `Option`, `Vec` or map values of them, and for `[u8; N]`"
)]
pub trait AllowsFixed<const N: usize>: Column {
    /// The column with that length.
    type Fixed: Column;
}

/// A Rust type that is stored as a decimal: `#[olap(decimal(P, S))]`.
#[diagnostic::on_unimplemented(
    message = "`decimal({P}, {S})` does not apply to this type",
    label = "is no decimal",
    note = "`#[olap(decimal(…))]` is for `rust_decimal::Decimal`, and `Option`, `Vec` or map values of it"
)]
pub trait AllowsDecimal<const P: u8, const S: u8> {
    /// The column with that precision and scale.
    type Column: Column;
}

/// The parameters of a `JSON` type. Implemented by generated code.
pub trait JsonForm: Send + 'static {
    /// Limits, paths with a type of their own, and paths that are not stored.
    const OPTIONS: &'static JsonOptions;

    /// Finds everything wrong with the value of a path, if the path has a type of its own.
    fn explain(path: &str, value: Node<'_>, place: &Place<'_>, findings: &mut Findings) -> bool;
}

/// A column of `JSON` that can have parameters: `#[olap(json(…))]`.
#[diagnostic::on_unimplemented(
    message = "`json(…)` does not apply to this type",
    label = "is no `JSON`",
    note = "`#[olap(json(…))]` is for `serde_json::Value`, and `Option`, `Vec` or map values of it"
)]
pub trait AllowsJson<F: JsonForm>: Column {
    /// The column with those parameters.
    type WithForm: Column;
}
