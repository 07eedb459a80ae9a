//! Stub implementations for a type whose columns are unknown because of errors in it. They have no columns, so that
//! only the errors themselves are reported and not also every use of the type.
//!
//! They are emitted inside the constant that such a use would evaluate first, so that the compiler computes nothing
//! from it.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{DeriveInput, GenericParam, Generics, parse_quote};

use super::{attributes, mistakes::Told};

/// An `OlapRecord` stub with these errors.
pub(super) fn record(input: &DeriveInput, told: Option<&Told>) -> TokenStream {
    let errors = told.map(|told| &told.errors);
    let runtime = attributes::runtime(&input.attrs);
    let Some(Owner { name, generics, arguments }) = Owner::of(input) else { return quote!(#errors) };
    let (implementation, _, clause) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #implementation #runtime::__private::OlapRecord for #name #arguments #clause {
            type Columns = #runtime::__private::NoColumns;
            const KEY: &'static [&'static ::core::primitive::str] = {
                #errors
                &[]
            };
        }
    }
}

/// An `OlapType` stub with these errors.
pub(super) fn olap_type(input: &DeriveInput, told: Option<&Told>) -> TokenStream {
    let errors = told.map(|told| &told.errors);
    let runtime = attributes::runtime(&input.attrs);
    let Some(Owner { name, generics, arguments }) = Owner::of(input) else { return quote!(#errors) };
    let (implementation, _, clause) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #implementation #runtime::__private::ColumnType for #name #arguments #clause {
            type Column = #runtime::__private::AnyColumn<Self>;
        }

        #[automatically_derived]
        impl #implementation #runtime::__private::UnknownType for #name #arguments #clause {
            const DATA_TYPE: #runtime::__private::DataType = {
                #errors
                #runtime::__private::DataType::String
            };
        }
    }
}

/// The type with `'static` for each lifetime.
struct Owner<'a> {
    name: &'a Ident,
    generics: Generics,
    arguments: TokenStream,
}

impl<'a> Owner<'a> {
    /// `None` if a bound names a lifetime.
    fn of(input: &'a DeriveInput) -> Option<Self> {
        let mut generics = input.generics.clone();
        for parameter in generics.type_params_mut() {
            parameter.bounds.push(parse_quote!('static));
        }
        if generics.lifetimes().next().is_none() {
            let (_, arguments, _) = input.generics.split_for_impl();
            return Some(Self { name: &input.ident, generics, arguments: quote!(#arguments) });
        }
        if input.generics.type_params().next().is_some() || input.generics.where_clause.is_some() {
            return None;
        }
        let arguments = input.generics.params.iter().map(|parameter| match parameter {
            GenericParam::Lifetime(_) => quote!('static),
            GenericParam::Const(parameter) => {
                let name = &parameter.ident;
                quote!(#name)
            }
            GenericParam::Type(parameter) => {
                let name = &parameter.ident;
                quote!(#name)
            }
        });
        let arguments = quote!(<#(#arguments),*>);
        generics.params = generics.params.into_iter().filter(|one| !matches!(one, GenericParam::Lifetime(_))).collect();
        Some(Self { name: &input.ident, generics, arguments })
    }
}
