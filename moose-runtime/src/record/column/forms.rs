//! What attributes of a field make of its column: functions on types, and how they go through the columns around one.

use super::{
    AllowsJson, ArrayColumn, Column, Dictionary, JsonForm, LowCardinalityColumn, MapColumn, MapKeyColumn, Newtype,
    NewtypeColumn, NullableColumn, NullableInside, Timezone,
};

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

/// A column whose values a server prints in a time zone: `#[olap(timezone = "…")]`.
#[diagnostic::on_unimplemented(
    message = "`timezone` does not apply to this type",
    label = "has no time zone",
    note = "`#[olap(timezone = \"…\")]` is for `DateTime<Utc>`, and `Option`, `Vec` or map values of it"
)]
pub trait AllowsTimezone<Z: Timezone>: Column {
    /// The column with that time zone.
    type WithTimezone: Column;
}

/// A column of texts, or of bytes, that can be one of so many bytes each: `#[olap(fixed = N)]`.
#[diagnostic::on_unimplemented(
    message = "`fixed = {N}` does not apply to this type",
    label = "has no form of fixed length",
    note = "`#[olap(fixed = …)]` is for strings, and `Option`, `Vec` or map values of them, and for `[u8; N]`"
)]
pub trait AllowsFixed<const N: usize>: Column {
    /// The column of texts with that length.
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

/// Forms go through arrays, optional values, values of maps, and newtypes.
macro_rules! through {
    ($($form:ident of [$($bound:tt)+] with [$($parameter:tt)*];)*) => { $(
        #[diagnostic::do_not_recommend]
        impl<$($parameter)* C: $($bound)+> $($bound)+ for ArrayColumn<C> {
            type $form = ArrayColumn<C::$form>;
        }

        #[diagnostic::do_not_recommend]
        impl<$($parameter)* C: NullableInside + $($bound)+> $($bound)+ for NullableColumn<C>
        where
            C::$form: NullableInside,
        {
            type $form = NullableColumn<C::$form>;
        }

        #[diagnostic::do_not_recommend]
        impl<$($parameter)* K: MapKeyColumn, C: $($bound)+> $($bound)+ for MapColumn<K, C> {
            type $form = MapColumn<K, C::$form>;
        }

        #[diagnostic::do_not_recommend]
        impl<$($parameter)* N: Newtype, C: $($bound)+> $($bound)+ for NewtypeColumn<N, C> {
            type $form = NewtypeColumn<N, C::$form>;
        }
    )* };
}

through! {
    WithPrecision of [AllowsPrecision<P>] with [const P: u8,];
    WithTimezone of [AllowsTimezone<Z>] with [Z: Timezone,];
    Fixed of [AllowsFixed<S>] with [const S: usize,];
    Compact of [AllowsCompact] with [];
    WithForm of [AllowsJson<F>] with [F: JsonForm,];
}

#[diagnostic::do_not_recommend]
impl<C: AllowsLowCardinality> AllowsLowCardinality for ArrayColumn<C> {
    type LowCardinality = ArrayColumn<C::LowCardinality>;
}

/// The other way round than it is written: ClickHouse has `LowCardinality(Nullable(…))` only.
#[diagnostic::do_not_recommend]
impl<C: Dictionary + NullableInside> AllowsLowCardinality for NullableColumn<C> {
    type LowCardinality = LowCardinalityColumn<true, C::Key>;
}

/// Of a map the keys: they are what repeats.
#[diagnostic::do_not_recommend]
impl<K: AllowsLowCardinality + MapKeyColumn, V: Column> AllowsLowCardinality for MapColumn<K, V>
where
    K::LowCardinality: MapKeyColumn,
{
    type LowCardinality = MapColumn<K::LowCardinality, V>;
}

#[diagnostic::do_not_recommend]
impl<N: Newtype, C: AllowsLowCardinality> AllowsLowCardinality for NewtypeColumn<N, C> {
    type LowCardinality = NewtypeColumn<N, C::LowCardinality>;
}

#[diagnostic::do_not_recommend]
impl<const P: u8, const S: u8, T: AllowsDecimal<P, S>> AllowsDecimal<P, S> for Option<T>
where
    T::Column: NullableInside,
{
    type Column = NullableColumn<T::Column>;
}

#[diagnostic::do_not_recommend]
impl<const P: u8, const S: u8, T: AllowsDecimal<P, S>> AllowsDecimal<P, S> for Vec<T> {
    type Column = ArrayColumn<T::Column>;
}
