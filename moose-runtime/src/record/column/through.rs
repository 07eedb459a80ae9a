//! Implements the `Allows…` traits for containers (`Option`, `Vec`, maps and so on): an attribute applies to the column
//! inside.

use super::{
    AllowsCompact, AllowsDecimal, AllowsFixed, AllowsJson, AllowsLowCardinality, AllowsPrecision, AllowsTimezone,
    ArrayColumn, Column, Dictionary, JsonForm, LowCardinalityColumn, MapColumn, MapKeyColumn, Newtype, NewtypeColumn,
    NullableColumn, NullableInside, Timezone,
};

/// Attributes apply to the elements of arrays, to optional values, values of maps, and newtypes.
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

/// In reverse order: ClickHouse only has `LowCardinality(Nullable(…))`.
#[diagnostic::do_not_recommend]
impl<C: Dictionary + NullableInside> AllowsLowCardinality for NullableColumn<C> {
    type LowCardinality = LowCardinalityColumn<true, C::Key>;
}

/// For a map, the keys: they are what repeats.
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
