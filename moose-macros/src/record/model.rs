//! The checked model of a record: after this nothing can be wrong with it but its types, which only the compiler knows.

use proc_macro2::Ident;
use syn::{
    Data, DeriveInput, Field, Fields, Generics, LitStr, Path, Token, Type, ext::IdentExt, punctuated::Punctuated,
};

use super::{
    attributes::{self, FieldAttributes, StructAttributes},
    entry::DefaultValue,
    forms::Forms,
    mistakes::{Doubt, Mistakes},
    options::Options,
};

/// The provenance columns, which every table of a stream has besides the declared ones.
const RESERVED: [&str; 3] = ["_stream_epoch", "_stream_partition", "_stream_offset"];

/// What is derived for a struct.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// `OlapRecord`: its values are rows.
    Record,
    /// `OlapType`: its values are tuples in a column.
    Tuple,
}

/// A record type, or a struct that is a tuple in one.
pub(super) struct Record<'a> {
    pub(super) role: Role,
    pub(super) name: &'a Ident,
    pub(super) generics: &'a Generics,
    /// Path of the runtime.
    pub(super) runtime: Path,
    pub(super) deny_unknown_fields: bool,
    /// Comment of its tables.
    pub(super) comment: Option<String>,
    /// Former columns of its tables that may be dropped.
    pub(super) dropped: Vec<String>,
    /// At least one.
    pub(super) columns: Vec<Column<'a>>,
}

/// A field with a column.
pub(super) struct Column<'a> {
    /// Name of the field.
    pub(super) field: &'a Ident,
    /// Type of the field.
    pub(super) value: &'a Type,
    /// Name of the column.
    pub(super) name: String,
    /// Names in JSON: the field's own, then its aliases.
    pub(super) json: Vec<String>,
    pub(super) forms: Forms,
    pub(super) missing: Missing,
    pub(super) key: bool,
    pub(super) options: Options,
    pub(super) comment: Option<String>,
}

/// What happens if JSON doesn't give the field.
pub(super) enum Missing {
    /// The column decides: NULL, or an error.
    AsColumn,
    /// This value.
    Value(DefaultValue),
    /// This field of a default value of the whole record.
    FieldOf(DefaultValue),
}

impl<'a> Record<'a> {
    /// The record declared by a struct, as far as it is reliable; errors are added to `mistakes`.
    pub(super) fn new(input: &'a DeriveInput, role: Role, mistakes: &mut Mistakes) -> Option<Self> {
        let on_struct = StructAttributes::new(&input.attrs, mistakes);
        for lifetime in input.generics.lifetimes() {
            mistakes.at(lifetime, "a record outlives what it was read from: use owned fields such as `String`");
        }
        let fields = named_fields(input, mistakes)?;
        let columns: Vec<Column<'a>> =
            fields.iter().filter_map(|field| Column::new(field, role, &on_struct, mistakes)).collect();
        check_names(&columns, mistakes);
        if columns.is_empty() {
            mistakes.at(&input.ident, "a record needs at least one field that is a column");
            return None;
        } else if role == Role::Record && !columns.iter().any(|column| column.key && !column.options.is_computed()) {
            let message = if columns.iter().any(|column| column.key) {
                "a record needs a key that it brings, not only one that ClickHouse computes: put `#[key]` on one more field"
            } else {
                "a record needs a key, by which its rows are sorted: put `#[key]` on at least one field"
            };
            mistakes.at(&input.ident, message);
        }
        mistakes.with_doubt(Doubt::None, |mistakes| check_former_names(&columns, &on_struct.dropped, mistakes));
        if input.generics.lifetimes().next().is_some() {
            return None;
        }
        Some(Self {
            role,
            name: &input.ident,
            generics: &input.generics,
            runtime: attributes::runtime(&input.attrs),
            deny_unknown_fields: on_struct.deny_unknown_fields,
            comment: on_struct.comment,
            dropped: on_struct.dropped.iter().map(LitStr::value).collect(),
            columns,
        })
    }
}

fn named_fields<'a>(input: &'a DeriveInput, mistakes: &mut Mistakes) -> Option<&'a Punctuated<Field, Token![,]>> {
    let what = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => return Some(&fields.named),
            Fields::Unnamed(_) => "a tuple struct, whose fields have no names to be columns",
            Fields::Unit => "a struct without fields",
        },
        Data::Enum(_) => "an enum",
        Data::Union(_) => "a union",
    };
    mistakes.at(&input.ident, format_args!("a record is a struct with named fields, not {what}"));
    None
}

impl<'a> Column<'a> {
    fn new(field: &'a Field, role: Role, on_struct: &StructAttributes, mistakes: &mut Mistakes) -> Option<Self> {
        let read = FieldAttributes::new(&field.attrs, mistakes);
        if role == Role::Tuple {
            check_element(&read, mistakes);
        }
        let ident = field.ident.as_ref()?;
        if read.skip {
            if let Some(key) = &read.key {
                mistakes.at(key, "a skipped field is no column, and can't be a key");
            }
            return None;
        }
        let own_name = || {
            on_struct
                .rename_all
                .map_or_else(|| ident.unraw().to_string(), |case| case.apply(&ident.unraw().to_string()))
        };
        let mut json = vec![read.rename.as_ref().map_or_else(own_name, LitStr::value)];
        for alias in &read.aliases {
            let alias = alias.value();
            if !json.contains(&alias) {
                json.push(alias);
            }
        }
        let name = read.column_name.as_ref().map_or_else(|| json.first().cloned().unwrap_or_default(), LitStr::value);
        if role == Role::Record && RESERVED.contains(&name.as_str()) {
            let message = format!(
                "the column `{name}` is kept for where a row comes from: give this one another name with `#[olap(rename = \"…\")]`"
            );
            mistakes.at(ident, message);
        }
        read.options.check(read.key.is_some(), mistakes);
        if read.options.is_computed() {
            check_computed(&read, mistakes);
            // It has no name in JSON.
            json.clear();
        } else if role == Role::Record {
            mistakes.with_doubt(Doubt::None, |mistakes| check_alias(&read, &json, mistakes));
        }
        Some(Self {
            field: ident,
            value: &field.ty,
            name,
            json,
            forms: read.forms,
            missing: match (&read.default, &on_struct.default) {
                (Some(default), _) => Missing::Value(default.clone()),
                (None, Some(default)) => Missing::FieldOf(default.clone()),
                (None, None) => Missing::AsColumn,
            },
            key: read.key.is_some(),
            options: read.options,
            comment: read.comment,
        })
    }
}

/// ```text
/// #[key] #[olap(codec = "LZ4", default = "1")] a: u8,    // in a struct that is a tuple
/// ```
fn check_element(read: &FieldAttributes, mistakes: &mut Mistakes) {
    const ELEMENT: &str = "this is an element of a tuple, and only a column of a table has that: take it off, or put it on the field of the record";
    if let Some(key) = &read.key {
        mistakes.at(key, ELEMENT);
    }
    for place in read.options.places() {
        mistakes.add(syn::Error::new(place, ELEMENT));
    }
}

/// ```text
/// #[serde(rename = "id")] a: u8, id: u8,      // one name in JSON for two fields
/// #[olap(rename = "id")] a: u8, id: u8,       // one column for two fields
/// ```
fn check_names(columns: &[Column<'_>], mistakes: &mut Mistakes) {
    for (place, column) in columns.iter().enumerate() {
        let before = columns.iter().take(place);
        for other in before {
            if let Some(name) = column.json.iter().find(|name| other.json.contains(name)) {
                mistakes.at(
                    column.field,
                    format_args!("the field `{}` is called `{name}` in JSON too: give one of them another name with `#[serde(rename = \"…\")]`", other.field.unraw()),
                );
            } else if column.name == other.name {
                mistakes.at(
                    column.field,
                    format_args!("the field `{}` has the column `{}` too: give one of them another with `#[olap(rename = \"…\")]`", other.field.unraw(), other.name),
                );
            }
        }
    }
}

/// ```text
/// #[olap(materialized = "a + 1")] #[serde(default)] b: u8,   // nobody looks for it in JSON
/// ```
fn check_computed(read: &FieldAttributes, mistakes: &mut Mistakes) {
    let Some(computed) = &read.options.default else { return };
    let name = &computed.name;
    if let Some(alias) = read.aliases.first() {
        mistakes.at(alias, format_args!("ClickHouse computes a column with `{name}`: JSON has no name for it"));
    }
    if read.default.is_some() {
        let message = format!("ClickHouse computes a column with `{name}`: `#[serde(default)]` has nothing to replace");
        mistakes.at(name, message);
    }
}

/// If only the column is renamed, JSON is unchanged: that is so if the field has a name of its own there.
///
/// ```text
/// #[olap(renamed_from = "a")] b: Option<u8>,     // `a` in JSON is nobody's, and the column is NULL
/// ```
fn check_alias(read: &FieldAttributes, json: &[String], mistakes: &mut Mistakes) {
    let Some(former) = read.options.renamed_from.as_ref().filter(|_| read.column_name.is_none()) else { return };
    let (old, new) = (former.value(), json.first().cloned().unwrap_or_default());
    if !json.contains(&old) {
        let message = format!(
            "records that were sent before the field was renamed call it `{old}`, and their value would be lost: write \
             `#[serde(alias = \"{old}\")]` on the field; if only its column was called so, and JSON calls it `{new}` as \
             before, write `#[olap(rename = \"{new}\", renamed_from = \"{old}\")]`"
        );
        mistakes.at(former, message);
    }
}

/// ```text
/// #[olap(dropped("a"))] struct Event { a: u8 }              // it is there
/// #[olap(renamed_from = "b")] a: u8, b: u8,                 // it has its own name still
/// #[olap(dropped("c"))] … #[olap(renamed_from = "c")] a     // one of the two
/// ```
fn check_former_names(columns: &[Column<'_>], dropped: &[LitStr], mistakes: &mut Mistakes) {
    let mut former: Vec<String> = Vec::new();
    for name in dropped {
        let text = name.value();
        if columns.iter().any(|column| column.name == text) {
            mistakes.at(name, format_args!("the column `{text}` is dropped and is a field: take one of them out"));
        } else if former.contains(&text) {
            mistakes.at(name, format_args!("`{text}` is dropped twice: name it once"));
        }
        former.push(text);
    }
    for name in columns.iter().filter_map(|column| column.options.renamed_from.as_ref()) {
        let text = name.value();
        if columns.iter().any(|column| column.name == text) {
            mistakes.at(name, format_args!("a column `{text}` is there, so nothing was renamed from it"));
        } else if former.contains(&text) {
            mistakes.at(name, format_args!("`{text}` was renamed or dropped already: one column can become one other"));
        }
        former.push(text);
    }
}
