//! What a record is, checked: after this nothing can be wrong with it but its types, which only the compiler knows.

use proc_macro2::Ident;
use syn::{Data, DeriveInput, Field, Fields, Generics, Path, Token, Type, ext::IdentExt, punctuated::Punctuated};

use super::{
    attributes::{self, FieldAttributes, StructAttributes},
    entry::DefaultValue,
    forms::Forms,
    mistakes::Mistakes,
};

/// Columns that every table of a stream has besides the declared ones.
const RESERVED: [&str; 3] = ["_stream_epoch", "_stream_partition", "_stream_offset"];

/// What a struct is derived to be.
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
    pub(super) codec: Option<String>,
    pub(super) default_expression: Option<String>,
    pub(super) comment: Option<String>,
}

/// What it means that JSON doesn't give the field.
pub(super) enum Missing {
    /// As the column says: NULL, or a mistake.
    AsColumn,
    /// This value.
    Value(DefaultValue),
    /// This field of a whole record's value.
    FieldOf(DefaultValue),
}

impl<'a> Record<'a> {
    /// The record that a struct declares; what is wrong is added to the mistakes, and then the answer is of no use.
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
        } else if role == Role::Record && !columns.iter().any(|column| column.key) {
            let message = "a record needs a key, by which its rows are sorted: put `#[key]` on at least one field";
            mistakes.at(&input.ident, message);
        }
        Some(Self {
            role,
            name: &input.ident,
            generics: &input.generics,
            runtime: attributes::runtime(&input.attrs),
            deny_unknown_fields: on_struct.deny_unknown_fields,
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
        let mut json = vec![read.rename.as_ref().map_or_else(own_name, syn::LitStr::value)];
        for alias in &read.aliases {
            let alias = alias.value();
            if !json.contains(&alias) {
                json.push(alias);
            }
        }
        let name =
            read.column_name.as_ref().map_or_else(|| json.first().cloned().unwrap_or_default(), syn::LitStr::value);
        if role == Role::Record && RESERVED.contains(&name.as_str()) {
            let message = format!(
                "the column `{name}` is kept for where a row comes from: give this one another name with `#[olap(rename = \"…\")]`"
            );
            mistakes.at(ident, message);
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
            codec: read.codec.map(|text| text.value()),
            default_expression: read.default_expression.map(|text| text.value()),
            comment: read.comment,
        })
    }
}

/// ```text
/// #[key] #[olap(codec = "LZ4", default = "1")] a: u8,    // in a struct that is a tuple
/// ```
fn check_element(read: &FieldAttributes, mistakes: &mut Mistakes) {
    const ELEMENT: &str = "this is an element of a tuple: only a column of a table has that";
    if let Some(key) = &read.key {
        mistakes.at(key, ELEMENT);
    }
    for text in [&read.codec, &read.default_expression].into_iter().flatten() {
        mistakes.at(text, ELEMENT);
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
                    format_args!("the field `{}` is called `{name}` in JSON too", other.field.unraw()),
                );
            } else if column.name == other.name {
                mistakes.at(
                    column.field,
                    format_args!("the field `{}` has the column `{}` too", other.field.unraw(), other.name),
                );
            }
        }
    }
}
