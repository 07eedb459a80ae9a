//! `#[derive(OlapType)]`: user-defined types for a column of a record. A struct with named fields becomes a tuple with
//! names, a struct around one value that value, an enum without data an `Enum8` or `Enum16`, an enum with data a
//! `Variant`.

mod attributes;
mod enumeration;
mod newtype;
mod variant;

use proc_macro2::TokenStream;
use syn::{Data, DeriveInput, Fields};

use self::attributes::{EnumAttributes, names};
use super::{
    expand::expand,
    mistakes::Mistakes,
    model::{Record, Role},
    stub,
};

/// The implementations for a type, or all its errors.
pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let mut mistakes = Mistakes::default();
    if !matches!(&input.data, Data::Struct(data) if matches!(data.fields, Fields::Named(_))) {
        for lifetime in input.generics.lifetimes() {
            mistakes.at(lifetime, "a record outlives what it was read from: use owned values such as `String`");
        }
    }
    let expanded = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(_) => {
                let record = Record::new(input, Role::Tuple, &mut mistakes);
                return match (record, mistakes.finish()) {
                    (Some(record), told) => expand(&record, told.as_ref()),
                    (None, told) => stub::olap_type(input, told.as_ref()),
                };
            }
            Fields::Unnamed(fields) => newtype::expand(input, &fields.unnamed, &mut mistakes),
            Fields::Unit => {
                mistakes.at(&input.ident, "a struct without fields has nothing to store");
                None
            }
        },
        Data::Enum(data) if data.variants.is_empty() => {
            mistakes.at(&input.ident, "an enum without variants has no value to store");
            None
        }
        Data::Enum(data) => {
            let on_enum = EnumAttributes::new(&input.attrs, &mut mistakes);
            let has_data = data.variants.iter().any(|variant| !matches!(variant.fields, Fields::Unit));
            let variants = names(data.variants.iter(), &on_enum, &mut mistakes);
            if has_data {
                variant::expand(input, &variants, &on_enum, &mut mistakes)
            } else {
                enumeration::expand(input, &variants, &on_enum, &mut mistakes)
            }
        }
        Data::Union(_) => {
            mistakes.at(&input.ident, "a union has no ClickHouse type");
            None
        }
    };
    match (expanded, mistakes.finish()) {
        (Some(expanded), None) => expanded,
        (_, told) => stub::olap_type(input, told.as_ref()),
    }
}
