//! The placeholder column of a type whose derive failed: accepted wherever a column can be, so that only the errors in
//! the type itself are reported. Such a program never compiles.

use std::marker::PhantomData;

use serde::de::Deserializer;

use super::{
    AllowsCompact, AllowsFixed, AllowsJson, AllowsLowCardinality, AllowsNested, AllowsPrecision, AllowsTimezone,
    ArrayColumn, Column, JsonForm, MapKeyColumn, NullableInside, Stores, Timezone,
};
use crate::record::{DataType, ValueError};

/// A type whose derive has reported an error.
#[doc(hidden)]
pub trait UnknownType: 'static {
    /// Evaluated by this constant: so nothing is computed from the type.
    const DATA_TYPE: DataType;
}

/// `()` replaces the column of a field whose attribute was reported as invalid.
impl UnknownType for () {
    const DATA_TYPE: DataType = DataType::String;
}

/// The column of an unknown type.
#[doc(hidden)]
#[derive(Debug)]
pub struct AnyColumn<U>(PhantomData<fn() -> U>);

impl<U> Default for AnyColumn<U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<U: UnknownType> Column for AnyColumn<U> {
    const DATA_TYPE: DataType = U::DATA_TYPE;

    fn rows(&self) -> usize {
        0
    }

    fn byte_size(&self) -> usize {
        0
    }

    fn truncate(&mut self, _: usize) {}

    fn push_default(&mut self) {}

    fn write_data(&self, _: &mut Vec<u8>) {}
}

impl<T, U: UnknownType> Stores<T> for AnyColumn<U> {
    fn append(&mut self, _: &T) -> Result<(), ValueError> {
        Ok(())
    }

    fn append_json<'de, D: Deserializer<'de>>(&mut self, _: D) -> Result<(), D::Error> {
        Ok(())
    }
}

#[diagnostic::do_not_recommend]
impl<U: UnknownType> NullableInside for AnyColumn<U> {}
#[diagnostic::do_not_recommend]
impl<U: UnknownType> MapKeyColumn for AnyColumn<U> {}

#[diagnostic::do_not_recommend]
impl<U: UnknownType> AllowsNested for ArrayColumn<AnyColumn<U>> {
    type Nested = Self;
}

/// No attribute changes it.
macro_rules! any {
    ($($result:ident of $form:ty, [$($parameter:tt)*];)*) => { $(
        #[diagnostic::do_not_recommend]
        impl<$($parameter)* U: UnknownType> $form for AnyColumn<U> {
            type $result = Self;
        }
    )* };
}

any! {
    LowCardinality of AllowsLowCardinality, [];
    Compact of AllowsCompact, [];
    WithPrecision of AllowsPrecision<P>, [const P: u8,];
    WithTimezone of AllowsTimezone<Z>, [Z: Timezone,];
    Fixed of AllowsFixed<N>, [const N: usize,];
    WithForm of AllowsJson<F>, [F: JsonForm,];
}
