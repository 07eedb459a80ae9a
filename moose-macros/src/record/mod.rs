//! `#[derive(OlapRecord)]`, one way: syntax (`entry`) -> attributes as written (`attributes`) -> checked model
//! (`model`) -> code (`expand`, with what only the compiler can check in `checks`). Errors are collected on the way
//! (`mistakes`) and reported all at once, beside stub implementations (`stub`) that prevent follow-up errors.

mod attributes;
mod case;
mod checks;
mod columns;
mod entry;
mod expand;
mod forms;
mod json;
mod mistakes;
mod model;
mod options;
mod stub;
#[cfg(test)]
mod tests;
mod types;

use proc_macro2::TokenStream;
use syn::DeriveInput;

use self::mistakes::Mistakes;
pub(crate) use self::types::derive as derive_type;

/// The implementations for a struct, or all its errors.
pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let record = model::Record::new(input, model::Role::Record, &mut mistakes);
    match (record, mistakes.finish()) {
        (Some(record), told) => expand::expand(&record, told.as_ref()),
        (None, told) => stub::record(input, told.as_ref()),
    }
}
