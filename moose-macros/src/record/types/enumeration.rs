//! An enum without data: labels are the names in JSON, values the discriminants.

use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

use super::Named;
use crate::record::{attributes, mistakes::Mistakes};

/// More than any enum of 16 bits has.
const MOST: usize = 1 << 16;

pub(super) fn expand(input: &DeriveInput, variants: &[Named<'_>], mistakes: &mut Mistakes) -> Option<TokenStream> {
    if !input.generics.params.is_empty() {
        mistakes.at(&input.generics, "an enum without data needs no parameters");
        return None;
    }
    if variants.len() > MOST {
        mistakes.at(&input.ident, format_args!("an enum has at most {MOST} variants"));
        return None;
    }
    let runtime = attributes::runtime(&input.attrs);
    let private = quote!(#runtime::__private);
    let name = &input.ident;
    // A discriminant may be any expression, so the compiler says which number it is.
    let values: Vec<TokenStream> = variants
        .iter()
        .map(|Named { variant, .. }| {
            let variant = &variant.ident;
            quote!(const { #private::enum_value(#name::#variant as ::core::primitive::i64) })
        })
        .collect();
    let idents: Vec<_> = variants.iter().map(|named| &named.variant.ident).collect();
    let labels = variants.iter().filter_map(|named| named.json.first());
    let names = variants.iter().map(|named| &named.json);
    Some(quote! {
        const _: () = {
            #[automatically_derived]
            impl #private::Enumeration for #name {
                const LABELS: &'static [(&'static ::core::primitive::str, ::core::primitive::i16)] =
                    &[#((#labels, #values)),*];

                fn value(&self) -> ::core::primitive::i16 {
                    match self {
                        #(Self::#idents => #values,)*
                    }
                }

                fn value_of(__name: &::core::primitive::str) -> ::core::option::Option<::core::primitive::i16> {
                    match __name {
                        #(#(#names)|* => ::core::option::Option::Some(#values),)*
                        _ => ::core::option::Option::None,
                    }
                }
            }

            #[automatically_derived]
            impl #private::ColumnType for #name {
                type Column = #private::EnumColumn<Self>;
            }
        };
    })
}
