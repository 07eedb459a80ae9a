//! Prevents follow-up compile errors: a field whose type has no column is reported once, at the field, and not wherever
//! its column would be used.
//!
//! Generated columns are generic over the record and find each column through [`FieldColumn`](super::FieldColumn), so
//! only that field's `impl` fails for a type without one. One more check would fail: whether the columns are `Send`,
//! which the compiler computes from every one of them. Therefore [`Sendable`] asks that first (by specialisation
//! through inherent and trait constants), and where the answer is no, [`InDoubt`] replaces the columns. The program
//! does not compile in any case.

use std::marker::PhantomData;

use serde::de::{self, Deserializer, MapAccess};

use super::{
    ColumnSpec, ColumnVisitor, ColumnVisitorMut, DataType, Field, Findings, Node, Place, RecordColumns, ValueError,
    column::VariantColumns,
};

/// Asks whether `T` is `Send`: `Sendable::<T>::YES`, with [`OrNot`] in scope. The inherent constant exists only for a
/// `Send` type; for others the trait's constant is found.
#[doc(hidden)]
#[derive(Debug)]
pub struct Sendable<T>(PhantomData<T>);

impl<T: Send> Sendable<T> {
    /// It is `Send`.
    pub const YES: bool = true;
}

/// The fallback answer of [`Sendable`].
#[doc(hidden)]
pub trait OrNot {
    /// It is not `Send`, or that is unknown.
    const YES: bool = false;
}

impl<T> OrNot for Sendable<T> {}

/// Chooses between the columns `Self` and their replacement.
#[doc(hidden)]
pub trait Columns<const SENDABLE: bool> {
    /// The choice.
    type Chosen;
}

impl<C> Columns<true> for C {
    type Chosen = C;
}

impl<C> Columns<false> for C {
    type Chosen = InDoubt<C>;
}

/// Replaces columns of which one has no type. The compiler evaluates nothing from them, and so reports no follow-up
/// errors.
#[doc(hidden)]
#[derive(Debug)]
pub struct InDoubt<C>(PhantomData<fn() -> C>);

impl<C> Default for InDoubt<C> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<R, C: RecordColumns<R> + 'static> RecordColumns<R> for InDoubt<C> {
    const COLUMNS: &'static [ColumnSpec] = C::COLUMNS;
    const FIELDS: &'static [Field] = C::FIELDS;
    const DENY_UNKNOWN_FIELDS: bool = C::DENY_UNKNOWN_FIELDS;

    fn visit<V: ColumnVisitor>(&self, _: &mut V) {}

    fn visit_mut<V: ColumnVisitorMut>(&mut self, _: &mut V) {}

    fn append(&mut self, _: &R) -> Result<(), ValueError> {
        Ok(())
    }

    fn field(name: &str) -> Option<usize> {
        C::field(name)
    }

    fn append_field<'de, A: MapAccess<'de>>(&mut self, _: usize, _: &mut A) -> Result<(), A::Error> {
        Ok(())
    }

    fn append_missing<E: de::Error>(&mut self, _: usize) -> Result<(), E> {
        Ok(())
    }
}

impl<E, C: VariantColumns<E> + 'static> VariantColumns<E> for InDoubt<C> {
    const TYPES: &'static [DataType] = C::TYPES;
    const NAMES: &'static [&'static [&'static str]] = C::NAMES;
    const NULL_NAMES: &'static [&'static str] = C::NULL_NAMES;
    const UNTAGGED: bool = C::UNTAGGED;
    const IS_CHECKED: bool = C::IS_CHECKED;

    fn visit<V: ColumnVisitor>(&self, _: &mut V) {}

    fn visit_mut<V: ColumnVisitorMut>(&mut self, _: &mut V) {}

    fn append(&mut self, _: &E) -> Result<Option<usize>, ValueError> {
        Ok(None)
    }

    fn append_json<'de, D: Deserializer<'de>>(&mut self, _: usize, _: D) -> Result<(), D::Error> {
        Ok(())
    }

    fn explain(_: usize, _: Node<'_>, _: &Place<'_>, _: &mut Findings) {}
}
