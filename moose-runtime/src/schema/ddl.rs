//! A table as DDL text.
//!
//! Every identifier and string is quoted, so no name or comment can end a clause; expressions (`partition_by`, `ttl`,
//! `codec`, `default`) are the author's ClickHouse text and stand as they are.

use std::fmt::{self, Display, Write};

use super::{Column, Engine, Table, provenance};

/// How many of the last INSERTs' tokens a table remembers. Beyond that a resent range could be stored twice, so it is far
/// more than a pending range can fall behind (3 MB of log per table).
const DEDUPLICATION_WINDOW: u32 = 100_000;

/// Where a table is stored, as far as its DDL depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Storage {
    /// The embedded engine: one disk, no replica, so a confirmed INSERT is synced to the disk first.
    Embedded,
    /// A ClickHouse server, whose operator decides about syncing.
    Server,
}

impl Table {
    /// The statement that creates the table where it is missing, without a semicolon.
    pub fn create_statement(&self, database: &str, storage: &Storage) -> String {
        let mut statement = String::new();
        let written = self.write_create(&mut statement, database, *storage);
        debug_assert!(written.is_ok(), "writing to a string does not fail");
        statement
    }

    fn write_create(&self, out: &mut String, database: &str, storage: Storage) -> fmt::Result {
        writeln!(out, "CREATE TABLE IF NOT EXISTS {}.{}", quote_identifier(database), quote_identifier(&self.name))?;
        out.push_str("(\n");
        for (index, element) in self.elements().iter().enumerate() {
            let separator = if index == 0 { "    " } else { ",\n    " };
            write!(out, "{separator}{element}")?;
        }
        out.push_str("\n)\n");
        writeln!(out, "ENGINE = {}", self.engine)?;
        if let Some(expression) = &self.partition_by {
            writeln!(out, "PARTITION BY {expression}")?;
        }
        if !self.primary_key.is_empty() {
            writeln!(out, "PRIMARY KEY {}", tuple(&self.primary_key))?;
        }
        writeln!(out, "ORDER BY {}", tuple(&self.order_by))?;
        if let Some(expression) = &self.ttl {
            writeln!(out, "TTL {expression}")?;
        }
        write!(out, "SETTINGS {}", self.settings_text(storage))?;
        if let Some(comment) = &self.comment {
            write!(out, "\nCOMMENT {}", quote_string(comment))?;
        }
        Ok(())
    }

    /// What stands between the parentheses: columns, then hidden columns and their index.
    fn elements(&self) -> Vec<String> {
        let mut elements: Vec<String> = self.columns.iter().map(Column::definition).collect();
        if self.provenance {
            elements.extend(provenance::COLUMNS.iter().map(|column| {
                format!(
                    "{} {} MATERIALIZED {} CODEC({})",
                    quote_identifier(column.name),
                    column.data_type,
                    column.absent,
                    column.codec
                )
            }));
            elements.push(format!(
                "INDEX {} {} TYPE minmax GRANULARITY 1",
                quote_identifier("_stream_offset_range"),
                quote_identifier(provenance::OFFSET)
            ));
        }
        elements
    }

    fn settings_text(&self, storage: Storage) -> String {
        let mut settings = vec![format!("non_replicated_deduplication_window = {DEDUPLICATION_WINDOW}")];
        if storage == Storage::Embedded {
            settings.extend(["fsync_after_insert = 1".to_owned(), "fsync_part_directory = 1".to_owned()]);
        }
        settings.extend(self.settings.iter().map(|(name, value)| format!("{name} = {}", setting_value(value))));
        settings.join(", ")
    }
}

impl Column {
    /// The column as it stands in `CREATE TABLE`.
    fn definition(&self) -> String {
        let mut definition = format!("{} {}", quote_identifier(&self.name), self.data_type);
        let clauses = [
            self.default.as_ref().map(|expression| format!(" DEFAULT {expression}")),
            self.comment.as_ref().map(|comment| format!(" COMMENT {}", quote_string(comment))),
            self.codec.as_ref().map(|codec| format!(" CODEC({codec})")),
        ];
        definition.extend(clauses.into_iter().flatten());
        definition
    }
}

impl Display for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Engine::MergeTree => "MergeTree",
        })
    }
}

/// `(a, b)`; `tuple()` for none.
fn tuple(columns: &[String]) -> String {
    if columns.is_empty() {
        return "tuple()".to_owned();
    }
    let names: Vec<String> = columns.iter().map(|name| quote_identifier(name)).collect();
    format!("({})", names.join(", "))
}

/// Numbers stand bare, anything else is a string.
fn setting_value(value: &str) -> String {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let is_number = !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.parse::<f64>().is_ok();
    if is_number { value.to_owned() } else { quote_string(value) }
}

/// The name as ClickHouse reads it back whatever it contains: `` `my\`column` ``.
pub fn quote_identifier(name: &str) -> String {
    quoted('`', name)
}

/// The text as a ClickHouse string literal: `'it\'s'`.
pub fn quote_string(text: &str) -> String {
    quoted('\'', text)
}

fn quoted(quote: char, text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0' => out.push_str("\\0"),
            '\\' => out.push_str("\\\\"),
            _ if character == quote => {
                out.push('\\');
                out.push(quote);
            }
            _ => out.push(character),
        }
    }
    out.push(quote);
    out
}

#[cfg(test)]
#[path = "ddl_tests.rs"]
mod tests;
