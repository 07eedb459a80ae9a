//! Event pipelines into ClickHouse, declared as Rust types.
//!
//! A struct with `#[derive(OlapRecord)]` is at once the validation of incoming records, the DDL of the table, and the
//! encoding of the INSERT. `#[pipeline]` statics declare where records come from and where they go. See
//! `docs/architecture.md` in the repository for the modules and the life of a record.
//!
//! Without default features this crate is the *light set*: what a build script or a schema crate needs, with no async
//! runtime, no HTTP and no C code.

pub mod declare;
pub mod migration;
pub mod record;
pub mod schema;

#[cfg(feature = "build")]
pub mod build;

#[cfg(feature = "runtime")]
pub mod app;
#[cfg(feature = "runtime")]
pub mod cli;
#[cfg(feature = "runtime")]
pub mod clickhouse;
#[cfg(feature = "runtime")]
pub mod config;
#[cfg(feature = "runtime")]
pub mod drain;
#[cfg(feature = "embedded")]
pub mod engine;
#[cfg(feature = "runtime")]
#[doc(hidden)]
pub mod fault;
#[cfg(feature = "runtime")]
pub mod ingest;
#[cfg(feature = "runtime")]
pub mod inlet;
#[cfg(feature = "runtime")]
pub mod machine;
mod macros;
#[cfg(feature = "runtime")]
pub mod manage;
#[cfg(feature = "runtime")]
pub mod memory;
#[cfg(feature = "runtime")]
pub mod migrate;
#[cfg(feature = "runtime")]
pub mod port;
#[cfg(feature = "runtime")]
pub mod shutdown;
#[cfg(feature = "runtime")]
pub mod stream;
#[cfg(feature = "runtime")]
pub mod sync;
#[cfg(feature = "runtime")]
pub mod telemetry;
#[cfg(feature = "runtime")]
mod time;

/// Pages of the documentation whose code must compile.
#[cfg(all(doctest, feature = "runtime"))]
mod pages {
    #[doc = include_str!("../../docs/layouts.md")]
    struct Layouts;
    #[doc = include_str!("../../docs/embedding.md")]
    struct Embedding;
}

pub use moose_macros::{OlapRecord, OlapType, pipeline};

/// What declarations need: `use moose_runtime::prelude::*;`.
pub mod prelude {
    pub use crate::{
        OlapRecord, OlapType,
        declare::{DroppedTable, Engine, Index, IngestApi, IngestPipeline, OlapTable, Stream},
        pipeline,
    };
    pub use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
    pub use rust_decimal::Decimal;
    pub use std::time::Duration;
    pub use uuid::Uuid;
}

/// What generated code calls. Not a public interface: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use crate::declare::{
        ColumnName, Place, Registered, check_aggregate, check_field, check_key, check_variant, declared,
    };
    pub use crate::record::column::{
        Aggregate, AggregateColumn, AllowsCompact, AllowsDecimal, AllowsFixed, AllowsJson, AllowsLowCardinality,
        AllowsNested, AllowsPrecision, AllowsTimezone, AnyColumn, EnumColumn, Enumeration, JsonForm, NamedColumn,
        Newtype, NewtypeColumn, StructColumn, Timezone, UnknownType, VariantColumn, VariantColumns,
    };
    pub use crate::record::{
        Column, ColumnSpec, ColumnType, ColumnVisitor, ColumnVisitorMut, Columns, DataType, Field, FieldColumn,
        Findings, JsonOptions, NoColumns, Node, OlapRecord, OrNot, Place as JsonPlace, RecordColumns, Seed, Sendable,
        Stores, ValueError,
    };
    pub use crate::schema::DefaultKind;
    pub use inventory;
    pub use serde;
    pub use serde::de::{Deserializer, Error as DeserializeError, MapAccess};
}
