//! `SimpleAggregateFunction(function, …)`: values that an AggregatingMergeTree merges, stored as what is in it.

use std::marker::PhantomData;

use serde::de::Deserializer;

use super::{Column, Stores};
use crate::record::{DataType, Findings, Node, Place, ValueError};

/// The function by which an AggregatingMergeTree merges values.
pub trait Aggregate: Send + 'static {
    /// Its name, such as `sum`.
    const FUNCTION: &'static str;
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

impl<F: Aggregate, C: Column> Column for AggregateColumn<F, C> {
    const DATA_TYPE: DataType = DataType::SimpleAggregateFunction { function: F::FUNCTION, data_type: &C::DATA_TYPE };

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
