//! Guard statements: they fail where the next statement would lose values or rows.

use super::super::{DataType, Table, quote_identifier, quote_string};
use super::{Change, Fit, fit::bare};

/// A guard for each change of type that may lose a value: it counts the values that don't fit the new type, and fails
/// if there are any. It uses the names of the columns before any change.
pub(super) fn values(table: &str, changes: &[Change]) -> Vec<String> {
    let name_before = |column: &String| {
        let renamed = changes.iter().find_map(|change| match change {
            Change::RenameColumn { from, to } if to == column => Some(from.clone()),
            _ => None,
        });
        renamed.unwrap_or_else(|| column.clone())
    };
    let narrowing = changes.iter().filter_map(|change| match change {
        Change::ColumnType { column, from, to, fit: Fit::Narrows } => Some((name_before(column), from, to)),
        _ => None,
    });
    narrowing
        .map(|(column, from, to)| {
            let message = format!("values of `{column}` that {to} does not hold: change these rows first");
            format!(
                "SELECT throwIf(count() > 0, {})\nFROM {}\nWHERE {}",
                quote_string(&message),
                quote_identifier(table),
                does_not_fit(&quote_identifier(&column), from, to)
            )
        })
        .collect()
}

/// A condition for the values of `column` that don't survive a cast to the new type and back.
fn does_not_fit(column: &str, from: &DataType, to: &DataType) -> String {
    let (old, new) = (bare(from), bare(to));
    let mut conditions = Vec::new();
    if from.is_nullable() && !to.is_nullable() {
        conditions.push(format!("isNull({column})"));
    }
    if let DataType::Enum8(labels) | DataType::Enum16(labels) = new {
        let labels: Vec<String> = labels.iter().map(|(label, _)| quote_string(label)).collect();
        conditions.push(format!("ifNull(toString({column}) NOT IN ({}), 0)", labels.join(", ")));
    } else if Fit::of(old, new) != Fit::Widens {
        // By way of a string if an enum is read as its label.
        let value = if matches!(old, DataType::Enum8(_) | DataType::Enum16(_)) {
            format!("toString({column})")
        } else {
            column.to_owned()
        };
        let back = if value == column { format!("Nullable({old})") } else { "Nullable(String)".to_owned() };
        let (new, back) = (quote_string(&new.to_string()), quote_string(&back));
        conditions.push(format!(
            "(isNotNull({column}) AND ifNull(CAST(accurateCastOrNull({value}, {new}), {back}) != {value}, 1))"
        ));
    }
    if conditions.is_empty() { "0".to_owned() } else { conditions.join("\n    OR ") }
}

/// Fails if a copy made on one server would miss rows of others.
pub(super) fn whole_table_is_here(table: &Table) -> Option<String> {
    let cluster = table.cluster.as_ref()?;
    // Replicas of one shard hold the same rows; tables without replicas hold each its own.
    let (counted, message) = if table.engine.is_replicated() {
        ("uniqExact(shard_num)", "the cluster has several shards: copy the table shard by shard, by hand")
    } else {
        ("count()", "the table has no replicas and is on several servers: copy it server by server, by hand")
    };
    Some(format!(
        "SELECT throwIf({counted} > 1, {})\nFROM system.clusters\nWHERE cluster = {}",
        quote_string(message),
        quote_string(cluster)
    ))
}
