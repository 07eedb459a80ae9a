//! The declarations: which record types there are, which streams keep them and which tables they fill.
//!
//! A declaration is a `static` under `#[pipeline]`, written with `const` builders. Errors within one declaration fail
//! to compile, at the line that is wrong. Errors between declarations are found by [`Model::linked`], which the build
//! script and the start of the binary both call.
//!
//! - [`OlapTable`], [`Stream`], [`IngestApi`]: one resource each; [`IngestPipeline`]: all three at once.
//! - [`DroppedTable`]: a table that migrations may drop.
//! - [`Resource`], [`Spec`]: any of them, without its record type.
//! - [`Model`]: all of them together, checked.
//! - [`check_against_build`]: whether binary and build script saw the same declarations.

mod api;
mod check;
mod columns;
mod convert;
mod dropped;
mod element;
mod engine;
mod errors;
mod expression;
mod fingerprint;
#[cfg(test)]
pub(crate) mod fixture;
mod message;
mod model;
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
pub use check::{check_aggregate, check_key, check_variant};
pub use columns::ColumnName;
pub use dropped::DroppedTable;
pub use element::Index;
pub use engine::Engine;
pub use errors::{DeclarationError, DeclarationErrors, Kind};
pub use expression::check_field;
pub use fingerprint::{
    ApiSchema, BuildMismatch, Declared, LinkedSchema, Mismatch, Program, StreamSchema, check_against_build,
};
pub use model::{ApiModel, Model, StreamModel, TableModel};
pub use pipeline::IngestPipeline;
pub use registry::{Declaration, Place, Registered, declared};
pub use spec::{ApiSpec, Resource, Spec, StreamSpec, TableSpec};
pub use stream::Stream;
pub use table::OlapTable;
