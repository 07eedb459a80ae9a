//! Parsing of the attributes of an enum, of its variants, and of a newtype.

use std::collections::HashMap;

use proc_macro2::Ident;
use syn::{Attribute, LitStr, Variant, ext::IdentExt};

use super::super::{
    attributes,
    case::Case,
    entry::{Entry, Once, entries_of},
    forms,
    mistakes::Mistakes,
};
use crate::nearest::nearest;

/// The attributes of an enum.
#[derive(Default)]
pub(super) struct EnumAttributes {
    pub(super) rename_all: Option<Case>,
    pub(super) untagged: Option<Ident>,
}

const ENUM_SERDE: [&str; 2] = ["rename_all", "untagged"];
/// Attributes of serde that a column can't support, with the alternative.
const ENUM_SERDE_REFUSED: [(&str, &str); 9] = [
    ("content", TAGGED),
    ("default", "a default is the field's: put `#[serde(default)]` on the field of the record"),
    ("deny_unknown_fields", "an enum has no fields: put it on the structs in its variants"),
    ("from", "`from` reads another type than this, and the column is this one's: derive `OlapType` on the other"),
    ("remote", "`remote` describes another type: derive `OlapType` where that type is declared"),
    ("rename_all_fields", "variants have no fields: put `rename_all` on the structs in them"),
    ("tag", TAGGED),
    ("transparent", "`transparent` is for a struct around one value"),
    (
        "try_from",
        "`try_from` reads another type than this, and the column is this one's: derive `OlapType` on the other",
    ),
];
const TAGGED: &str = "the name of a variant does not stand beside its fields: it is given as `{\"Name\": value}`, or as the value alone with `#[serde(untagged)]`";
const VARIANT_SERDE: [&str; 2] = ["alias", "rename"];
const VARIANT_SERDE_REFUSED: [(&str, &str); 8] = [
    ("deserialize_with", MADE),
    ("flatten", "a variant has no fields to flatten: its value is given under its name"),
    ("other", "`other` stands for any name, and the column keeps only those of its variants: use a `String`"),
    ("rename_all", "`rename_all` stands on the enum"),
    ("skip", SKIPPED),
    ("skip_deserializing", SKIPPED),
    ("untagged", "`untagged` stands on the enum"),
    ("with", MADE),
];
const MADE: &str = "this makes a value, and columns are read without one: give the variant a type that is read so";
const SKIPPED: &str =
    "a variant of the column can be given by JSON: take it out of the enum, or leave this attribute off";
/// Attributes of serde that don't affect reading.
pub(super) const IGNORED: [&str; 6] = ["bound", "crate", "expecting", "into", "serialize_with", "skip_serializing"];

impl EnumAttributes {
    pub(super) fn new(attributes: &[Attribute], mistakes: &mut Mistakes) -> Self {
        let mut read = Self::default();
        for_each_entry(attributes, mistakes, |list, entry, mistakes| match (list, entry.name.to_string().as_str()) {
            ("olap", "crate") => drop(entry.path(mistakes)),
            ("olap", _) => unknown_to_olap(entry, &ENUM_SERDE, mistakes),
            (_, "rename_all") => {
                let text = entry.deserialize_text(mistakes);
                read.rename_all = text.and_then(|text| attributes::case(&text, mistakes));
            }
            (_, "untagged") => read.untagged = entry.flag(mistakes).then(|| entry.name.clone()),
            (_, name) if IGNORED.contains(&name) => {}
            _ => refused_or_unknown(entry, &ENUM_SERDE_REFUSED, &ENUM_SERDE, mistakes),
        });
        read
    }
}

/// A variant and its names in JSON: its own, then its aliases.
pub(super) struct Named<'a> {
    pub(super) variant: &'a Variant,
    pub(super) json: Vec<String>,
}

/// ```text
/// enum Colour { #[serde(rename = "Green")] Red, Green }    // one name for two variants
/// ```
pub(super) fn names<'a>(
    variants: impl Iterator<Item = &'a Variant>,
    on_enum: &EnumAttributes,
    mistakes: &mut Mistakes,
) -> Vec<Named<'a>> {
    let mut all: Vec<Named<'a>> = Vec::new();
    let mut owners: HashMap<String, &Ident> = HashMap::new();
    for variant in variants {
        let (mut rename, mut aliases): (Option<LitStr>, Vec<LitStr>) = Default::default();
        for_each_entry(&variant.attrs, mistakes, |list, entry, mistakes| {
            match (list, entry.name.to_string().as_str()) {
                ("olap", name) if forms::NAMES.contains(&name) => mistakes.at(
                    &entry.name,
                    format_args!("`{name}` stands on the value in the variant: `{}(#[olap({name})] …)`", variant.ident),
                ),
                ("olap", _) => unknown_to_olap(entry, &VARIANT_SERDE, mistakes),
                (_, "rename") => rename = entry.deserialize_text(mistakes),
                (_, "alias") => aliases.extend(entry.text(mistakes)),
                (_, name) if IGNORED.contains(&name) => {}
                _ => refused_or_unknown(entry, &VARIANT_SERDE_REFUSED, &VARIANT_SERDE, mistakes),
            }
        });
        let own = variant.ident.unraw().to_string();
        let name = || on_enum.rename_all.map_or_else(|| own.clone(), |case| case.apply_to_variant(&own));
        let mut json = vec![rename.as_ref().map_or_else(name, LitStr::value)];
        for alias in aliases.iter().map(LitStr::value) {
            if !json.contains(&alias) {
                json.push(alias);
            }
        }
        for name in &json {
            if let Some(other) = owners.insert(name.clone(), &variant.ident) {
                mistakes.at(
                    &variant.ident,
                    format_args!(
                        "the variant `{}` is called `{name}` in JSON too: give one of them another name with `#[serde(rename = \"…\")]`",
                        other.unraw()
                    ),
                );
            }
        }
        all.push(Named { variant, json });
    }
    all
}

/// On an enum and its variants hardly any `#[olap(…)]` is allowed; it may be serde's attribute that was meant.
fn unknown_to_olap(entry: &Entry, serde: &[&str], mistakes: &mut Mistakes) {
    let name = entry.name.to_string();
    if let Some(meant) = nearest(&name, serde) {
        mistakes.at(
            &entry.name,
            format_args!("unknown attribute `{name}` in `#[olap(…)]`; did you mean `#[serde({meant})]`?"),
        );
    } else if let Some(meant) = nearest(&name, &["crate"]) {
        mistakes.at(&entry.name, format_args!("unknown attribute `{name}` in `#[olap(…)]`; did you mean `{meant}`?"));
    } else {
        mistakes.at(
            &entry.name,
            format_args!("`{name}` does not stand on an enum: what says how a type is stored stands on the value in a variant, options of a column on the field of the record"),
        );
    }
}

fn refused_or_unknown(entry: &Entry, refused: &[(&str, &str)], known: &[&str], mistakes: &mut Mistakes) {
    match refused.iter().find(|(refused, _)| entry.name == refused) {
        Some((_, why)) => mistakes.at(&entry.name, why),
        None => entry.unknown("serde", known, mistakes),
    }
}

/// Calls `then` with every entry of `#[olap(…)]` and `#[serde(…)]`.
pub(super) fn for_each_entry(
    attributes: &[Attribute],
    mistakes: &mut Mistakes,
    mut then: impl FnMut(&str, &Entry, &mut Mistakes),
) {
    let mut once = Once::default();
    for attribute in attributes {
        for list in ["olap", "serde"] {
            if attribute.path().is_ident(list) {
                for entry in entries_of(attribute, mistakes) {
                    if entry.name == "alias" || once.is_new(list, &entry, mistakes) {
                        then(list, &entry, mistakes);
                    }
                }
            }
        }
        if attribute.path().is_ident("key") {
            mistakes.at(attribute, "`#[key]` stands on a field of a record: take it off here");
        }
    }
}
