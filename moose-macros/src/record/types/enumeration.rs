//! Code for an enum without data: its labels are the names in JSON, its values the discriminants.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{DeriveInput, spanned::Spanned};

use super::attributes::{EnumAttributes, Named};
use crate::record::{attributes, mistakes::Mistakes};

/// Number of values that 16 bits have.
const MOST: usize = 1 << 16;
/// Number of variants without discriminants whose values certainly fit into 16 bits.
const MOST_COUNTED: usize = 1 << 15;

pub(super) fn expand(
    input: &DeriveInput,
    variants: &[Named<'_>],
    on_enum: &EnumAttributes,
    mistakes: &mut Mistakes,
) -> Option<TokenStream> {
    if let Some(untagged) = &on_enum.untagged {
        mistakes
            .at(untagged, "`untagged` is for variants with data: one without is given by its name, so leave it out");
    }
    if !input.generics.params.is_empty() {
        mistakes.at(&input.generics, "an enum without data has no use for parameters: leave them out");
        return None;
    }
    if variants.len() > MOST {
        mistakes
            .at(&input.ident, format_args!("an enum has at most {MOST} variants, as many as an `Enum16` has values"));
        return None;
    }
    let runtime = attributes::runtime(&input.attrs);
    let private = quote!(#runtime::__private);
    let name = &input.ident;
    // A discriminant may be any expression, so only the compiler knows its value.
    let values: Vec<TokenStream> = variants
        .iter()
        .map(|Named { variant, .. }| {
            let variant = &variant.ident;
            quote!(#name::#variant as ::core::primitive::i16)
        })
        .collect();
    let checks = checks(input, variants);
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

            #checks
        };
    })
}

/// The check that each value fits into 16 bits, which only the compiler can do. None if the values are counted from 0.
fn checks(input: &DeriveInput, variants: &[Named<'_>]) -> TokenStream {
    let has_discriminants = variants.iter().any(|named| named.variant.discriminant.is_some());
    if !has_discriminants && variants.len() <= MOST_COUNTED {
        return TokenStream::new();
    }
    let name = &input.ident;
    let checks = variants.iter().map(|Named { variant, .. }| {
        let ident = &variant.ident;
        let message = format!(
            "the value of variant `{ident}` is not among -32768 to 32767, which are those of an `Enum16`: give it another one"
        );
        let span = variant.discriminant.as_ref().map_or(ident.span(), |(_, value)| value.span());
        // Converted to 16 bits and back, it must be the same.
        quote_spanned! {span=>
            const _: () = ::core::assert!(
                #name::#ident as ::core::primitive::i128
                    == (#name::#ident as ::core::primitive::i16) as ::core::primitive::i128,
                "{}",
                #message
            );
        }
    });
    checks.collect()
}
