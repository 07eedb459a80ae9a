//! Event pipelines into ClickHouse, declared as Rust types.
//!
//! A struct is at once the validation of what comes in, the table, and the encoding of the INSERT. A pipeline takes records
//! over HTTP, keeps them in a durable stream and syncs the stream into ClickHouse, every record once. Stream and ClickHouse
//! run embedded unless servers are configured.
//!
//! # Declare
//!
//! In `src/pipelines.rs`: a record type, and a static that says where its records come from and where they go.
//!
//! ```
//! use moose_runtime::prelude::*;
//!
//! /// One page view.
//! #[derive(OlapRecord)]
//! pub struct View {
//!     #[key]
//!     pub id: Uuid,
//!     pub page: String,
//!     pub at: DateTime<Utc>,
//! }
//!
//! // POST /ingest/views -> stream `views` -> table `views`
//! #[pipeline]
//! pub static VIEWS: IngestPipeline<View> = IngestPipeline::new("views").ingest_api(true).stream(true).table(true);
//! ```
//!
//! What is wrong with a declaration does not compile. Parts are declared alone with [`OlapTable`](declare::OlapTable),
//! [`Stream`](declare::Stream) and [`IngestApi`](declare::IngestApi); the attributes of fields are those of
//! [`OlapRecord`](macro@OlapRecord), and types of your own get a column with [`OlapType`].
//!
//! # Build
//!
//! `build.rs` compiles the declarations too, and works out tables and migrations:
//!
//! ```no_run
//! # /*
//! #[path = "src/pipelines.rs"]
//! #[allow(dead_code)]
//! mod pipelines;
//! # */
//!
//! fn main() {
//! # #[cfg(feature = "build")]
//!     moose_runtime::build::migrations();
//! }
//! ```
//!
//! It needs the *light set* alone, with no async runtime, no HTTP and no C code:
//!
//! ```toml
//! [dependencies]
//! moose-runtime = "0.1"
//!
//! [build-dependencies]
//! moose-runtime = { version = "0.1", default-features = false, features = ["build"] }
//! ```
//!
//! # Run
//!
//! ```no_run
//! mod pipelines {
//!     // The declarations.
//! }
//!
//! fn main() -> std::process::ExitCode {
//! # /*
//!     moose_runtime::run!()
//! # */
//! # #[cfg(feature = "runtime")]
//! # return moose_runtime::run!(no build script);
//! # #[cfg(not(feature = "runtime"))]
//! # return std::process::ExitCode::SUCCESS;
//! }
//! ```
//!
//! `cargo run` starts everything, makes the table and says where it listens. A 2xx means that the records are durable:
//!
//! ```sh
//! curl localhost:4000/ingest/views -H 'Content-Type: application/json' \
//!   -d '{"id":"018d0f2e-6c1e-7c4b-9d52-3c1f4d5e6a7b","page":"/","at":"2024-01-15T10:30:00Z"}'
//! cargo run -- query "SELECT page, count() FROM views GROUP BY page"
//! cargo run -- help
//! ```
//!
//! In earnest it is the command `run`, on a ClickHouse of your own: set `clickhouse.url` in `moose.toml`, or
//! `MOOSE_CLICKHOUSE__URL`. All keys are fields of [`config::Config`].
//!
//! # Evolve
//!
//! Change the struct, add `pub referrer: Option<String>`, say. In development the table follows at the next start. For tables
//! that are in use, `MOOSE_SAVE_MIGRATION=referrer cargo build` writes the change into `migrations/`, to be read and
//! committed; the command `run` does not start while migrations are pending, and `migrate apply` applies them.
//!
//! # A program of one's own
//!
//! `app!()` gives the application as a value instead, for a program that has a `main` and work of its own:
//!
//! ```no_run
//! # use moose_runtime::prelude::*;
//! # #[derive(serde::Serialize, OlapRecord)]
//! # pub struct View {
//! #     #[key]
//! #     pub id: u64,
//! #     pub page: String,
//! # }
//! # #[pipeline]
//! # pub static VIEWS: IngestPipeline<View> = IngestPipeline::new("views").stream(true).table(true);
//! # #[cfg(feature = "runtime")]
//! # async fn program() -> Result<(), Box<dyn std::error::Error>> {
//! # /*
//! let app = moose_runtime::app!().start().await?;
//! # */
//! # let app = moose_runtime::app!(no build script).start().await?;
//! app.stream(&VIEWS.stream).append(&[View { id: 1, page: "/".to_owned() }]).await?;
//! let views: u64 = app.query("SELECT count() FROM views").fetch_one().await?;
//! app.stop().await?;
//! # drop(views);
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `embedded` (default) | ClickHouse as a library, in a child process; with `runtime` |
//! | `runtime` | what runs a pipeline: `run!`, `app!`, `app`, `config` |
//! | `build` | what a build script calls: `build` |
//! | `kafka`, `kafka-tls` | streams on Kafka; compiles librdkafka |
//! | `jiff02`, `time03` | dates and times of these libraries as fields |
//!
//! # Where to read on
//!
//! In the repository: `examples/` has packages to copy from; `docs/types.md` what to write for every ClickHouse type,
//! `docs/http.md` what is sent and answered, `docs/delivery.md` what is promised, `docs/migrations.md`, `docs/embedding.md`,
//! `docs/configuration.md`, and `docs/architecture.md` how all of it is made.
#![cfg_attr(docsrs, feature(doc_cfg))]

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
