//! What a table is: data types, columns, engine, DDL. Pure data, no input or output.

mod data_type;

pub use data_type::{DataType, DataTypeError};
