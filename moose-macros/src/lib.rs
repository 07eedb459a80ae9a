//! The macros of `moose-runtime`: `#[derive(OlapRecord)]` and `#[pipeline]`.

use proc_macro::TokenStream;

/// Derives the columns, the validation and the encoding of a record type.
#[proc_macro_derive(OlapRecord, attributes(key, olap, serde))]
pub fn derive_olap_record(_input: TokenStream) -> TokenStream {
    TokenStream::new()
}

/// Registers a static as a resource of the application.
#[proc_macro_attribute]
pub fn pipeline(_arguments: TokenStream, item: TokenStream) -> TokenStream {
    item
}
