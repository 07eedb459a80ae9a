//! Parsing of the attributes as written: each at most once, each known, each with a value of the right form. What they
//! mean in combination is checked by `model`. All attribute names are listed in this file.

use syn::{Attribute, Expr, Lit, LitStr, Meta, Path};

use super::{
    case::{CASES, Case},
    entry::{DefaultValue, Entry, Once, entries_of},
    forms::{self, Forms},
    mistakes::{Doubt, Mistakes},
    options::{OPTIONS, Options},
};
use crate::nearest::nearest;

/// Besides the [`OPTIONS`] of the column and the [`forms::NAMES`] of its type.
const FIELD_OLAP: [&str; 1] = ["rename"];
const STRUCT_OLAP: [&str; 2] = ["crate", "dropped"];
/// Options of a table's declaration, for the error if they are on the struct.
const TABLE_OPTIONS: [&str; 16] = [
    "assume",
    "cluster",
    "comment",
    "constraint",
    "engine",
    "index",
    "name",
    "order_by",
    "partition_by",
    "primary_key",
    "projection",
    "provenance",
    "sample_by",
    "settings",
    "table",
    "version",
];
const FIELD_SERDE: [&str; 4] = ["alias", "default", "rename", "skip"];
const STRUCT_SERDE: [&str; 3] = ["default", "deny_unknown_fields", "rename_all"];
/// Attributes of serde that don't affect how a record is read.
const FIELD_SERDE_IGNORED: [&str; 6] =
    ["borrow", "bound", "getter", "serialize_with", "skip_serializing", "skip_serializing_if"];
const STRUCT_SERDE_IGNORED: [&str; 5] = ["bound", "crate", "expecting", "into", "rename"];
/// Attributes of serde that a row can't support, with the alternative.
const FIELD_SERDE_REFUSED: [(&str, &str); 4] = [
    ("flatten", "`flatten` hides which columns there are: write the fields out in this struct"),
    (
        "skip_deserializing",
        "`skip_deserializing` makes a column that JSON can't fill: use `skip`, which makes no column",
    ),
    (
        "deserialize_with",
        "`deserialize_with` makes a value, and columns are read without one: name a buffer that reads it with `#[olap(column = path::Column)]`",
    ),
    (
        "with",
        "`with` makes a value, and columns are read without one: name a buffer that reads it with `#[olap(column = path::Column)]`",
    ),
];
const STRUCT_SERDE_REFUSED: [(&str, &str); 7] = [
    ("content", "`content` is for enums, and a record is a struct"),
    ("from", "`from` reads another type than this, and the columns are this one's: derive `OlapRecord` on the other"),
    ("remote", "`remote` describes another type: derive `OlapRecord` where that type is declared"),
    ("tag", "`tag` adds a field that is none of the struct's: declare it as a field"),
    ("transparent", "`transparent` makes the record its only field, and a record is an object"),
    (
        "try_from",
        "`try_from` reads another type than this, and the columns are this one's: derive `OlapRecord` on the other",
    ),
    ("untagged", "`untagged` is for enums, and a record is a struct"),
];

/// The attributes of the struct.
#[derive(Default)]
pub(super) struct StructAttributes {
    pub(super) rename_all: Option<Case>,
    pub(super) default: Option<DefaultValue>,
    pub(super) deny_unknown_fields: bool,
    /// Former columns that may be dropped with their values.
    pub(super) dropped: Vec<LitStr>,
    pub(super) comment: Option<String>,
}

/// The attributes of a field.
#[derive(Default)]
pub(super) struct FieldAttributes {
    pub(super) comment: Option<String>,
    /// The attribute itself, for its span.
    pub(super) key: Option<Attribute>,
    pub(super) rename: Option<LitStr>,
    pub(super) aliases: Vec<LitStr>,
    pub(super) default: Option<DefaultValue>,
    pub(super) skip: bool,
    pub(super) forms: Forms,
    pub(super) column_name: Option<LitStr>,
    pub(super) options: Options,
}

/// The path of the runtime: `#[olap(crate = "…")]`, or its usual name.
pub(super) fn runtime(attributes: &[Attribute]) -> Path {
    let mut ignored = Mistakes::default();
    let entries = attributes.iter().filter(|attribute| attribute.path().is_ident("olap"));
    entries
        .flat_map(|attribute| entries_of(attribute, &mut ignored))
        .filter(|entry| entry.name == "crate")
        .find_map(|entry| entry.path(&mut Mistakes::default()))
        .unwrap_or_else(|| syn::parse_quote!(::moose_runtime))
}

impl StructAttributes {
    pub(super) fn new(attributes: &[Attribute], mistakes: &mut Mistakes) -> Self {
        let mut read = Self { comment: comment(attributes), ..Self::default() };
        let mut once = Once::default();
        for attribute in attributes {
            if attribute.path().is_ident("key") {
                mistakes.with_doubt(Doubt::None, |mistakes| {
                    mistakes.at(attribute, "`#[key]` stands on a field: put it on each that rows are sorted by");
                });
            } else if attribute.path().is_ident("olap") {
                mistakes.with_doubt(Doubt::None, |mistakes| {
                    for entry in entries_of(attribute, mistakes) {
                        if once.is_new("olap", &entry, mistakes) {
                            read.olap(&entry, mistakes);
                        }
                    }
                });
            } else if attribute.path().is_ident("serde") {
                mistakes.with_doubt(Doubt::Names, |mistakes| {
                    for entry in entries_of(attribute, mistakes) {
                        if once.is_new("serde", &entry, mistakes) {
                            read.serde(&entry, mistakes);
                        }
                    }
                });
            }
        }
        read
    }

    /// The path of the runtime is read by [`runtime`]; this only reports its errors.
    fn olap(&mut self, entry: &Entry, mistakes: &mut Mistakes) {
        match entry.name.to_string().as_str() {
            "crate" => drop(entry.path(mistakes)),
            "dropped" => self.dropped = entry.texts(mistakes),
            name if is_on_field(name) => mistakes.at(&entry.name, format_args!("`{name}` stands on a field")),
            name if TABLE_OPTIONS.contains(&name) => {
                let message = format!(
                    "options of a table stand on its declaration, so that one record may have several: \
                     `OlapTable::new(\"…\").{name}(…)`"
                );
                mistakes.at(&entry.name, message);
            }
            _ => entry.unknown("olap", &STRUCT_OLAP, mistakes),
        }
    }

    fn serde(&mut self, entry: &Entry, mistakes: &mut Mistakes) {
        match entry.name.to_string().as_str() {
            "rename_all" => self.rename_all = entry.deserialize_text(mistakes).and_then(|text| case(&text, mistakes)),
            "default" => self.default = entry.default(mistakes),
            "deny_unknown_fields" => self.deny_unknown_fields = entry.flag(mistakes),
            name => refused_or_unknown(
                entry,
                (&STRUCT_SERDE, &STRUCT_SERDE_IGNORED, &STRUCT_SERDE_REFUSED),
                (name, &FIELD_SERDE, "a field"),
                mistakes,
            ),
        }
    }
}

impl FieldAttributes {
    pub(super) fn new(attributes: &[Attribute], mistakes: &mut Mistakes) -> Self {
        let mut read = Self { comment: comment(attributes), ..Self::default() };
        let mut once = Once::default();
        for attribute in attributes {
            if attribute.path().is_ident("key") {
                mistakes.with_doubt(Doubt::None, |mistakes| read.key(attribute, mistakes));
            } else if attribute.path().is_ident("olap") {
                for entry in read.entries(attribute, mistakes) {
                    mistakes.with_doubt(doubt_of_olap(&entry), |mistakes| {
                        if once.is_new("olap", &entry, mistakes) {
                            read.olap(&entry, mistakes);
                        }
                    });
                }
            } else if attribute.path().is_ident("serde") {
                for entry in read.entries(attribute, mistakes) {
                    mistakes.with_doubt(doubt_of_serde(&entry), |mistakes| {
                        if entry.name == "alias" || once.is_new("serde", &entry, mistakes) {
                            read.serde(&entry, mistakes);
                        }
                    });
                }
            }
        }
        read
    }

    /// The entries; if they can't be parsed, any attribute may have been meant.
    fn entries(&mut self, attribute: &Attribute, mistakes: &mut Mistakes) -> Vec<Entry> {
        let before = mistakes.count();
        let entries = mistakes.with_doubt(Doubt::Names, |mistakes| entries_of(attribute, mistakes));
        if mistakes.count() > before {
            self.forms.doubt();
        }
        entries
    }

    fn key(&mut self, attribute: &Attribute, mistakes: &mut Mistakes) {
        if !matches!(attribute.meta, Meta::Path(_)) {
            mistakes.at(attribute, "`#[key]` takes nothing: fields form the key in the order in which they stand");
        } else if self.key.is_some() {
            mistakes.at(attribute, "`#[key]` stands here twice: keep one of them");
        }
        self.key = Some(attribute.clone());
    }

    fn olap(&mut self, entry: &Entry, mistakes: &mut Mistakes) {
        if self.forms.read(entry, mistakes) {
            return;
        }
        match entry.name.to_string().as_str() {
            "rename" => self.column_name = entry.text(mistakes),
            "key" => mistakes.at(&entry.name, "write `#[key]`"),
            name if OPTIONS.contains(&name) => self.options.read(entry, mistakes),
            name if STRUCT_OLAP.contains(&name) => {
                mistakes.at(&entry.name, format_args!("`{name}` stands on the struct"));
            }
            _ => {
                self.forms.doubt();
                entry.unknown("olap", &[&FIELD_OLAP[..], &OPTIONS[..], &forms::NAMES[..]].concat(), mistakes);
            }
        }
    }

    fn serde(&mut self, entry: &Entry, mistakes: &mut Mistakes) {
        match entry.name.to_string().as_str() {
            "rename" => self.rename = entry.deserialize_text(mistakes),
            "alias" => self.aliases.extend(entry.text(mistakes)),
            "default" => self.default = entry.default(mistakes),
            "skip" => self.skip = entry.flag(mistakes),
            name => {
                if !FIELD_SERDE_IGNORED.contains(&name) {
                    self.forms.doubt();
                }
                refused_or_unknown(
                    entry,
                    (&FIELD_SERDE, &FIELD_SERDE_IGNORED, &FIELD_SERDE_REFUSED),
                    (name, &STRUCT_SERDE, "the struct"),
                    mistakes,
                );
            }
        }
    }
}

/// What an error in a field's attribute makes unreliable. An unknown one may have been meant as any.
fn doubt_of_olap(entry: &Entry) -> Doubt {
    match entry.name.to_string().as_str() {
        "codec" | "crate" | "dropped" | "narrowed" | "renamed_from" | "ttl" => Doubt::None,
        name if OPTIONS.contains(&name) || forms::NAMES.contains(&name) => Doubt::Columns,
        "key" => Doubt::Columns,
        _ => Doubt::Names,
    }
}

fn doubt_of_serde(entry: &Entry) -> Doubt {
    let name = entry.name.to_string();
    let is_refused = FIELD_SERDE_REFUSED.iter().any(|(refused, _)| *refused == name) && name != "flatten";
    match name.as_str() {
        "alias" | "default" | "deny_unknown_fields" => Doubt::None,
        _ if is_refused => Doubt::Columns,
        _ => Doubt::Names,
    }
}

/// Whether a known attribute is for a column with a name, and not only for a type.
pub(super) fn is_of_column(attribute: &Attribute, name: &str) -> bool {
    if attribute.path().is_ident("serde") {
        return FIELD_SERDE.contains(&name);
    }
    FIELD_OLAP.contains(&name) || OPTIONS.contains(&name)
}

fn is_on_field(name: &str) -> bool {
    FIELD_OLAP.contains(&name) || OPTIONS.contains(&name) || forms::NAMES.contains(&name)
}

type Known<'a> = (&'a [&'a str], &'a [&'a str], &'a [(&'a str, &'a str)]);

fn refused_or_unknown(
    entry: &Entry,
    (applied, ignored, refused): Known<'_>,
    (name, elsewhere, place): (&str, &[&str], &str),
    mistakes: &mut Mistakes,
) {
    if let Some((_, why)) = refused.iter().find(|(refused, _)| *refused == name) {
        mistakes.at(&entry.name, why);
    } else if elsewhere.contains(&name) {
        mistakes.at(&entry.name, format_args!("`{name}` stands on {place}"));
    } else if !ignored.contains(&name) {
        entry.unknown("serde", applied, mistakes);
    }
}

pub(super) fn case(text: &LitStr, mistakes: &mut Mistakes) -> Option<Case> {
    let case = Case::named(&text.value());
    if case.is_none() {
        let hint = nearest(&text.value(), &CASES).map_or_else(
            || format!("the cases are {}", CASES.map(|case| format!("\"{case}\"")).join(", ")),
            |meant| format!("did you mean \"{meant}\"?"),
        );
        mistakes.at(text, format_args!("unknown case; {hint}"));
    }
    case
}

/// The doc comment, lines joined to paragraphs.
fn comment(attributes: &[Attribute]) -> Option<String> {
    let mut comment = String::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        let Meta::NameValue(doc) = &attribute.meta else { continue };
        let Expr::Lit(literal) = &doc.value else { continue };
        let Lit::Str(text) = &literal.lit else { continue };
        for line in text.value().split('\n').map(str::trim) {
            let separator = if line.is_empty() { "\n" } else { " " };
            if !comment.is_empty() && !comment.ends_with('\n') {
                comment.push_str(separator);
            }
            comment.push_str(line);
        }
    }
    let comment = comment.trim();
    (!comment.is_empty()).then(|| comment.to_owned())
}
