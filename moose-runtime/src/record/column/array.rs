//! `Array(…)` for `Vec` and arrays: the end offset of each row, and the elements of all rows in one column.

use std::{fmt, marker::PhantomData};

use serde::de::{self, Deserializer, SeqAccess, Visitor};

use super::{Column, ColumnType, Stores};
use crate::record::{DataType, Findings, Node, Place, Seed, ValueError, native::write_fixed};

const EXPECTED: &str = "an array";

/// Values of `Array(…)`.
#[derive(Debug, Default)]
pub struct ArrayColumn<C> {
    /// The end of each row's elements.
    ends: Vec<usize>,
    elements: C,
}

impl<C: Column> ArrayColumn<C> {
    fn end(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    fn append_all<T>(&mut self, elements: &[T]) -> Result<(), ValueError>
    where
        C: Stores<T>,
    {
        for (index, element) in elements.iter().enumerate() {
            self.elements.append(element).map_err(|error| error.in_element(index))?;
        }
        self.ends.push(self.elements.rows());
        Ok(())
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
        self.append_all(value)
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

impl<T, C: Stores<T>, const N: usize> Stores<[T; N]> for ArrayColumn<C> {
    fn append(&mut self, value: &[T; N]) -> Result<(), ValueError> {
        self.append_all(value)
    }

    fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
        <Self as Stores<Vec<T>>>::append_json(self, input)?;
        let mut ends = self.ends.iter().rev();
        let length = ends.next().copied().unwrap_or(0) - ends.next().copied().unwrap_or(0);
        if length == N { Ok(()) } else { Err(de::Error::invalid_length(length, &of_length(N).as_str())) }
    }

    fn explain(input: Node<'_>, place: &Place<'_>, findings: &mut Findings) {
        <Self as Stores<Vec<T>>>::explain(input, place, findings);
        let mut length = 0;
        input.for_each_element(|_, _| length += 1);
        if input.is_array() && length != N {
            findings.push(place, de::Error::invalid_length(length, &of_length(N).as_str()));
        }
    }
}

fn of_length(length: usize) -> String {
    format!("an array of exactly {length}")
}

impl<T: ColumnType, const N: usize> ColumnType for [T; N] {
    type Column = ArrayColumn<T::Column>;
}
