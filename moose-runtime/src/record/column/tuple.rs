//! `Tuple(…)`: without element names for tuples, and with names for structs.

use std::{fmt, marker::PhantomData};

use serde::de::{self, Deserializer, SeqAccess, Visitor};

use super::{Column, ColumnType, Stores};
use crate::record::{
    ColumnVisitor, ColumnVisitorMut, DataType, Findings, Node, Place, RecordColumns, Seed, ValueError, decode, explain,
};

/// Values of `Tuple(name type, …)`, for a struct with `#[derive(OlapType)]`: a column for each field.
#[derive(Debug)]
pub struct StructColumn<R, C> {
    pub(super) columns: C,
    record: PhantomData<fn() -> R>,
}

impl<R, C: Default> Default for StructColumn<R, C> {
    fn default() -> Self {
        Self { columns: C::default(), record: PhantomData }
    }
}

/// Applies the same to every column.
struct Every<F>(F);

impl ColumnVisitor for Every<(&mut Vec<u8>, bool)> {
    fn column<C: Column>(&mut self, column: &C) {
        let (out, is_prefix) = &mut self.0;
        if *is_prefix { column.write_prefix(out) } else { column.write_data(out) }
    }
}

impl ColumnVisitorMut for Every<()> {
    fn column<C: Column>(&mut self, column: &mut C) {
        column.push_default();
    }
}

impl<R: 'static, C: RecordColumns<R>> Column for StructColumn<R, C> {
    const DATA_TYPE: DataType = DataType::NamedTuple(C::COLUMNS);

    #[inline]
    fn rows(&self) -> usize {
        decode::rows(&self.columns)
    }

    #[inline]
    fn byte_size(&self) -> usize {
        decode::byte_size(&self.columns)
    }

    fn truncate(&mut self, rows: usize) {
        decode::truncate(&mut self.columns, rows);
    }

    fn push_default(&mut self) {
        self.columns.visit_mut(&mut Every(()));
    }

    fn write_prefix(&self, out: &mut Vec<u8>) {
        self.columns.visit(&mut Every((out, true)));
    }

    fn write_data(&self, out: &mut Vec<u8>) {
        self.columns.visit(&mut Every((out, false)));
    }
}

impl<R: 'static, C: RecordColumns<R>> Stores<R> for StructColumn<R, C> {
    fn append(&mut self, value: &R) -> Result<(), ValueError> {
        self.columns.append(value)
    }

    #[inline]
    fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
        input.deserialize_map(decode::RecordVisitor::<R, C>::new(&mut self.columns))
    }

    fn explain(input: Node<'_>, place: &Place<'_>, findings: &mut Findings) {
        explain::explain_fields::<R, C>(input, place, findings);
    }
}

macro_rules! tuples {
    ($($count:literal: $($place:tt $value:ident $column:ident),*;)*) => { $(
        impl<$($column: Column),*> Column for ($($column,)*) {
            const DATA_TYPE: DataType = DataType::Tuple(&[$($column::DATA_TYPE),*]);

            #[inline]
            fn rows(&self) -> usize {
                self.0.rows()
            }

            #[inline]
            fn byte_size(&self) -> usize {
                0 $(+ self.$place.byte_size())*
            }

            fn truncate(&mut self, rows: usize) {
                $(self.$place.truncate(rows);)*
            }

            fn push_default(&mut self) {
                $(self.$place.push_default();)*
            }

            fn write_prefix(&self, out: &mut Vec<u8>) {
                $(self.$place.write_prefix(out);)*
            }

            fn write_data(&self, out: &mut Vec<u8>) {
                $(self.$place.write_data(out);)*
            }
        }

        impl<$($value, $column: Stores<$value>),*> Stores<($($value,)*)> for ($($column,)*) {
            fn append(&mut self, value: &($($value,)*)) -> Result<(), ValueError> {
                $(self.$place.append(&value.$place).map_err(|error| error.in_element($place))?;)*
                Ok(())
            }

            fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
                struct Elements<'a, V, C>(&'a mut C, PhantomData<fn(&V)>);

                impl<'de, $($value, $column: Stores<$value>),*> Visitor<'de>
                    for Elements<'_, ($($value,)*), ($($column,)*)>
                {
                    type Value = ();

                    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                        formatter.write_str(concat!("an array of exactly ", $count))
                    }

                    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
                        $(
                            if sequence.next_element_seed(Seed::<$value, $column>::new(&mut self.0.$place))?.is_none() {
                                return Err(de::Error::invalid_length($place, &self));
                            }
                        )*
                        // The parser itself reports extra elements.
                        Ok(())
                    }
                }

                input.deserialize_tuple($count, Elements::<($($value,)*), Self>(self, PhantomData))
            }

            fn explain(input: Node<'_>, place: &Place<'_>, findings: &mut Findings) {
                const EXPECTED: &str = concat!("an array of exactly ", $count);
                if !input.is_array() {
                    findings.push_wrong_type(place, EXPECTED, input);
                    return;
                }
                let mut found = 0;
                input.for_each_element(|index, element| {
                    found = index + 1;
                    match index {
                        $($place => $column::explain(element, &place.element(index), findings),)*
                        _ => {}
                    }
                });
                if found != $count {
                    findings.push(place, de::Error::invalid_length(found, &EXPECTED));
                }
            }
        }

        impl<$($value: ColumnType),*> ColumnType for ($($value,)*) {
            type Column = ($($value::Column,)*);
        }
    )* };
}

tuples! {
    1: 0 V0 C0;
    2: 0 V0 C0, 1 V1 C1;
    3: 0 V0 C0, 1 V1 C1, 2 V2 C2;
    4: 0 V0 C0, 1 V1 C1, 2 V2 C2, 3 V3 C3;
    5: 0 V0 C0, 1 V1 C1, 2 V2 C2, 3 V3 C3, 4 V4 C4;
    6: 0 V0 C0, 1 V1 C1, 2 V2 C2, 3 V3 C3, 4 V4 C4, 5 V5 C5;
    7: 0 V0 C0, 1 V1 C1, 2 V2 C2, 3 V3 C3, 4 V4 C4, 5 V5 C5, 6 V6 C6;
    8: 0 V0 C0, 1 V1 C1, 2 V2 C2, 3 V3 C3, 4 V4 C4, 5 V5 C5, 6 V6 C6, 7 V7 C7;
}
