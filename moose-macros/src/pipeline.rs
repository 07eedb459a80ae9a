//! `#[pipeline]`: registers a static as a resource of the application.
//!
//! The user's item is emitted unchanged, followed by one `const _` that checks the finished declaration and adds it to
//! the registry. The macro does not look at the static's type: any declaration will do, under any name.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::{
    Attribute, Error, Item, ItemStatic, LitStr, Path, StaticMutability, Token,
    parse::{Parse, ParseStream},
    spanned::Spanned,
};

use crate::place::respanned;

/// The error for the attribute on anything else.
const EXPECTED: &str = "`#[pipeline]` belongs on a `static`: `static EVENTS: IngestPipeline<Event> = …;`";

/// The item and its registration, or the item and the errors.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    match check(arguments, item.clone()) {
        Ok(Checked::Declaration { item, root }) => declaration(&item, &root),
        Ok(Checked::Untyped) => item,
        Err(error) => {
            let error = error.into_compile_error();
            quote! { #item #error }
        }
    }
}

/// The kinds of items that the attribute accepts.
enum Checked {
    Declaration {
        item: Box<ItemStatic>,
        /// Path of the crate `moose_runtime`.
        root: Path,
    },
    /// A static without a type, for which the compiler has the better message: it can name the type.
    Untyped,
}

fn check(arguments: TokenStream, item: TokenStream) -> Result<Checked, Error> {
    let Arguments { root } = syn::parse2(arguments)?;
    match syn::parse2(item)? {
        Item::Static(item) => match item.mutability {
            StaticMutability::None => Ok(Checked::Declaration { item: Box::new(item), root }),
            other => Err(Error::new(other.span(), "a declaration does not change: leave out `mut`")),
        },
        Item::Const(item) => Err(Error::new(
            item.const_token.span,
            format!("{EXPECTED}; a `const` has no place that the registry could name"),
        )),
        Item::Verbatim(tokens) if tokens.clone().into_iter().any(|token| token.to_string() == "static") => {
            Ok(Checked::Untyped)
        }
        other => Err(Error::new(other.span(), EXPECTED)),
    }
}

fn declaration(item: &ItemStatic, root: &Path) -> TokenStream {
    let name = &item.ident;
    let text = name.to_string();
    let conditions = item.attrs.iter().filter(|attribute| is_condition(attribute));
    // With the span of name and type, so that errors and the registered line are theirs and not the attribute's.
    let here = respanned(root.to_token_stream(), name.span());
    let place = quote_spanned! {name.span()=> #here::__private::Place::here(#text, ::core::module_path!()) };
    // All at one span: the error that it is no declaration is reported once per span.
    let declaration = respanned(quote!(#root::__private::declared(&#name)), item.ty.span());
    let check = quote_spanned! {name.span()=> __declared.__finished() };
    quote! {
        #item

        #(#conditions)*
        #[allow(unused_qualifications)]
        const _: () = {
            #root::__private::inventory::submit! {
                #root::__private::Registered { resource: #declaration, place: #place }
            }

            const _: () = {
                let __declared = #declaration;
                #check
            };
        };
    }
}

fn is_condition(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
}

/// The attribute's arguments.
struct Arguments {
    root: Path,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.is_empty() {
            return Ok(Self { root: syn::parse_quote!(::moose_runtime) });
        }
        let known = input.peek(Token![crate]) && input.peek2(Token![=]);
        if !known {
            return Err(input.error(
                "`#[pipeline]` takes no arguments, except `crate = \"…\"` where moose_runtime has another name; options \
                 are calls on the declaration, such as `IngestPipeline::new(\"events\").table(true)`",
            ));
        }
        input.parse::<Token![crate]>()?;
        input.parse::<Token![=]>()?;
        let root = input.parse::<LitStr>()?.parse_with(Path::parse_mod_style)?;
        if !input.is_empty() {
            return Err(input.error("unexpected argument after `crate = \"…\"`"));
        }
        Ok(Self { root })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What goes in and what comes out, readable.
    fn expanded(arguments: TokenStream, item: TokenStream) -> String {
        let written = quote! { #[pipeline(#arguments)] #item };
        let [before, after] = [written, expand(arguments, item)]
            .map(|tokens| prettyplease::unparse(&syn::parse2(tokens).expect("it parses")));
        format!("{before}\n// becomes\n\n{after}")
    }

    #[test]
    fn a_static_stays_and_gets_its_check_and_its_entry() {
        let item = quote! {
            /// All events.
            pub static EVENTS: IngestPipeline<Event> = IngestPipeline::new("events").table(true);
        };
        insta::assert_snapshot!(expanded(TokenStream::new(), item));
    }

    #[test]
    fn conditions_and_the_name_of_the_crate_are_kept() {
        let item = quote! {
            #[cfg(feature = "audit")]
            static AUDIT: OlapTable<Event> = OlapTable::new("audit");
        };
        insta::assert_snapshot!(expanded(quote! { crate = "crate::vendored::moose" }, item));
    }

    #[test]
    fn what_is_not_a_static_stays_and_gets_an_error() {
        let text = expand(TokenStream::new(), quote! { fn events() {} }).to_string();
        assert!(text.contains("fn events"), "{text}");
        assert!(text.contains("belongs on a `static`"), "{text}");
    }
}
