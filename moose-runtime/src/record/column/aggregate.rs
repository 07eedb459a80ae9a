//! `SimpleAggregateFunction(function, …)`: values that an AggregatingMergeTree merges, stored like their argument's
//! type.

use std::marker::PhantomData;

use serde::de::Deserializer;

use super::{Column, Stores};
use crate::{
    record::{DataType, Findings, Node, Place, ValueError},
    schema::Class,
};

/// The function by which an AggregatingMergeTree merges values.
pub trait Aggregate: Send + 'static {
    /// Its name, such as `sum`.
    const FUNCTION: &'static str;
    /// Whether the type was checked at its field, by [`gives_its_own`].
    const IS_CHECKED: bool;
}

/// Values of `SimpleAggregateFunction(function, …)`.
#[derive(Debug)]
pub struct AggregateColumn<F, C> {
    inner: C,
    function: PhantomData<fn() -> F>,
}

impl<F, C: Default> Default for AggregateColumn<F, C> {
    fn default() -> Self {
        Self { inner: C::default(), function: PhantomData }
    }
}

/// Whether a function returns the type of its argument: only such values are merged in place.
#[doc(hidden)]
pub const fn gives_its_own(function: &str, data_type: &DataType) -> bool {
    use DataType::{Array, Map, NamedTuple, Nullable, Tuple};
    match (function.as_bytes(), data_type) {
        (_, Nullable(inner)) => gives_its_own(function, inner),
        (b"sum", DataType::Decimal { precision, .. }) => matches!(precision, 38 | 76),
        (b"sum", data_type) => {
            matches!(data_type.class(), Class::Integer { bits: 64.., .. } | Class::Float { bits: 53 })
        }
        (b"groupBitAnd" | b"groupBitOr" | b"groupBitXor", data_type) => {
            matches!(data_type.class(), Class::Integer { bits: ..=64, .. })
        }
        (b"groupArrayArray" | b"groupUniqArrayArray", data_type) => matches!(data_type, Array(_)),
        (b"sumMap" | b"minMap" | b"maxMap", data_type) => matches!(data_type, Map(..) | Tuple(_) | NamedTuple(_)),
        _ => true,
    }
}

impl<F: Aggregate, C: Column> Column for AggregateColumn<F, C> {
    const DATA_TYPE: DataType = {
        assert!(
            F::IS_CHECKED || gives_its_own(F::FUNCTION, &C::DATA_TYPE),
            "the function gives values of another type than the field's: `sum` needs 64 bits, `Float64` or a decimal of 38 or 76 digits, `groupBit…` an integer, `group…Array` a `Vec`, `…Map` a map"
        );
        DataType::SimpleAggregateFunction { function: F::FUNCTION, data_type: &C::DATA_TYPE }
    };

    fn rows(&self) -> usize {
        self.inner.rows()
    }

    fn byte_size(&self) -> usize {
        self.inner.byte_size()
    }

    fn truncate(&mut self, rows: usize) {
        self.inner.truncate(rows);
    }

    fn push_default(&mut self) {
        self.inner.push_default();
    }

    fn write_prefix(&self, out: &mut Vec<u8>) {
        self.inner.write_prefix(out);
    }

    fn write_data(&self, out: &mut Vec<u8>) {
        self.inner.write_data(out);
    }
}

impl<T, F: Aggregate, C: Stores<T>> Stores<T> for AggregateColumn<F, C> {
    fn append(&mut self, value: &T) -> Result<(), ValueError> {
        self.inner.append(value)
    }

    fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
        self.inner.append_json(input)
    }

    fn append_missing<E: serde::de::Error>(&mut self, field: &'static str) -> Result<(), E> {
        self.inner.append_missing(field)
    }

    fn explain(input: Node<'_>, place: &Place<'_>, findings: &mut Findings) {
        C::explain(input, place, findings);
    }
}
