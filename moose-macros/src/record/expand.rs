//! Generates the code for a checked record: data, and straight-line code over its fields. Everything with behaviour is
//! in the runtime.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};
use syn::LitStr;

use super::{
    columns::{self, Columns, FieldColumn, buffer},
    entry::DefaultValue,
    mistakes::{Doubt, Told},
    model::{Column, Missing, Record, Role},
    options::DefaultKind,
};

/// One block with everything that a record type needs, and the errors.
///
/// Errors that leave the columns in doubt are inside the constant that lists the columns: whatever the compiler would
/// evaluate from it is then not evaluated, and causes no follow-up errors.
pub(super) fn expand(record: &Record<'_>, told: Option<&Told>) -> TokenStream {
    let runtime = Runtime(record);
    let doubt = told.map_or(Doubt::None, |told| told.doubt);
    let errors = told.map(|told| &told.errors);
    let (beside, inside) = if doubt == Doubt::None { (errors, None) } else { (None, errors) };
    let markers = runtime.markers();
    let columns = runtime.columns().definition();
    let record_columns = runtime.record_columns(inside);
    // The checks are for tables; a tuple in one has none.
    let (implementation, checks) = match record.role {
        Role::Record => (runtime.olap_record(), runtime.checks(doubt)),
        Role::Tuple => (runtime.column_type_of_struct(), TokenStream::new()),
    };
    quote! {
        #beside
        const _: () = {
            #markers
            #columns
            #record_columns
            #implementation
            #checks
        };
    }
}

/// The record with the path of the items that generated code calls.
pub(super) struct Runtime<'a>(pub(super) &'a Record<'a>);

impl Runtime<'_> {
    pub(super) fn private(&self) -> TokenStream {
        let path = &self.0.runtime;
        quote!(#path::__private)
    }

    /// Every field with its column. Attributes are type-level functions, so aliases and newtypes work.
    fn columns(&self) -> Columns<'_> {
        let private = self.private();
        let fields = self.0.columns.iter().enumerate().map(|(place, column)| FieldColumn {
            value: column.value,
            column: column.forms.column(column.value, &private, place),
            is_filled: !column.options.is_computed(),
        });
        Columns {
            name: format_ident!("__Columns"),
            owner: self.0.name,
            generics: self.0.generics,
            fields: fields.collect(),
            private,
        }
    }

    fn olap_record(&self) -> TokenStream {
        let private = self.private();
        let name = self.0.name;
        let generics = columns::generics(self.0.generics, &private);
        let (implementation, arguments, clause) = generics.split_for_impl();
        let columns = self.columns().closed();
        let key = self.0.columns.iter().filter(|column| column.key).map(|column| &column.name);
        let text = quote!(::core::primitive::str);
        let comment = self.0.comment.as_ref().map(|comment| {
            quote!(const COMMENT: ::core::option::Option<&'static #text> = ::core::option::Option::Some(#comment);)
        });
        let dropped = (!self.0.dropped.is_empty()).then(|| {
            let names = &self.0.dropped;
            quote!(const DROPPED: &'static [&'static #text] = &[#(#names),*];)
        });
        quote! {
            #[automatically_derived]
            impl #implementation #private::OlapRecord for #name #arguments #clause {
                type Columns = #columns;
                const KEY: &'static [&'static #text] = &[#(#key),*];
                #comment
                #dropped
            }
        }
    }

    /// A struct inside a record is a tuple with names.
    fn column_type_of_struct(&self) -> TokenStream {
        let private = self.private();
        let name = self.0.name;
        let generics = columns::generics(self.0.generics, &private);
        let (implementation, arguments, clause) = generics.split_for_impl();
        let columns = self.columns().closed();
        quote! {
            #[automatically_derived]
            impl #implementation #private::ColumnType for #name #arguments #clause {
                type Column = #private::StructColumn<Self, #columns>;
            }
        }
    }

    /// Whether types can be checked at their fields: for a generic record only the table knows them.
    pub(super) fn is_checked(&self) -> bool {
        self.0.role == Role::Record && self.0.generics.params.is_empty()
    }

    fn markers(&self) -> TokenStream {
        let private = self.private();
        self.0
            .columns
            .iter()
            .enumerate()
            .map(|(place, column)| column.forms.markers(&private, place, self.is_checked()))
            .collect()
    }

    fn record_columns(&self, errors: Option<&TokenStream>) -> TokenStream {
        let private = self.private();
        let name = self.0.name;
        let buffers: Vec<Ident> = self.inserted().map(|inserted| inserted.buffer).collect();
        let generics = self.columns().open_generics();
        let (_, arguments, _) = self.0.generics.split_for_impl();
        let (implementation, _, clause) = generics.split_for_impl();
        let deny_unknown_fields = self.0.deny_unknown_fields;
        let (specs, fields) = (self.specs(), self.fields());
        let columns = quote!(&[#(#specs),*]);
        let columns = errors.map_or_else(|| columns.clone(), |errors| quote!({ #errors #columns }));
        let (append, field, append_field) = (self.append(), self.field(), self.append_field());
        let append_missing = self.append_missing();
        quote! {
            #[automatically_derived]
            impl #implementation #private::RecordColumns<#name #arguments> for __Columns<__R> #clause {
                const COLUMNS: &'static [#private::ColumnSpec] = #columns;
                const FIELDS: &'static [#private::Field] = &[#(#fields),*];
                const DENY_UNKNOWN_FIELDS: ::core::primitive::bool = #deny_unknown_fields;

                #[inline]
                fn visit<__V: #private::ColumnVisitor>(&self, __visitor: &mut __V) {
                    #(#private::ColumnVisitor::column(__visitor, &self.#buffers);)*
                }

                #[inline]
                fn visit_mut<__V: #private::ColumnVisitorMut>(&mut self, __visitor: &mut __V) {
                    #(#private::ColumnVisitorMut::column(__visitor, &mut self.#buffers);)*
                }

                #append
                #field
                #append_field
                #append_missing
            }
        }
    }

    /// The columns that JSON and INSERTs give, in order.
    fn inserted(&self) -> impl Iterator<Item = Inserted<'_>> {
        let columns = self.0.columns.iter().enumerate().filter(|(_, column)| !column.options.is_computed());
        columns.enumerate().map(|(place, (number, column))| Inserted {
            place,
            column,
            number: Literal::usize_unsuffixed(number),
            buffer: buffer(number),
        })
    }

    fn specs(&self) -> impl Iterator<Item = TokenStream> {
        let private = self.private();
        self.0.columns.iter().enumerate().map(move |(place, column)| {
            let Column { name, json, .. } = column;
            let place = Literal::usize_unsuffixed(place);
            let options = &column.options;
            let default = options.default.as_ref().map(|default| {
                let kind = default_kind(&private, default.kind);
                let expression = default.expression.as_ref().map(LitStr::value).unwrap_or_default();
                quote!(.default(#kind, #expression))
            });
            let codec = options.codec.as_ref().map(|codec| quote!(.codec(#codec)));
            let ttl = options.ttl.as_ref().map(|ttl| quote!(.ttl(#ttl)));
            let comment = column.comment.as_ref().map(|comment| quote!(.comment(#comment)));
            let renamed_from = options.renamed_from.as_ref().map(|name| quote!(.renamed_from(#name)));
            let narrowed = options.narrowed.then(|| quote!(.narrowed()));
            quote! {
                #private::ColumnSpec::of::<__R, #place>(#name, &[#(#json),*])
                    #default #codec #ttl #comment #renamed_from #narrowed
            }
        })
    }

    fn fields(&self) -> impl Iterator<Item = TokenStream> {
        let private = self.private();
        self.inserted().map(move |Inserted { column, number, .. }| {
            let json = &column.json;
            let new = match column.missing {
                Missing::AsColumn => quote!(new),
                Missing::Value(_) | Missing::FieldOf(_) => quote!(with_default),
            };
            quote!(#private::Field::#new::<__R, #number>(&[#(#json),*]))
        })
    }

    fn append(&self) -> TokenStream {
        let private = self.private();
        let (_, arguments, _) = self.0.generics.split_for_impl();
        let name = self.0.name;
        let lines = self.inserted().map(|Inserted { column, buffer, .. }| {
            let (field, json) = (column.field, column.json.first());
            quote! {
                ::core::result::Result::map_err(
                    #private::Stores::append(&mut self.#buffer, &__record.#field),
                    |__error| __error.in_field(#json),
                )?;
            }
        });
        // A use of each computed field, against the lint for fields that are never read.
        let computed = self.0.columns.iter().filter(|column| column.options.is_computed()).map(|column| column.field);
        quote! {
            fn append(
                &mut self,
                __record: &#name #arguments,
            ) -> ::core::result::Result<(), #private::ValueError> {
                #(let _ = &__record.#computed;)*
                #(#lines)*
                ::core::result::Result::Ok(())
            }
        }
    }

    fn field(&self) -> TokenStream {
        let arms = self.inserted().map(|Inserted { place, column, .. }| {
            let json = &column.json;
            quote!(#(#json)|* => ::core::option::Option::Some(#place))
        });
        quote! {
            #[inline]
            fn field(__name: &::core::primitive::str) -> ::core::option::Option<::core::primitive::usize> {
                match __name {
                    #(#arms,)*
                    _ => ::core::option::Option::None,
                }
            }
        }
    }

    fn append_field(&self) -> TokenStream {
        let private = self.private();
        let arms = self.inserted().map(|Inserted { place, column, buffer, .. }| {
            let value = column.value;
            quote! {
                #place => #private::MapAccess::next_value_seed(
                    __map,
                    #private::Seed::<#value, _>::new(&mut self.#buffer),
                )
            }
        });
        quote! {
            #[inline]
            fn append_field<'de, __A: #private::MapAccess<'de>>(
                &mut self,
                __field: ::core::primitive::usize,
                __map: &mut __A,
            ) -> ::core::result::Result<(), __A::Error> {
                match __field {
                    #(#arms,)*
                    _ => ::core::result::Result::Ok(()),
                }
            }
        }
    }

    fn append_missing(&self) -> TokenStream {
        let private = self.private();
        let arms = self.inserted().map(|Inserted { place, column, buffer, .. }| {
            let (value, json) = (column.value, column.json.first());
            let default = match &column.missing {
                Missing::AsColumn => {
                    let call = quote!(<_ as #private::Stores<#value>>::append_missing(&mut self.#buffer, #json));
                    return quote!(#place => #call);
                }
                Missing::Value(default) => self.default_value(default, &quote!(#value)),
                Missing::FieldOf(default) => {
                    let (name, field) = (self.0.name, column.field);
                    let (_, arguments, _) = self.0.generics.split_for_impl();
                    let record = self.default_value(default, &quote!(#name #arguments));
                    quote!(#record.#field)
                }
            };
            quote! {
                #place => ::core::result::Result::map_err(
                    <_ as #private::Stores<#value>>::append(&mut self.#buffer, &#default),
                    |__error| __error.into_reader(),
                )
            }
        });
        quote! {
            fn append_missing<__E: #private::DeserializeError>(
                &mut self,
                __field: ::core::primitive::usize,
            ) -> ::core::result::Result<(), __E> {
                match __field {
                    #(#arms,)*
                    _ => ::core::result::Result::Ok(()),
                }
            }
        }
    }

    #[expect(clippy::unused_self, reason = "kept beside its callers")]
    fn default_value(&self, default: &DefaultValue, value: &TokenStream) -> TokenStream {
        match default {
            DefaultValue::OfType => quote!(<#value as ::core::default::Default>::default()),
            DefaultValue::Call(path) => quote!(#path()),
        }
    }
}

/// A column that JSON and INSERTs give.
struct Inserted<'a> {
    /// Its index among them.
    place: usize,
    column: &'a Column<'a>,
    /// Its index among all columns.
    number: Literal,
    buffer: Ident,
}

/// The runtime's name of a kind of default.
pub(super) fn default_kind(private: &TokenStream, kind: DefaultKind) -> TokenStream {
    let name = match kind {
        DefaultKind::Default => quote!(Default),
        DefaultKind::Materialized => quote!(Materialized),
        DefaultKind::Ephemeral => quote!(Ephemeral),
        DefaultKind::Alias => quote!(Alias),
    };
    quote!(#private::DefaultKind::#name)
}
