//! `Array(…)` for `Vec`: where each row ends, and the elements of all rows in one column.

use std::{fmt, marker::PhantomData};

use serde::de::{Deserializer, SeqAccess, Visitor};

use super::{AllowsLowCardinality, AllowsPrecision, Column, ColumnType, Stores};
use crate::record::{DataType, Findings, Node, Place, Seed, ValueError, native::write_fixed};

const EXPECTED: &str = "an array";

/// Values of `Array(…)`.
#[derive(Debug, Default)]
pub struct ArrayColumn<C> {
    /// Where each row's elements end.
    ends: Vec<usize>,
    elements: C,
}

impl<C: Column> ArrayColumn<C> {
    fn end(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }
}

impl<C: Column> Column for ArrayColumn<C> {
    const DATA_TYPE: DataType = DataType::Array(&C::DATA_TYPE);

    #[inline]
    fn rows(&self) -> usize {
        self.ends.len()
    }

    #[inline]
    fn byte_size(&self) -> usize {
        self.ends.len() * 8 + self.elements.byte_size()
    }

    fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        self.elements.truncate(self.end());
    }

    fn push_default(&mut self) {
        self.ends.push(self.end());
    }

    fn write_prefix(&self, out: &mut Vec<u8>) {
        self.elements.write_prefix(out);
    }

    fn write_data(&self, out: &mut Vec<u8>) {
        write_fixed(out, &self.ends, |end| (end as u64).to_le_bytes());
        self.elements.write_data(out);
    }
}

impl<T, C: Stores<T>> Stores<Vec<T>> for ArrayColumn<C> {
    fn append(&mut self, value: &Vec<T>) -> Result<(), ValueError> {
        for element in value {
            self.elements.append(element)?;
        }
        self.ends.push(self.elements.rows());
        Ok(())
    }

    #[inline]
    fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
        input.deserialize_seq(ElementsVisitor { elements: &mut self.elements, element: PhantomData::<fn(&T)> })?;
        self.ends.push(self.elements.rows());
        Ok(())
    }

    fn explain(input: Node<'_>, place: &Place<'_>, findings: &mut Findings) {
        if !input.is_array() {
            findings.push_wrong_type(place, EXPECTED, input);
            return;
        }
        input.for_each_element(|index, element| {
            if !findings.is_full() {
                C::explain(element, &place.element(index), findings);
            }
        });
    }
}

struct ElementsVisitor<'a, T, C> {
    elements: &'a mut C,
    element: PhantomData<fn(&T)>,
}

impl<'de, T, C: Stores<T>> Visitor<'de> for ElementsVisitor<'_, T, C> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(EXPECTED)
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        while sequence.next_element_seed(Seed::<T, C>::new(self.elements))?.is_some() {}
        Ok(())
    }
}

impl<T: ColumnType> ColumnType for Vec<T> {
    type Column = ArrayColumn<T::Column>;
}

impl<C: AllowsLowCardinality> AllowsLowCardinality for ArrayColumn<C> {
    type LowCardinality = ArrayColumn<C::LowCardinality>;
}

impl<const P: u8, C: AllowsPrecision<P>> AllowsPrecision<P> for ArrayColumn<C> {
    type WithPrecision = ArrayColumn<C::WithPrecision>;
}
