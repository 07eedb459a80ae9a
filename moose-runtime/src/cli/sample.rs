//! Generates a sample record from a record type's columns, for a first request.

use crate::{
    record::{ColumnSpec, DataType},
    schema::Class,
};

/// A JSON object with a value for every field, in the order of the columns, that the record type accepts.
pub(super) fn record(columns: &[ColumnSpec]) -> String {
    let fields: Vec<String> = columns
        .iter()
        .filter(|column| column.is_inserted())
        .map(|column| {
            let name = column.json.first().copied().unwrap_or(column.name);
            format!("{}:{}", quoted(name), value(name, &column.data_type))
        })
        .collect();
    format!("{{{}}}", fields.join(","))
}

fn value(name: &str, data_type: &DataType) -> String {
    match data_type {
        DataType::FixedString(bytes) => quoted(&"x".repeat(*bytes as usize)),
        DataType::Enum8(labels) | DataType::Enum16(labels) => quoted(labels.first().map_or("", |(label, _)| label)),
        DataType::Nullable(inner)
        | DataType::LowCardinality(inner)
        | DataType::SimpleAggregateFunction { data_type: inner, .. } => value(name, inner),
        DataType::Array(inner) => format!("[{}]", value(name, inner)),
        DataType::Map(key, inner) => {
            let key = value(name, key);
            let key = if key.starts_with('"') { key } else { quoted(&key) };
            format!("{{{key}:{}}}", value(name, inner))
        }
        DataType::Tuple(elements) => {
            let elements: Vec<String> = elements.iter().map(|element| value(name, element)).collect();
            format!("[{}]", elements.join(","))
        }
        DataType::NamedTuple(columns) => record(columns),
        DataType::Nested(columns) => format!("[{}]", record(columns)),
        DataType::Json(options) => record(options.paths),
        other => of_class(name, other.class()),
    }
}

/// A value for a type of that class without inner types.
fn of_class(name: &str, class: Class) -> String {
    match class {
        Class::Bool => "true".to_owned(),
        Class::Integer { .. } => "1".to_owned(),
        Class::Float { .. } => "1.5".to_owned(),
        Class::Decimal => "0".to_owned(),
        Class::Date => quoted("2024-01-15"),
        Class::Clock => quoted("10:30:00"),
        Class::Instant => quoted("2024-01-15T10:30:00Z"),
        Class::Uuid => quoted("018d0c5e-0000-7000-8000-000000000001"),
        Class::Ipv4 => quoted("192.0.2.1"),
        Class::Ipv6 => quoted("2001:db8::1"),
        Class::Point => POINT.to_owned(),
        Class::Line => format!("[{POINT}]"),
        Class::Lines => format!("[[{POINT}]]"),
        Class::Areas => format!("[[[{POINT}]]]"),
        // For a type that holds several, one that is always accepted.
        Class::Text
        | Class::Union
        | Class::Enumeration
        | Class::Nullable
        | Class::Dictionary
        | Class::Array
        | Class::Map
        | Class::Tuple
        | Class::Nested
        | Class::Json
        | Class::Aggregate => quoted(&format!("{name}-1")),
    }
}

const POINT: &str = "[1.5,1.5]";

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `text` as one word of a POSIX shell.
pub(super) fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(json: &'static [&'static str], data_type: DataType) -> ColumnSpec {
        ColumnSpec::new("column", json, data_type)
    }

    #[test]
    fn every_field_is_there_under_its_json_name_in_the_order_of_the_columns() {
        let columns = [
            column(&["userId", "user"], DataType::String),
            column(&["at"], DataType::DateTime64 { precision: 3, timezone: Some("UTC") }),
            column(&["delay"], DataType::Nullable(&DataType::Int16)),
            column(&["tags"], DataType::Array(&DataType::LowCardinality(&DataType::String))),
        ];
        assert_eq!(
            record(&columns),
            r#"{"userId":"userId-1","at":"2024-01-15T10:30:00Z","delay":1,"tags":["tags-1"]}"#
        );
    }

    #[test]
    fn names_with_quotes_stay_json_and_one_shell_word() {
        let columns = [column(&["a\"'b"], DataType::Bool)];
        let record = record(&columns);
        assert_eq!(record, r#"{"a\"'b":true}"#);
        assert_eq!(shell_word(&record), r#"'{"a\"'\''b":true}'"#);
    }
}
