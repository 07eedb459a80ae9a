//! Generates the struct with the column buffers of a record, or of an enum's variants.
//!
//! The struct is generic over the record and finds each column through the record's `FieldColumn` for that position, so
//! a field without a column is one error, at the field, and not one in every line that uses its buffer.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};
use syn::{Generics, Type, parse_quote};

/// The columns of a type.
pub(super) struct Columns<'a> {
    /// Name of the generated struct.
    pub(super) name: Ident,
    /// The record or enum that has the columns, with its generics as written.
    pub(super) owner: &'a Ident,
    pub(super) generics: &'a Generics,
    /// Path of the items that generated code calls.
    pub(super) private: TokenStream,
    pub(super) fields: Vec<FieldColumn<'a>>,
}

/// A field, or the value of a variant.
pub(super) struct FieldColumn<'a> {
    pub(super) value: &'a Type,
    /// The column, as a type.
    pub(super) column: TokenStream,
    /// Whether a batch contains values of it.
    pub(super) is_filled: bool,
}

/// The buffer at an index in the struct.
pub(super) fn buffer(place: usize) -> Ident {
    format_ident!("__column_{place}")
}

/// The column at an index, in code over the struct's columns.
pub(super) fn open_column(place: usize) -> TokenStream {
    let place = Literal::usize_unsuffixed(place);
    quote!(<__R as __Field<#place>>::Column)
}

/// The input's generics, with the bounds that each type parameter needs as the type of a field.
pub(super) fn generics(input: &Generics, private: &TokenStream) -> Generics {
    let mut generics = input.clone();
    let names: Vec<Ident> = generics.type_params().map(|parameter| parameter.ident.clone()).collect();
    if !names.is_empty() {
        let clause = generics.make_where_clause();
        for name in names {
            clause.predicates.push(parse_quote!(#name: #private::ColumnType + 'static));
        }
    }
    generics
}

impl Columns<'_> {
    /// The struct, and the column of each field.
    pub(super) fn definition(&self) -> TokenStream {
        let Self { name, private, .. } = self;
        let buffers: Vec<Ident> = (0..self.fields.len()).map(buffer).collect();
        let places = self.places();
        let types = self.fields.iter().enumerate().map(|(place, field)| {
            let column = open_column(place);
            // A column that ClickHouse computes has a type, but no values here.
            if field.is_filled { column } else { quote!(::core::marker::PhantomData<fn() -> #column>) }
        });
        let bounds = quote!(#(__Field<#places>)+*);
        let field_columns = self.field_columns();
        quote! {
            // Used several times for each field.
            use #private::FieldColumn as __Field;

            #field_columns

            pub struct #name<__R: #bounds> {
                #(#buffers: #types,)*
                // Only the last field decides whether the struct is `Sized`.
                __record: ::core::marker::PhantomData<fn() -> __R>,
            }

            #[automatically_derived]
            impl<__R: #bounds> ::core::default::Default for #name<__R> {
                fn default() -> Self {
                    Self {
                        #(#buffers: ::core::default::Default::default(),)*
                        __record: ::core::marker::PhantomData,
                    }
                }
            }
        }
    }

    fn field_columns(&self) -> TokenStream {
        let Self { owner, private, .. } = self;
        let generics = generics(self.generics, private);
        let (implementation, arguments, clause) = generics.split_for_impl();
        let each = self.fields.iter().zip(self.places()).map(|(FieldColumn { value, column, .. }, place)| {
            quote! {
                #[automatically_derived]
                impl #implementation __Field<#place> for #owner #arguments #clause {
                    type Value = #value;
                    type Column = #column;
                }
            }
        });
        each.collect()
    }

    fn places(&self) -> impl Iterator<Item = Literal> {
        (0..self.fields.len()).map(Literal::usize_unsuffixed)
    }

    /// The generics of code over the struct's columns: the input's, and the record `__R` with its fields.
    pub(super) fn open_generics(&self) -> Generics {
        let private = &self.private;
        let mut generics = generics(self.generics, private);
        let (places, values) = (self.places(), self.fields.iter().map(|field| field.value));
        generics.params.push(parse_quote!(__R: 'static + #(__Field<#places, Value = #values>)+*));
        generics
    }

    /// The struct with the record's own columns, or their replacement if one is missing. For a generic record that is
    /// unknown until its parameters are.
    pub(super) fn closed(&self) -> TokenStream {
        let Self { name, owner, private, .. } = self;
        if !self.generics.params.is_empty() {
            return quote!(#name<Self>);
        }
        quote! {
            <#name<#owner> as #private::Columns<{
                use #private::OrNot as __OrNot;
                // Uses the import, which may otherwise be unused.
                const _: ::core::primitive::bool = <#private::Sendable<()> as __OrNot>::YES;
                #private::Sendable::<#name<#owner>>::YES
            }>>::Chosen
        }
    }
}
