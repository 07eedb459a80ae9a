//! Checks that run in the compiler while a declaration is evaluated: names, columns, options, expressions.
//!
//! Everything here is `const` and `#[track_caller]`: an error becomes one compile error on the line of the builder call
//! that caused it. Messages say what is wrong and what is expected.
#![expect(clippy::indexing_slicing, reason = "const code has no iterators, and an index past the end fails to compile")]

use crate::record::{
    Column, ColumnSpec, ColumnType, DataType, FieldColumn,
    column::{VariantFlaw, Variants, gives_its_own},
};

use super::{
    columns::Columns,
    expression::{self, Rules},
    message::Message,
    text::{contains, equal, equal_bytes},
};

/// Maximum length of a resource's name: file and topic names are made from it, with suffixes.
pub(super) const MAX_NAME: usize = 64;

/// Settings that exactly-once delivery depends on.
const RESERVED_SETTINGS: [&str; 5] = [
    "non_replicated_deduplication_window",
    "replicated_deduplication_window",
    "replicated_deduplication_window_seconds",
    "fsync_after_insert",
    "fsync_part_directory",
];

/// A resource's name becomes a table, a topic, a directory and a path of a URL: ASCII letters, digits and `_`, no digit
/// first, at most [`MAX_NAME`] bytes.
#[track_caller]
pub(super) const fn name(kind: &str, name: &str) {
    let bytes = name.as_bytes();
    if bytes.is_empty() {
        Message::new("the name of ").text(kind).text(" is empty").fail();
    }
    if bytes.len() > MAX_NAME {
        Message::new("the name of ").text(kind).text(" `").text(name).text("` is longer than 64 bytes").fail();
    }
    let mut index = 0;
    while index < bytes.len() {
        let byte = bytes[index];
        let is_allowed = byte.is_ascii_alphabetic() || byte == b'_' || (index > 0 && byte.is_ascii_digit());
        if !is_allowed {
            Message::new("`")
                .text(name)
                .text("` can't be the name of ")
                .text(kind)
                .text(": use ASCII letters, digits and `_`, and begin with a letter or `_`")
                .fail();
        }
        index += 1;
    }
}

/// Checks a key: every entry occurs once and is a column that is not Nullable, or an expression over columns.
#[track_caller]
pub(super) const fn key(option: &str, key: &[&str], columns: &[ColumnSpec]) {
    if key.is_empty() {
        Message::new("`").text(option).text("` names no column: leave it out, or name one").fail();
    }
    let mut index = 0;
    while index < key.len() {
        expression::check(option, key[index], Columns::Specs(columns), Rules::KEY);
        if let Some(column) = find(columns, key[index])
            && column.data_type.is_nullable()
        {
            Message::new("`")
                .text(option)
                .text("` names `")
                .text(key[index])
                .text("`, which is Nullable: ClickHouse takes no Nullable column in a key; use a type without `Option`")
                .fail();
        }
        if contains(key.split_at(index).0, key[index]) {
            Message::new("`").text(option).text("` names `").text(key[index]).text("` twice: name it once").fail();
        }
        index += 1;
    }
}

/// Checks the type of a key column, called by generated code: it must not be Nullable.
#[doc(hidden)]
#[track_caller]
pub const fn check_key<R: FieldColumn<PLACE>, const PLACE: usize>(key: &str) {
    if R::Column::DATA_TYPE.is_nullable() {
        Message::new("the key `")
            .text(key)
            .text("` can be NULL, which ClickHouse can't sort by: make the field's type no `Option`, or take `#[key]` off")
            .fail();
    }
}

/// Checks an aggregate, called by generated code: the function must return the type of its argument.
#[doc(hidden)]
#[track_caller]
pub const fn check_aggregate<R: FieldColumn<PLACE>, const PLACE: usize>() {
    let DataType::SimpleAggregateFunction { function, data_type } = R::Column::DATA_TYPE else { return };
    if gives_its_own(function, data_type) {
        return;
    }
    let takes = match function.as_bytes() {
        b"sum" => "64 bits, `f64`, or a decimal of 38 or 76 digits",
        b"groupBitAnd" | b"groupBitOr" | b"groupBitXor" => "an integer of at most 64 bits",
        b"groupArrayArray" | b"groupUniqArrayArray" => "a `Vec`",
        _ => "a map",
    };
    Message::new("`")
        .text(function)
        .text("` of this type gives values of another, which can't be merged in place: it needs ")
        .text(takes)
        .fail();
}

/// Checks the type of a variant, called by generated code: it must fit into one column with those before it.
#[doc(hidden)]
#[track_caller]
pub const fn check_variant<E: ColumnType<Column: Variants>>(place: usize) {
    let names = <E::Column as Variants>::NAMES;
    let message = Message::new("variant `").text(names[place][0]);
    match VariantFlaw::of(<E::Column as Variants>::TYPES, place) {
        None => {}
        Some(VariantFlaw::IsNullable) => message
            .text("` can be NULL by itself: take the `Option` off, and add a variant without data, which is NULL")
            .fail(),
        Some(VariantFlaw::IsAggregate) => {
            message.text("` is an aggregate, which only a column can be: take the `aggregate` off").fail();
        }
        Some(VariantFlaw::IsLike(other)) => message
            .text("` is stored as a type that ClickHouse takes for too similar to that of `")
            .text(names[other][0])
            .text("` to tell them apart: give one of them another type")
            .fail(),
    }
}

/// Checks table settings: each has a name, and none overrides one that the runtime depends on.
#[track_caller]
pub(super) const fn settings(settings: &[(&str, &str)]) {
    let mut index = 0;
    while index < settings.len() {
        let (setting, _) = settings[index];
        name("a setting", setting);
        if contains(&RESERVED_SETTINGS, setting) {
            Message::new("the setting `")
                .text(setting)
                .text("` can't be changed: storing every record once depends on it")
                .fail();
        }
        index += 1;
    }
}

/// The first column whose name begins with `prefix`.
pub(super) const fn column_with_prefix(columns: &[ColumnSpec], prefix: &str) -> Option<&'static str> {
    let mut index = 0;
    while index < columns.len() {
        let name = columns[index].name;
        if name.len() >= prefix.len() && equal_bytes(name.as_bytes().split_at(prefix.len()).0, prefix.as_bytes()) {
            return Some(name);
        }
        index += 1;
    }
    None
}

/// The column of that name.
pub(super) const fn find<'a>(columns: &'a [ColumnSpec], name: &str) -> Option<&'a ColumnSpec> {
    let mut index = 0;
    while index < columns.len() {
        if equal(columns[index].name, name) {
            return Some(&columns[index]);
        }
        index += 1;
    }
    None
}
