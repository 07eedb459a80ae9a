//! The macros of `moose-runtime`: `#[derive(OlapRecord)]` and `#[pipeline]`.

mod nearest;
mod record;

use proc_macro::TokenStream;

/// Derives the columns, the validation and the encoding of a record type.
///
/// `#[key]` marks the fields of the sorting key, in field order. `#[serde(…)]` gives the names in JSON: `rename`,
/// `rename_all`, `alias`, `default`, `skip`, `deny_unknown_fields`. `#[olap(…)]` gives what only the table knows, on a
/// field: `low_cardinality`, `precision = 6`, `codec = "Delta, ZSTD"`, `default = "now()"`, `column = path::Column`,
/// `rename = "column"`; on the struct: `crate = "path"`. Doc comments become the columns' comments.
#[proc_macro_derive(OlapRecord, attributes(key, olap, serde))]
pub fn derive_olap_record(input: TokenStream) -> TokenStream {
    record::derive(&syn::parse_macro_input!(input as syn::DeriveInput)).into()
}

/// Registers a static as a resource of the application.
#[proc_macro_attribute]
pub fn pipeline(_arguments: TokenStream, item: TokenStream) -> TokenStream {
    item
}
