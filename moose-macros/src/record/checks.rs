//! Checks of a record that need types and so only the compiler can do, generated as constants that fail to compile: the
//! types of keys, and the names in expressions. Each has the span of what it checks, so the error appears there.

use proc_macro2::{Literal, TokenStream};
use quote::{quote, quote_spanned};
use syn::{LitStr, spanned::Spanned};

use super::{
    expand::{Runtime, default_kind},
    mistakes::Doubt,
    model::Column,
};
use crate::place::respanned;

impl Runtime<'_> {
    /// All checks; none for a record that can't fail them, or that has errors which make them unreliable.
    pub(super) fn checks(&self, doubt: Doubt) -> TokenStream {
        let (keys, aggregates) = (self.key_checks(), self.aggregate_checks());
        let expressions = (doubt < Doubt::Names).then(|| self.expression_checks());
        quote!(#keys #aggregates #expressions)
    }

    fn key_checks(&self) -> TokenStream {
        if !self.is_checked() {
            return TokenStream::new();
        }
        let (private, name) = (self.private(), self.0.name);
        let keys = self.0.columns.iter().enumerate().filter(|(_, column)| column.key);
        keys.map(|(place, column)| {
            let place = Literal::usize_unsuffixed(place);
            let private = respanned(private.clone(), column.value.span());
            let key = &column.name;
            quote_spanned!(column.value.span()=> const _: () = #private::check_key::<#name, #place>(#key);)
        })
        .collect()
    }

    fn aggregate_checks(&self) -> TokenStream {
        if !self.is_checked() {
            return TokenStream::new();
        }
        let name = self.0.name;
        let functions = self.0.columns.iter().enumerate();
        let checks = functions.filter_map(|(place, column)| {
            let (place, span) = (Literal::usize_unsuffixed(place), column.forms.aggregate()?.span());
            let private = respanned(self.private(), span);
            Some(quote_spanned!(span=> const _: () = #private::check_aggregate::<#name, #place>();))
        });
        checks.collect()
    }

    /// The names of all columns, once, and one line for each expression.
    fn expression_checks(&self) -> TokenStream {
        let checks: Vec<TokenStream> = self.0.columns.iter().flat_map(|column| self.checks_of(column)).collect();
        if checks.is_empty() {
            return TokenStream::new();
        }
        let private = self.private();
        let names = self.0.columns.iter().map(|column| {
            let name = &column.name;
            let kind = self.kind(column);
            quote!((#name, #kind))
        });
        quote! {
            const __NAMES: &[#private::ColumnName] = &[#(#names),*];
            #(#checks)*
        }
    }

    fn checks_of(&self, column: &Column<'_>) -> Vec<TokenStream> {
        let name = &column.name;
        let check = |kind: TokenStream, expression: &LitStr| {
            let private = respanned(self.private(), expression.span());
            quote_spanned! {expression.span()=>
                const _: () = #private::check_field(#name, #kind, #expression, __NAMES);
            }
        };
        let ttl = column.options.ttl.as_ref().map(|ttl| check(quote!(::core::option::Option::None), ttl));
        let default = column.options.default.as_ref().and_then(|default| default.expression.as_ref());
        let default = default.map(|expression| check(self.kind(column), expression));
        ttl.into_iter().chain(default).collect()
    }

    fn kind(&self, column: &Column<'_>) -> TokenStream {
        let Some(default) = &column.options.default else { return quote!(::core::option::Option::None) };
        let kind = default_kind(&self.private(), default.kind);
        quote!(::core::option::Option::Some(#kind))
    }
}
