//! Rules for the options of a table, among themselves and with its columns, checked at compile time.
#![expect(clippy::indexing_slicing, reason = "const code has no iterators, and an index past the end fails to compile")]

use crate::{
    record::{ColumnSpec, DataType},
    schema::{Class, DefaultKind},
};

use super::{
    check,
    columns::Columns,
    element::MOST,
    engine::{Engine, Kind},
    expression::{self, Rules},
    message::Message,
    nearest::Nearest,
    spec::TableSpec,
    text,
};

/// Name of the index that every table with provenance columns has.
const OFFSET_INDEX: &str = "_stream_offset_range";
/// The setting that a table with projections needs if its engine merges rows.
const PROJECTION_MODE: &str = "deduplicate_merge_projection_mode";

/// Checks that the columns named by an engine exist and have types that it accepts.
#[track_caller]
pub(super) const fn engine(engine: &Engine, columns: &[ColumnSpec]) {
    match engine.kind {
        Kind::MergeTree | Kind::Aggregating => {}
        Kind::Replacing { version, is_deleted } => {
            if let Some(name) = version {
                self::version(engine, name, columns);
            }
            if let Some(name) = is_deleted {
                let column = column_of(engine, name, columns);
                if !matches!(column.data_type, DataType::UInt8 | DataType::Bool) {
                    wrong_type(engine, column, "the mark of deletion", "`UInt8` (`u8`) or `Bool` (`bool`)");
                }
            }
        }
        Kind::Summing { columns: names } => {
            let mut place = 0;
            while place < names.len() {
                let column = column_of(engine, names[place], columns);
                if !is_number(column.data_type) {
                    wrong_type(engine, column, "a sum", "a number");
                }
                place += 1;
            }
            expect_once(engine, names);
        }
        Kind::Coalescing { columns: names } => {
            let mut place = 0;
            while place < names.len() {
                column_of(engine, names[place], columns);
                place += 1;
            }
            expect_once(engine, names);
        }
        Kind::Collapsing { sign } => self::sign(engine, sign, columns),
        Kind::VersionedCollapsing { sign, version } => {
            self::sign(engine, sign, columns);
            if text::equal(sign, version) {
                Message::new(engine.name())
                    .text(" names `")
                    .text(sign)
                    .text("` as sign and as version: give one of them a column of its own")
                    .fail();
            }
            self::version(engine, version, columns);
        }
    }
}

#[track_caller]
const fn version(engine: &Engine, name: &str, columns: &[ColumnSpec]) {
    let column = column_of(engine, name, columns);
    let fits = matches!(column.data_type.class(), Class::Integer { .. } | Class::Date | Class::Instant);
    if !fits {
        wrong_type(engine, column, "the version", "an integer, a date or a time that can't be NULL");
    }
}

#[track_caller]
const fn sign(engine: &Engine, name: &str, columns: &[ColumnSpec]) {
    let column = column_of(engine, name, columns);
    if !matches!(column.data_type, DataType::Int8) {
        wrong_type(engine, column, "the sign", "`Int8` (`i8`), which is 1 or -1");
    }
}

/// The stored column named by an engine.
#[track_caller]
const fn column_of<'a>(engine: &Engine, name: &str, columns: &'a [ColumnSpec]) -> &'a ColumnSpec {
    let message = Message::new(engine.name()).text(" names `").text(name).text("`, which is ");
    let Some(column) = check::find(columns, name) else {
        let message = message.text("not a column of the record; ");
        match Nearest::among(name.as_bytes(), Columns::Specs(columns)) {
            Some(name) => message.text("did you mean `").text(name).text("`?").fail(),
            None => message.text("its columns are: ").names(Columns::Specs(columns)).fail(),
        }
    };
    if let Some((DefaultKind::Alias | DefaultKind::Ephemeral, _)) = column.default {
        message.text("not stored: merging works on what is; name another column").fail();
    }
    column
}

#[track_caller]
const fn wrong_type(engine: &Engine, column: &ColumnSpec, role: &str, expected: &str) -> ! {
    Message::new("column `")
        .text(column.name)
        .text("` can't be ")
        .text(role)
        .text(" of ")
        .text(engine.name())
        .text(": expected ")
        .text(expected)
        .fail();
}

#[track_caller]
const fn expect_once(engine: &Engine, names: &[&str]) {
    let mut place = 0;
    while place < names.len() {
        if text::contains(names.split_at(place).0, names[place]) {
            Message::new(engine.name()).text(" names `").text(names[place]).text("` twice").fail();
        }
        place += 1;
    }
}

const fn is_number(data_type: DataType) -> bool {
    match data_type {
        DataType::Nullable(inner) => is_number(*inner),
        other => matches!(other.class(), Class::Integer { .. } | Class::Float { .. } | Class::Decimal),
    }
}

const fn is_unsigned(data_type: DataType) -> bool {
    matches!(data_type.class(), Class::Integer { signed: false, .. })
}

/// Checks that a partition key uses only columns that come with the record or are derived from those: a range that is
/// sent again must go to the same partition, where its token is known.
#[track_caller]
pub(super) const fn partition_key(key: &str, columns: &[ColumnSpec]) {
    expression::check("partition_by", key, Columns::Specs(columns), Rules::KEY);
    let mut place = 0;
    while place < columns.len() {
        let column = &columns[place];
        if expression::names(key, column.name) {
            expect_settled(column, columns, columns.len());
        }
        place += 1;
    }
    if let Some(column) = check::find(columns, key.trim_ascii())
        && matches!(column.data_type.class(), Class::Float { .. })
    {
        Message::new("`partition_by` is `")
            .text(column.name)
            .text("`, a floating-point number, by which ClickHouse can't divide a table: use an integer or a date")
            .fail();
    }
}

/// Checks that the column is deterministic. Materialized columns may depend on each other, at most as deep as there are
/// columns.
#[track_caller]
const fn expect_settled(column: &ColumnSpec, columns: &[ColumnSpec], depth: usize) {
    let Some((DefaultKind::Materialized | DefaultKind::Alias, expression)) = column.default else { return };
    if let Some(function) = expression::made_up_in(expression) {
        Message::new("`partition_by` depends on column `")
            .text(column.name)
            .text("`, which is `")
            .text(expression)
            .text("`: `")
            .text(function)
            .text("()` gives another value at each try, and records are recognised within one partition; use what the record has")
            .fail();
    }
    let mut place = 0;
    while depth > 0 && place < columns.len() {
        if expression::names(expression, columns[place].name) {
            expect_settled(&columns[place], columns, depth - 1);
        }
        place += 1;
    }
}

/// Checks that the `SAMPLE` expression is in the primary key and an unsigned integer, as far as its type is known.
#[track_caller]
const fn sample_key(table: &TableSpec) {
    let Some(expression) = table.sample_by else { return };
    let key = if table.primary_key.is_empty() { table.order_by } else { table.primary_key };
    if !text::contains(key, expression) {
        Message::new("the `sample_by` of table `")
            .text(table.name)
            .text("`, `")
            .text(expression)
            .text("`, is not in its primary key: ClickHouse picks rows by the index; add it to `order_by`, in the same words")
            .fail();
    }
    if let Some(column) = check::find(table.columns, expression)
        && !is_unsigned(column.data_type)
    {
        Message::new("the `sample_by` of table `")
            .text(table.name)
            .text("`, `")
            .text(expression)
            .text("`, is not an unsigned integer: use a hash such as `cityHash64(")
            .text(expression)
            .text(")`")
            .fail();
    }
}

/// Checks the rules between the options of a finished table.
#[track_caller]
pub(super) const fn finished(table: &TableSpec) {
    sample_key(table);
    summed_columns(table);
    let mut place = 0;
    while place < table.columns.len() {
        let column = &table.columns[place];
        if column.ttl.is_some() && is_in_a_key(table, column.name) {
            Message::new("column `")
                .text(column.name)
                .text("` has a `ttl` and is in a key of table `")
                .text(table.name)
                .text("`, where values can't go: take the `ttl` off, or give the table one")
                .fail();
        }
        place += 1;
    }
    if table.projections.items[0].is_some() && !table.engine.keeps_every_row() && !has_setting(table, PROJECTION_MODE) {
        Message::new("table `")
            .text(table.name)
            .text("` has projections and the engine ")
            .text(table.engine.name())
            .text(", which changes rows under them: say what becomes of them with ")
            .text("`.settings(&[(\"deduplicate_merge_projection_mode\", \"rebuild\")])`, or \"drop\"")
            .fail();
    }
}

#[track_caller]
const fn summed_columns(table: &TableSpec) {
    let Kind::Summing { columns: names } = table.engine.kind else { return };
    let mut place = 0;
    while place < names.len() {
        let in_partition = match table.partition_by {
            Some(key) => text::equal(key.trim_ascii(), names[place]),
            None => false,
        };
        if text::contains(table.order_by, names[place]) || in_partition {
            Message::new("SummingMergeTree can't sum column `")
                .text(names[place])
                .text("` of table `")
                .text(table.name)
                .text("`, by which its rows are sorted or divided: take it out of one of them")
                .fail();
        }
        place += 1;
    }
}

const fn is_in_a_key(table: &TableSpec, column: &str) -> bool {
    let mut place = 0;
    while place < table.order_by.len() {
        if expression::names(table.order_by[place], column) || text::equal(table.order_by[place], column) {
            return true;
        }
        place += 1;
    }
    match table.partition_by {
        Some(key) => expression::names(key, column),
        None => false,
    }
}

const fn has_setting(table: &TableSpec, wanted: &str) -> bool {
    let mut place = 0;
    while place < table.settings.len() {
        if text::equal(table.settings[place].0, wanted) {
            return true;
        }
        place += 1;
    }
    false
}

/// Checks the name of an index, projection or constraint: valid, not reserved, and not used twice.
#[track_caller]
pub(super) const fn new_name(kind: &str, name: &str, known: [Option<&str>; MOST]) {
    check::name(kind, name);
    if text::equal(name, OFFSET_INDEX) {
        Message::new("`").text(name).text("` is the index of the hidden columns: give yours another name").fail();
    }
    let mut place = 0;
    while place < MOST {
        if let Some(other) = known[place]
            && text::equal(other, name)
        {
            Message::new("the table has ").text(kind).text(" `").text(name).text("` already: rename one").fail();
        }
        place += 1;
    }
}
