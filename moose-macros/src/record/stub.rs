//! What stands beside the mistakes: an implementation without columns, so that only the mistakes are told and not also
//! every use of the type.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Error};

use super::attributes;

/// The errors, and an empty implementation.
pub(super) fn stub(input: &DeriveInput, errors: Option<Error>) -> TokenStream {
    let errors = errors.map(|errors| errors.to_compile_error());
    let runtime = attributes::runtime(&input.attrs);
    let name = &input.ident;
    let mut generics = input.generics.clone();
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(syn::parse_quote!('static));
    }
    let (implementation, arguments, clause) = generics.split_for_impl();
    // A lifetime is a mistake already, and an implementation for it another one.
    let stub = input.generics.lifetimes().next().is_none().then(|| {
        quote! {
            #[automatically_derived]
            impl #implementation #runtime::__private::OlapRecord for #name #arguments #clause {
                type Columns = #runtime::__private::NoColumns;
                const KEY: &'static [&'static ::core::primitive::str] = &[];
            }
        }
    });
    quote!(#errors #stub)
}
