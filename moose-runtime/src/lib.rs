//! Event pipelines into ClickHouse, declared as Rust types.
//!
//! A struct with `#[derive(OlapRecord)]` is at once the validation of incoming records, the DDL of the table, and the
//! encoding of the INSERT. `#[pipeline]` statics declare where records come from and where they go. See
//! `docs/architecture.md` in the repository for the modules and the life of a record.
//!
//! Without default features this crate is the *light set*: what a build script or a schema crate needs, with no async
//! runtime, no HTTP and no C code.

pub mod declare;
mod macros;
mod migration;
pub mod record;
mod schema;

#[cfg(feature = "build")]
pub mod build;

#[cfg(feature = "runtime")]
pub mod app;
#[cfg(feature = "runtime")]
mod cli;
#[cfg(feature = "runtime")]
mod clickhouse;
#[cfg(feature = "runtime")]
pub mod config;
#[cfg(feature = "runtime")]
mod drain;
#[cfg(feature = "embedded")]
mod engine;
#[cfg(feature = "runtime")]
mod fault;
#[cfg(feature = "runtime")]
mod ingest;
#[cfg(feature = "runtime")]
mod inlet;
#[cfg(feature = "runtime")]
mod machine;
#[cfg(feature = "runtime")]
mod manage;
#[cfg(feature = "runtime")]
mod memory;
#[cfg(feature = "runtime")]
mod migrate;
#[cfg(feature = "runtime")]
mod port;
#[cfg(feature = "runtime")]
mod shutdown;
#[cfg(feature = "runtime")]
mod stream;
#[cfg(feature = "runtime")]
mod sync;
#[cfg(feature = "runtime")]
mod telemetry;
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

/// What this repository's tests, measurements and examples need beyond the public surface. Not a public interface: it changes
/// without notice.
#[doc(hidden)]
pub mod internal {
    /// Passes a room on under its name: a module that is private can't be passed on itself.
    macro_rules! rooms {
        ($($room:ident),+) => { $(
            #[doc = concat!("What is in `", stringify!($room), "`.")]
            pub mod $room {
                pub use crate::$room::*;
            }
        )+ };
    }

    rooms!(migration, schema);
    #[cfg(feature = "runtime")]
    rooms!(
        clickhouse, drain, fault, ingest, inlet, machine, manage, memory, migrate, port, shutdown, stream, sync,
        telemetry
    );
    #[cfg(feature = "embedded")]
    rooms!(engine);

    /// Where a running application says where it listens.
    #[cfg(feature = "runtime")]
    pub mod app {
        pub use crate::app::addresses::{ADDRESSES_FILE, Addresses};
    }

    /// The declarations as a whole.
    pub mod declare {
        pub use crate::declare::{
            fingerprint::{ApiSchema, Declared, LinkedSchema, StreamSchema, check_against_build},
            model::{ApiModel, Model, StreamModel, TableModel},
        };
    }
}

/// What generated code calls. Not a public interface: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use crate::declare::{
        ColumnName, Place, Program, Registered, check_aggregate, check_field, check_key, check_variant, declared,
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
    #[cfg(feature = "runtime")]
    pub use crate::{app::App, cli::main};
    pub use inventory;
    pub use serde;
    pub use serde::de::{Deserializer, Error as DeserializeError, MapAccess};
}
