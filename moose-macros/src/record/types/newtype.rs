//! Code for a struct around one value: stored as that value, in the column that the value's attributes choose.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Field, Token, parse_quote, punctuated::Punctuated};

use crate::record::{
    attributes::{self, FieldAttributes},
    forms::Shown,
    mistakes::Mistakes,
};

pub(super) fn expand(
    input: &DeriveInput,
    fields: &Punctuated<Field, Token![,]>,
    mistakes: &mut Mistakes,
) -> Option<TokenStream> {
    let Some(field) = fields.first().filter(|_| fields.len() == 1) else {
        mistakes.at(
            &input.ident,
            "a struct without names for its fields is stored if it has exactly one: name them, and it is a tuple",
        );
        return None;
    };
    super::attributes::for_each_entry(&input.attrs, mistakes, |list, entry, mistakes| {
        match (list, entry.name.to_string().as_str()) {
            ("olap", "crate") => drop(entry.path(mistakes)),
            ("olap", _) => entry.unknown("olap", &["crate"], mistakes),
            (_, "transparent") => drop(entry.flag(mistakes)),
            (_, name) if super::attributes::IGNORED.contains(&name) => {}
            _ => entry.unknown("serde", &["transparent"], mistakes),
        }
    });
    let read = FieldAttributes::new(&field.attrs, mistakes);
    super::variant::check_value(field, mistakes);
    let runtime = attributes::runtime(&input.attrs);
    let private = quote!(#runtime::__private);
    let (name, inner) = (&input.ident, &field.ty);
    let mut generics = input.generics.clone();
    let parameters: Vec<_> = generics.type_params().map(|parameter| parameter.ident.clone()).collect();
    for parameter in &parameters {
        generics
            .make_where_clause()
            .predicates
            .push(parse_quote!(#parameter: #private::ColumnType + ::core::marker::Send + 'static));
    }
    let (implementation, arguments, clause) = generics.split_for_impl();
    // With the span of the whole type, so that an error in it is reported once.
    let column = read.forms.column(inner, &private, 0);
    let column = Shown::at(inner).wrap(&quote!(#private::NewtypeColumn), &quote!(Self, #column));
    let markers = read.forms.markers(&private, 0, false);
    Some(quote! {
        const _: () = {
            #markers

            #[automatically_derived]
            impl #implementation #private::Newtype for #name #arguments #clause {
                type Inner = #inner;

                #[inline]
                fn inner(&self) -> &#inner {
                    &self.0
                }
            }

            #[automatically_derived]
            impl #implementation #private::ColumnType for #name #arguments #clause {
                type Column = #column;
            }
        };
    })
}
