//! `Nullable(…)` for `Option`: a null mask of one byte per row, and the values, with a default in place of each NULL.
//!
//! A type that has a NULL of its own stays as it is: its default is that NULL, and there is no mask.

use std::{fmt, marker::PhantomData};

use serde::de::{self, Deserializer, Visitor};

use super::{Column, ColumnType, NullableInside, Stores};
use crate::record::{DataType, Findings, Node, Place, ValueError};

/// Values of `Nullable(…)`, or of a type that has a NULL of its own.
#[derive(Debug, Default)]
pub struct NullableColumn<C> {
    /// The null mask: 1 where the row is NULL.
    nulls: Vec<u8>,
    values: C,
}

impl<C: NullableInside> Column for NullableColumn<C> {
    const DATA_TYPE: DataType = if C::HAS_NULL { C::DATA_TYPE } else { DataType::Nullable(&C::DATA_TYPE) };

    #[inline]
    fn rows(&self) -> usize {
        self.nulls.len()
    }

    #[inline]
    fn byte_size(&self) -> usize {
        let nulls = if C::HAS_NULL { 0 } else { self.nulls.len() };
        nulls + self.values.byte_size()
    }

    fn truncate(&mut self, rows: usize) {
        self.nulls.truncate(rows);
        self.values.truncate(self.nulls.len());
    }

    #[inline]
    fn push_default(&mut self) {
        self.nulls.push(1);
        self.values.push_default();
    }

    fn write_prefix(&self, out: &mut Vec<u8>) {
        self.values.write_prefix(out);
    }

    fn write_data(&self, out: &mut Vec<u8>) {
        if !C::HAS_NULL {
            out.extend_from_slice(&self.nulls);
        }
        self.values.write_data(out);
    }
}

impl<T, C: NullableInside + Stores<T>> Stores<Option<T>> for NullableColumn<C> {
    fn append(&mut self, value: &Option<T>) -> Result<(), ValueError> {
        match value {
            Some(value) => {
                self.values.append(value)?;
                self.nulls.push(0);
            }
            None => self.push_default(),
        }
        Ok(())
    }

    #[inline]
    fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
        input.deserialize_option(OptionVisitor { column: self, value: PhantomData::<fn(&T)> })
    }

    fn append_missing<E: de::Error>(&mut self, _: &'static str) -> Result<(), E> {
        self.push_default();
        Ok(())
    }

    fn explain(input: Node<'_>, place: &Place<'_>, findings: &mut Findings) {
        if !input.is_null() {
            C::explain(input, place, findings);
        }
    }
}

struct OptionVisitor<'a, T, C> {
    column: &'a mut NullableColumn<C>,
    value: PhantomData<fn(&T)>,
}

impl<'de, T, C: NullableInside + Stores<T>> Visitor<'de> for OptionVisitor<'_, T, C> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value or null")
    }

    #[inline]
    fn visit_none<E: de::Error>(self) -> Result<(), E> {
        self.column.push_default();
        Ok(())
    }

    #[inline]
    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.visit_none()
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        self.column.values.append_json(input)?;
        self.column.nulls.push(0);
        Ok(())
    }
}

impl<T: ColumnType> ColumnType for Option<T>
where
    T::Column: NullableInside,
{
    type Column = NullableColumn<T::Column>;
}
