//! Newtypes: a type around another, stored as that one.

use std::marker::PhantomData;

use serde::de::Deserializer;

use super::{Column, MapKeyColumn, NullableInside, Stores};
use crate::record::{DataType, Findings, Node, Place, ValueError};

/// A struct around one value, as `#[derive(OlapType)]` describes it.
pub trait Newtype: Sized + Send + 'static {
    /// The type of its value.
    type Inner;

    /// The value.
    fn inner(&self) -> &Self::Inner;
}

/// Values of a newtype, in the column of its inner type.
#[derive(Debug)]
pub struct NewtypeColumn<N, C> {
    pub(super) inner: C,
    newtype: PhantomData<fn() -> N>,
}

impl<N, C: Default> Default for NewtypeColumn<N, C> {
    fn default() -> Self {
        Self { inner: C::default(), newtype: PhantomData }
    }
}

impl<N: Newtype, C: Column> Column for NewtypeColumn<N, C> {
    const DATA_TYPE: DataType = C::DATA_TYPE;

    #[inline]
    fn rows(&self) -> usize {
        self.inner.rows()
    }

    #[inline]
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

impl<N: Newtype, C: Stores<N::Inner>> Stores<N> for NewtypeColumn<N, C> {
    #[inline]
    fn append(&mut self, value: &N) -> Result<(), ValueError> {
        self.inner.append(value.inner())
    }

    #[inline]
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

#[diagnostic::do_not_recommend]
impl<N: Newtype, C: NullableInside> NullableInside for NewtypeColumn<N, C> {
    const HAS_NULL: bool = C::HAS_NULL;
}
#[diagnostic::do_not_recommend]
impl<N: Newtype, C: MapKeyColumn> MapKeyColumn for NewtypeColumn<N, C> {}
