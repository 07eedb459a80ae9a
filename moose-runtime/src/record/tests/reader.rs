//! A small reader of Native blocks for the tests, written from the format's description and not from the writer.

use crate::schema::DataType;

/// A value of a block.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bytes(Vec<u8>),
    Array(Vec<Value>),
}

/// A column of a block.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ReadColumn {
    pub(super) name: String,
    pub(super) data_type: DataType,
    pub(super) values: Vec<Value>,
}

impl Value {
    /// A string's value.
    pub(super) fn text(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }
}

/// All columns of exactly one block.
pub(super) fn read(block: &[u8]) -> Vec<ReadColumn> {
    let mut input = Input(block);
    let columns = input.varint();
    let rows = input.varint();
    let columns = (0..columns).map(|_| input.column(rows)).collect();
    assert!(input.0.is_empty(), "{} bytes after the block", input.0.len());
    columns
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn take(&mut self, bytes: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(bytes);
        self.0 = rest;
        taken.to_vec()
    }

    fn varint(&mut self) -> usize {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = self.take(1)[0];
            value |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take(8).try_into().unwrap())
    }

    fn string(&mut self) -> Vec<u8> {
        let length = self.varint();
        self.take(length)
    }

    fn column(&mut self, rows: usize) -> ReadColumn {
        let name = String::from_utf8(self.string()).unwrap();
        let data_type: DataType = String::from_utf8(self.string()).unwrap().parse().unwrap();
        let mut values = Vec::new();
        if rows > 0 {
            self.prefix(&data_type);
            values = self.data(&data_type, rows);
        }
        ReadColumn { name, data_type, values }
    }

    fn prefix(&mut self, data_type: &DataType) {
        match data_type {
            DataType::Array(inner) | DataType::Nullable(inner) => self.prefix(inner),
            DataType::LowCardinality(_) => assert_eq!(self.u64(), 1),
            _ => {}
        }
    }

    fn data(&mut self, data_type: &DataType, rows: usize) -> Vec<Value> {
        match data_type {
            DataType::Array(inner) => self.arrays(inner, rows),
            DataType::Nullable(inner) => {
                let nulls = self.take(rows);
                let values = self.data(inner, rows);
                nulls.iter().zip(values).map(|(null, value)| if *null == 1 { Value::Null } else { value }).collect()
            }
            DataType::LowCardinality(inner) => self.low_cardinality(inner, rows),
            DataType::String => (0..rows).map(|_| Value::Bytes(self.string())).collect(),
            fixed => (0..rows).map(|_| Value::Bytes(self.take(size_of(fixed)))).collect(),
        }
    }

    fn arrays(&mut self, inner: &DataType, rows: usize) -> Vec<Value> {
        let ends: Vec<usize> = (0..rows).map(|_| usize::try_from(self.u64()).unwrap()).collect();
        let mut elements = self.data(inner, ends.last().copied().unwrap_or(0)).into_iter();
        let mut start = 0;
        ends.into_iter()
            .map(|end| {
                let row = elements.by_ref().take(end - start).collect();
                start = end;
                Value::Array(row)
            })
            .collect()
    }

    fn low_cardinality(&mut self, inner: &DataType, rows: usize) -> Vec<Value> {
        if rows == 0 {
            return Vec::new();
        }
        let flags = self.u64();
        assert_eq!(flags & !0xff, 1 << 9, "the dictionary stands in the block");
        let width = 1 << (flags & 0xff);
        let keys = usize::try_from(self.u64()).unwrap();
        let mut keys: Vec<Value> = (0..keys).map(|_| Value::Bytes(self.string())).collect();
        if matches!(inner, DataType::Nullable(_)) {
            keys[0] = Value::Null;
        }
        assert_eq!(usize::try_from(self.u64()).unwrap(), rows);
        (0..rows)
            .map(|_| {
                let code = self.take(width).iter().rev().fold(0, |code, byte| code << 8 | usize::from(*byte));
                keys[code].clone()
            })
            .collect()
    }
}

fn size_of(data_type: &DataType) -> usize {
    match data_type {
        DataType::Bool | DataType::Int8 | DataType::UInt8 => 1,
        DataType::Int16 | DataType::UInt16 => 2,
        DataType::Int32 | DataType::UInt32 | DataType::Float32 | DataType::Date32 => 4,
        DataType::Int64 | DataType::UInt64 | DataType::Float64 | DataType::DateTime64 { .. } => 8,
        DataType::Uuid => 16,
        other => panic!("{other} has no fixed size"),
    }
}
