//! The macros of `moose-runtime`: `#[derive(OlapRecord)]`, `#[derive(OlapType)]` and `#[pipeline]`.
//!
//! Programs use them from there (`use moose_runtime::prelude::*;`), and its documentation has the examples: what a macro makes
//! names `moose_runtime`, so none of them would compile here.

mod nearest;
mod pipeline;
mod place;
mod record;

use proc_macro::TokenStream;

/// Derives the columns, the validation and the encoding of a record type.
///
/// `#[key]` marks the fields of the sorting key, in field order. `#[serde(…)]` gives the names in JSON: `rename`,
/// `rename_all`, `alias`, `default`, `skip`, `deny_unknown_fields`. `#[olap(…)]` gives what only the table knows, on a
/// field: how its type is stored (`low_cardinality`, `precision = 6`, `compact`, `timezone = "Europe/Berlin"`, `fixed = 16`,
/// `decimal(18, 4)`, `nested`, `json(…)`, `aggregate = "sum"`, `column = path::Column`), `rename = "column"`,
/// `codec = "Delta, ZSTD"`, `ttl = "timestamp + INTERVAL 30 DAY"`, one of `default = "now()"`,
/// `materialized = "toDate(timestamp)"`, `alias = "lower(name)"` and `ephemeral`, and for migrations
/// `renamed_from = "old"` and `narrowed`; on the struct: `dropped("old")`, `crate = "path"`. Doc comments become the
/// comments of columns and table.
#[proc_macro_derive(OlapRecord, attributes(key, olap, serde))]
pub fn derive_olap_record(input: TokenStream) -> TokenStream {
    record::derive(&syn::parse_macro_input!(input as syn::DeriveInput)).into()
}

/// Derives the column of a user-defined type for a field of a record.
///
/// A struct with named fields is a tuple with names, a struct around one value is stored as that value, an enum without
/// data is an `Enum8` or `Enum16` of its discriminants, and an enum whose variants hold one value each is a `Variant`,
/// in which a variant without data is NULL. `#[serde(…)]` gives the names in JSON, and `untagged` on an enum with data
/// omits them; `#[olap(…)]` on a field or a value says how its type is stored, as in a record.
#[proc_macro_derive(OlapType, attributes(key, olap, serde))]
pub fn derive_olap_type(input: TokenStream) -> TokenStream {
    record::derive_type(&syn::parse_macro_input!(input as syn::DeriveInput)).into()
}

/// Registers a static as a resource of the application, and checks the finished declaration while it compiles.
///
/// The static is an `OlapTable`, a `Stream`, an `IngestApi` or an `IngestPipeline`. Takes no arguments, except
/// `crate = "path"` where `moose_runtime` has another name.
#[proc_macro_attribute]
pub fn pipeline(arguments: TokenStream, item: TokenStream) -> TokenStream {
    pipeline::expand(arguments.into(), item.into()).into()
}
