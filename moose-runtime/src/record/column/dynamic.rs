//! `Dynamic` for scalars of JSON: which type each row has, and the values of each type in a column of its own.
//!
//! A boolean is `Bool`, an integer `Int64` or, where that is too narrow, `UInt64`, any other number `Float64`, a string
//! `String`. Arrays and objects are rejected: `JSON` and `Variant` hold those.

use serde::de::Deserializer;

use super::{BoolColumn, Column, NumberColumn, Stores, StringColumn};
use crate::record::{
    DataType, Node, ValueError,
    digits::{self, RawError},
    json::{self, Number, Value},
    native::{write_string, write_varint},
};

const EXPECTED: &str = "a boolean, a number of 64 bits, a string or null";

/// The serialisation version in which a `Dynamic` is preceded by all its types.
const FLATTENED: u64 = 3;

/// Values of `Dynamic`, for `serde_json::Value`: `#[olap(column = DynamicColumn)]`.
#[derive(Debug, Default)]
pub struct DynamicColumn {
    /// The index in [`TYPES`] of each row's type, or [`NULL`].
    kinds: Vec<u8>,
    booleans: BoolColumn,
    floats: NumberColumn<f64>,
    integers: NumberColumn<i64>,
    texts: StringColumn,
    large_integers: NumberColumn<u64>,
}

const TYPES: [DataType; 5] = [DataType::Bool, DataType::Float64, DataType::Int64, DataType::String, DataType::UInt64];
const NULL: u8 = 5;

impl DynamicColumn {
    fn push(&mut self, node: Node<'_>) -> Result<(), RawError> {
        let kind = match node.as_number() {
            Some(Number::Unsigned(number)) => match i64::try_from(number) {
                Ok(number) => self.integers.append(&number).map(|()| 2)?,
                Err(_) => self.large_integers.append(&number).map(|()| 4)?,
            },
            Some(Number::Signed(number)) => self.integers.append(&number).map(|()| 2)?,
            Some(Number::Float(_)) if node.text() == "-0" => self.integers.append(&0).map(|()| 2)?,
            Some(Number::Float(_)) if !node.text().contains(['.', 'e', 'E']) => {
                return Err(ValueError::out_of_range(EXPECTED).into());
            }
            Some(Number::Float(number)) => self.floats.append(&number).map(|()| 1)?,
            None if node.is_null() => NULL,
            None if node.is_boolean() => self.booleans.append(&node.text().starts_with('t')).map(|()| 0)?,
            None if node.text().starts_with('"') => {
                self.texts.push(&json::string(node.text()));
                3
            }
            None => return Err(RawError::WrongType(node.unexpected(), EXPECTED)),
        };
        self.kinds.push(kind);
        Ok(())
    }

    /// Number of rows of each type.
    fn counts(&self) -> [usize; 5] {
        let mut counts = [0; 5];
        for kind in &self.kinds {
            if let Some(count) = counts.get_mut(usize::from(*kind)) {
                *count += 1;
            }
        }
        counts
    }
}

impl Column for DynamicColumn {
    const DATA_TYPE: DataType = DataType::Dynamic;

    fn rows(&self) -> usize {
        self.kinds.len()
    }

    fn byte_size(&self) -> usize {
        // Version, number of types, their names.
        let head = 8 + 1 + 5 + 8 + 6 + 7 + 7;
        let values = self.booleans.byte_size() + self.floats.byte_size() + self.integers.byte_size();
        head + self.kinds.len() + values + self.texts.byte_size() + self.large_integers.byte_size()
    }

    fn truncate(&mut self, rows: usize) {
        // A value is appended completely or not at all, so only complete rows must be removed.
        if rows < self.kinds.len() {
            self.kinds.truncate(rows);
            let [booleans, floats, integers, texts, large_integers] = self.counts();
            self.booleans.truncate(booleans);
            self.floats.truncate(floats);
            self.integers.truncate(integers);
            self.texts.truncate(texts);
            self.large_integers.truncate(large_integers);
        }
    }

    fn push_default(&mut self) {
        self.kinds.push(NULL);
    }

    fn write_prefix(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&FLATTENED.to_le_bytes());
        write_varint(out, TYPES.len() as u64);
        for data_type in TYPES {
            write_string(out, &data_type.to_string());
        }
    }

    fn write_data(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.kinds);
        self.booleans.write_data(out);
        self.floats.write_data(out);
        self.integers.write_data(out);
        self.texts.write_data(out);
        self.large_integers.write_data(out);
    }
}

impl Stores<Value> for DynamicColumn {
    fn append(&mut self, value: &Value) -> Result<(), ValueError> {
        self.push(Node::new(&value.to_string())).map_err(|error| match error {
            RawError::Value(error) => error,
            RawError::WrongType(..) => ValueError::wrong_type(EXPECTED),
        })
    }

    fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
        digits::with_text(input, |text| self.push(Node::new(text)))
    }
}
