//! Code for an enum with data: each variant with data is a type of the `Variant`, one without is NULL.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{DeriveInput, Field, Fields, spanned::Spanned};

use super::attributes::{EnumAttributes, Named};
use crate::place::respanned;
use crate::record::{
    attributes::{self, FieldAttributes},
    columns::{self, Columns, FieldColumn, buffer, open_column},
    entry::entries_of,
    mistakes::Mistakes,
};

/// Maximum number of types in a `Variant` of ClickHouse.
const MOST: usize = 255;

/// A variant with data.
struct Alternative<'a> {
    name: &'a Ident,
    json: &'a [String],
    field: &'a Field,
    read: FieldAttributes,
}

/// A value without a name may only have attributes that say how its type is stored.
pub(super) fn check_value(field: &Field, mistakes: &mut Mistakes) {
    for attribute in &field.attrs {
        if attribute.path().is_ident("key") {
            mistakes.at(attribute, NO_COLUMN);
        }
        if attribute.path().is_ident("olap") || attribute.path().is_ident("serde") {
            // Invalid attributes are reported where they are parsed.
            for entry in entries_of(attribute, &mut Mistakes::default()) {
                let name = entry.name.to_string();
                if attributes::is_of_column(attribute, &name) {
                    mistakes.at(&entry.name, NO_COLUMN);
                }
            }
        }
    }
}

const NO_COLUMN: &str =
    "the value is no column of a table, and has no name: here stands only how it is stored, such as `low_cardinality`";

/// ```text
/// enum Value { Pair(u8, u8) }          // two values have no type: make a struct of them
/// enum Value { None, Unset, A(u8) }    // NULL is one value
/// ```
fn alternatives<'a>(
    variants: &'a [Named<'a>],
    mistakes: &mut Mistakes,
) -> (Vec<Alternative<'a>>, Option<&'a Named<'a>>) {
    let (mut with_data, mut null) = (Vec::new(), None);
    for named in variants {
        match &named.variant.fields {
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                for field in &fields.unnamed {
                    let read = FieldAttributes::new(&field.attrs, mistakes);
                    check_value(field, mistakes);
                    with_data.push(Alternative { name: &named.variant.ident, json: &named.json, field, read });
                }
            }
            Fields::Unit if null.is_none() => null = Some(named),
            Fields::Unit => {
                mistakes.at(
                    &named.variant.ident,
                    "a variant without data is NULL, and there is one already: take one of them out",
                );
            }
            Fields::Named(_) | Fields::Unnamed(_) => {
                let name = &named.variant.ident;
                let message = if named.variant.fields.is_empty() {
                    format!("a variant without data is written without parentheses: `{name}`")
                } else {
                    format!(
                        "a variant holds one value: make a struct of these, with `#[derive(OlapType)]`, and write `{name}(ThatStruct)`"
                    )
                };
                mistakes.at(name, message);
            }
        }
    }
    (with_data, null)
}

pub(super) fn expand(
    input: &DeriveInput,
    variants: &[Named<'_>],
    on_enum: &EnumAttributes,
    mistakes: &mut Mistakes,
) -> Option<TokenStream> {
    let (alternatives, null) = alternatives(variants, mistakes);
    if alternatives.len() > MOST {
        mistakes.at(&input.ident, format_args!("a `Variant` holds at most {MOST} types"));
    }
    if alternatives.is_empty() {
        return None;
    }
    let runtime = attributes::runtime(&input.attrs);
    let private = quote!(#runtime::__private);
    let name = &input.ident;
    // For a generic enum only its user knows the types.
    let is_checked = input.generics.params.is_empty();
    let markers: TokenStream = alternatives
        .iter()
        .enumerate()
        .map(|(place, alternative)| alternative.read.forms.markers(&private, place, is_checked))
        .collect();
    let fields = alternatives.iter().enumerate().map(|(place, alternative)| FieldColumn {
        value: &alternative.field.ty,
        column: alternative.read.forms.column(&alternative.field.ty, &private, place),
        is_filled: true,
    });
    let columns = Columns {
        name: format_ident!("__Variants"),
        owner: name,
        generics: &input.generics,
        private: private.clone(),
        fields: fields.collect(),
    };
    let definition = columns.definition();
    let variant_columns = variant_columns(&columns, &alternatives, null, on_enum);
    let closed = columns.closed();
    let checks = alternatives.iter().enumerate().filter(|_| is_checked).map(|(place, alternative)| {
        let place = Literal::usize_unsuffixed(place);
        let span = alternative.field.ty.span();
        let private = respanned(private.clone(), span);
        quote_spanned!(span=> const _: () = #private::check_variant::<#name>(#place);)
    });
    let checks: TokenStream = checks.collect();
    let generics = columns::generics(&input.generics, &private);
    let (implementation, arguments, clause) = generics.split_for_impl();
    Some(quote! {
        const _: () = {
            #markers

            #definition

            #variant_columns

            #[automatically_derived]
            impl #implementation #private::ColumnType for #name #arguments #clause {
                type Column = #private::VariantColumn<Self, #closed>;
            }

            #checks
        };
    })
}

fn variant_columns(
    columns: &Columns<'_>,
    alternatives: &[Alternative<'_>],
    null: Option<&Named<'_>>,
    on_enum: &EnumAttributes,
) -> TokenStream {
    let Columns { owner: name, private, .. } = columns;
    let (_, arguments, _) = columns.generics.split_for_impl();
    let generics = columns.open_generics();
    let (implementation, _, clause) = generics.split_for_impl();
    let places: Vec<usize> = (0..alternatives.len()).collect();
    let buffers: Vec<Ident> = places.iter().map(|place| buffer(*place)).collect();
    let of_places: Vec<TokenStream> = places.iter().map(|place| open_column(*place)).collect();
    let values: Vec<_> = alternatives.iter().map(|alternative| &alternative.field.ty).collect();
    let idents: Vec<_> = alternatives.iter().map(|alternative| alternative.name).collect();
    let names = alternatives.iter().map(|alternative| {
        let json = alternative.json;
        quote!(&[#(#json),*])
    });
    let null_names = null.iter().flat_map(|named| &named.json);
    let null_arm = null.iter().map(|named| {
        let ident = &named.variant.ident;
        quote!(#name::#ident => ::core::result::Result::Ok(::core::option::Option::None),)
    });
    // For a generic enum only its user knows the types.
    let is_checked = columns.generics.params.is_empty();
    let untagged = on_enum.untagged.is_some();
    quote! {
        #[automatically_derived]
        impl #implementation #private::VariantColumns<#name #arguments> for __Variants<__R> #clause {
            const TYPES: &'static [#private::DataType] = &[#(<#of_places as #private::Column>::DATA_TYPE),*];
            const NAMES: &'static [&'static [&'static ::core::primitive::str]] = &[#(#names),*];
            const NULL_NAMES: &'static [&'static ::core::primitive::str] = &[#(#null_names),*];
            const UNTAGGED: ::core::primitive::bool = #untagged;
            const IS_CHECKED: ::core::primitive::bool = #is_checked;

            fn visit<__V: #private::ColumnVisitor>(&self, __visitor: &mut __V) {
                #(#private::ColumnVisitor::column(__visitor, &self.#buffers);)*
            }

            fn visit_mut<__V: #private::ColumnVisitorMut>(&mut self, __visitor: &mut __V) {
                #(#private::ColumnVisitorMut::column(__visitor, &mut self.#buffers);)*
            }

            fn append(
                &mut self,
                __value: &#name #arguments,
            ) -> ::core::result::Result<::core::option::Option<::core::primitive::usize>, #private::ValueError> {
                match __value {
                    #(
                        #name::#idents(__value) => ::core::result::Result::map(
                            #private::Stores::append(&mut self.#buffers, __value),
                            |()| ::core::option::Option::Some(#places),
                        ),
                    )*
                    #(#null_arm)*
                }
            }

            fn append_json<'de, __D: #private::Deserializer<'de>>(
                &mut self,
                __variant: ::core::primitive::usize,
                __input: __D,
            ) -> ::core::result::Result<(), __D::Error> {
                match __variant {
                    #(#places => <_ as #private::Stores<#values>>::append_json(&mut self.#buffers, __input),)*
                    _ => ::core::result::Result::Ok(()),
                }
            }

            fn explain(
                __variant: ::core::primitive::usize,
                __input: #private::Node<'_>,
                __place: &#private::JsonPlace<'_>,
                __findings: &mut #private::Findings,
            ) {
                match __variant {
                    #(#places => <#of_places as #private::Stores<#values>>::explain(__input, __place, __findings),)*
                    _ => {}
                }
            }
        }
    }
}
