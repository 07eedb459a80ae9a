//! `#[olap(json(…))]`: parsing of the parameters of a `JSON` type.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Type, spanned::Spanned};

use super::{entry::Entry, mistakes::Mistakes};

const NAMES: [&str; 5] = ["max_dynamic_paths", "max_dynamic_types", "path", "skip", "skip_regexp"];
/// The maximum in ClickHouse.
const MOST_TYPES: u32 = 254;
const MOST_PATHS: u32 = 10_000;

/// The parameters of the attribute.
#[derive(Default)]
pub(super) struct JsonForm {
    max_dynamic_types: Option<u32>,
    max_dynamic_paths: Option<u32>,
    paths: Vec<(String, Type)>,
    skips: Vec<String>,
    skip_regexps: Vec<String>,
}

impl JsonForm {
    pub(super) fn read(entry: &Entry, mistakes: &mut Mistakes) -> Self {
        let mut form = Self::default();
        for entry in entry.entries("json(max_dynamic_paths = 64, path(\"a.b\", u32), skip = \"c\")", mistakes) {
            match entry.name.to_string().as_str() {
                "max_dynamic_types" => form.max_dynamic_types = limit(&entry, MOST_TYPES, mistakes),
                "max_dynamic_paths" => form.max_dynamic_paths = limit(&entry, MOST_PATHS, mistakes),
                "skip" => form.skips.extend(entry.text(mistakes).map(|text| text.value())),
                "skip_regexp" => form.skip_regexps.extend(entry.text(mistakes).map(|text| text.value())),
                "path" => {
                    if let Some((path, of)) = entry.text_and_type("path(\"a.b\", u32)", mistakes) {
                        if form.paths.iter().any(|(other, _)| *other == path.value()) {
                            mistakes.at(&path, "this path has a type already");
                        }
                        form.paths.push((path.value(), of));
                    }
                }
                _ => entry.unknown("json", &NAMES, mistakes),
            }
        }
        form
    }

    /// The marker type for them.
    pub(super) fn marker(&self, name: &Ident, private: &TokenStream) -> TokenStream {
        let none = quote!(::core::option::Option::None);
        let number = |number: Option<u32>| {
            number.map_or_else(|| none.clone(), |number| quote!(::core::option::Option::Some(#number)))
        };
        let (types, dynamic) = (number(self.max_dynamic_types), number(self.max_dynamic_paths));
        let (skips, skip_regexps) = (&self.skips, &self.skip_regexps);
        let paths: Vec<&String> = self.paths.iter().map(|(path, _)| path).collect();
        let values: Vec<&Type> = self.paths.iter().map(|(_, of)| of).collect();
        let columns: Vec<TokenStream> =
            values.iter().map(|of| quote_spanned!(of.span()=> <#of as #private::ColumnType>::Column)).collect();
        quote! {
            pub struct #name;
            #[automatically_derived]
            impl #private::JsonForm for #name {
                const OPTIONS: &'static #private::JsonOptions = &#private::JsonOptions {
                    max_dynamic_types: #types,
                    max_dynamic_paths: #dynamic,
                    paths: &[#(#private::ColumnSpec::new(#paths, &[], <#columns as #private::Column>::DATA_TYPE)),*],
                    skips: &[#(#skips),*],
                    skip_regexps: &[#(#skip_regexps),*],
                };

                fn explain(
                    __path: &::core::primitive::str,
                    __value: #private::Node<'_>,
                    __place: &#private::JsonPlace<'_>,
                    __findings: &mut #private::Findings,
                ) -> ::core::primitive::bool {
                    match __path {
                        #(#paths => {
                            <#columns as #private::Stores<#values>>::explain(__value, __place, __findings);
                            true
                        })*
                        _ => false,
                    }
                }
            }
        }
    }
}

fn limit(entry: &Entry, most: u32, mistakes: &mut Mistakes) -> Option<u32> {
    let number = entry.integer(&format!("{} = {most}", entry.name), mistakes)?;
    let limit = number.base10_parse().ok().filter(|limit| *limit <= most);
    if limit.is_none() {
        mistakes.at(&number, format_args!("`{}` is 0 to {most}", entry.name));
    }
    limit
}
