//! The declarations: which record types there are, which streams keep them and which tables they fill.
//!
//! A declaration is a `static` under `#[pipeline]`, written with `const` builders. What one declaration alone can get
//! wrong fails while it compiles, at the line that is wrong. What only all of them together can tell is found by
//! `Model::linked`, which the build script and the start of the binary both call.
//!
//! - [`OlapTable`], [`Stream`], [`IngestApi`]: one resource each; [`IngestPipeline`]: all three at once.
//! - [`DroppedTable`]: a table that may go.
//! - [`Resource`], [`Spec`]: any of them, seen without its record type.
//! - `model`: the checked whole.
//! - `fingerprint`: whether binary and build script saw the same declarations.

mod api;
mod check;
mod columns;
mod convert;
mod dropped;
mod element;
mod engine;
mod errors;
mod expression;
pub(crate) mod fingerprint;
#[cfg(test)]
pub(crate) mod fixture;
mod message;
pub(crate) mod model;
mod nearest;
mod pipeline;
mod record;
mod registry;
mod rules;
mod spec;
mod stream;
mod table;
mod text;
mod token;

pub use api::IngestApi;
#[doc(hidden)]
pub use check::{check_aggregate, check_key, check_variant};
#[doc(hidden)]
pub use columns::ColumnName;
pub use dropped::DroppedTable;
pub use element::Index;
pub use engine::Engine;
pub use errors::{DeclarationError, DeclarationErrors, Kind};
#[doc(hidden)]
pub use expression::check_field;
pub use fingerprint::{BuildMismatch, Mismatch, Program};
pub use pipeline::IngestPipeline;
pub use registry::{Declaration, Place};
#[doc(hidden)]
pub use registry::{Registered, declared};
pub use spec::{ApiSpec, Resource, Spec, StreamSpec, TableSpec};
pub use stream::Stream;
pub use table::OlapTable;
