//! The schema of tables: data types, columns, table engine, DDL, and how a real table differs from it. Pure data, no
//! input or output, and no knowledge of Rust types: [`declare`](crate::declare) makes these values from the
//! declarations.

pub mod change;
mod data_type;
mod ddl;
mod default_kind;
mod difference;
mod engine;
#[cfg(test)]
pub(crate) mod fixture;
mod functions;
#[doc(hidden)]
pub mod lexer;
pub mod provenance;
mod quote;
mod table;
mod types;

pub use data_type::{DataType, DataTypeError, JsonOptions};
pub use ddl::Storage;
pub use default_kind::{DefaultKind, UnknownDefaultKind};
pub use difference::{ActualColumn, Difference, Role, adopting, differences};
pub use engine::{Engine, EngineError, EngineKind, Replication};
pub use functions::MADE_UP_FUNCTIONS;
pub use quote::{quote_identifier, quote_string};
pub use table::{Column, ColumnDefault, Constraint, ConstraintKind, Index, Projection, Table};
pub(crate) use types::{Class, types};
