//! Refusals: changes that need a decision of the author, or can't be made.

/// Why a change is not planned. Each says what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A column is no longer declared.
    #[error(
        "table `{table}`: column `{column}` ({data_type}) is not declared any more: to drop it with what is in it, write \
         `#[olap(dropped(\"{column}\"))]` on the struct; {}",
        rename_hint(column, json.as_ref(), candidates)
    )]
    UndeclaredDrop {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type.
        data_type: String,
        /// The field's name in JSON, if known.
        json: Option<String>,
        /// New columns of the same type, which may be the renamed one.
        candidates: Vec<String>,
    },
    /// A field is renamed in JSON, without its old name as an alias.
    #[error(
        "table `{table}`: records that were sent before call the field of column `{column}` `{name}`, and their value would \
         be lost: write `#[serde(alias = \"{name}\")]` on the field"
    )]
    ForgottenName {
        /// The table.
        table: String,
        /// The column, by its present name.
        column: String,
        /// The name in JSON that is no longer known.
        name: String,
    },
    /// A table is no longer declared.
    #[error(
        "table `{table}` is not declared any more: to drop it with what is in it, declare \
         `DroppedTable::new(\"{table}\")`; if it has another name now, write `.renamed_from(\"{table}\")` on its declaration"
    )]
    UndeclaredTableDrop {
        /// The table.
        table: String,
    },
    /// A type holds fewer values than before.
    #[error(
        "table `{table}`: column `{column}` changes from {from} to {to}, which may not hold every value: to accept that, \
         write `#[olap(narrowed)]` on the field; the migration then stops before it changes anything if a value does not fit"
    )]
    UndeclaredNarrowing {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The type before.
        from: String,
        /// The type after.
        to: String,
    },
    /// A column is no longer stored.
    #[error(
        "table `{table}`: column `{column}` becomes {kind}, and what is stored in it goes: to accept that, write \
         `#[olap(narrowed)]` on the field"
    )]
    UndeclaredUnstoring {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// What it becomes: `ALIAS` or `EPHEMERAL`.
        kind: String,
    },
    /// A change of type for which it is unknown which values are kept.
    #[error(
        "table `{table}`: column `{column}` can't change from {from} to {to} in place: declare a column of another name, fill \
         it with an UPDATE in a migration of your own, and drop `{column}` then"
    )]
    ImpossibleType {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The type before.
        from: String,
        /// The type after.
        to: String,
    },
    /// A rename whose old name is still in use, or whose new name already was.
    #[error("table `{table}`: `{from}` can't be renamed to `{to}`: {why}; do it in two migrations")]
    RenameInTheWay {
        /// The table.
        table: String,
        /// The name before.
        from: String,
        /// The name after.
        to: String,
        /// The conflict.
        why: String,
    },
    /// A table to drop is also declared.
    #[error("table `{table}` is declared and to be dropped: take away `DroppedTable::new(\"{table}\")`, or the table")]
    DroppedAndDeclared {
        /// The table.
        table: String,
    },
    /// A rebuilt table would have the same Keeper path as the old one.
    #[error(
        "table `{table}`: {change} needs a new table, which can't share the path `{path}` in Keeper with the old one: put \
         `{{uuid}}` into the path"
    )]
    SharedReplicaPath {
        /// The table.
        table: String,
        /// The change that needs a new table.
        change: String,
        /// The path.
        path: String,
    },
}

fn rename_hint(column: &str, json: Option<&String>, candidates: &[String]) -> String {
    let alias = json.map(|json| format!(" and `#[serde(alias = \"{json}\")]`")).unwrap_or_default();
    let words = format!("`#[olap(renamed_from = \"{column}\")]`{alias}");
    match candidates {
        [] => format!("if it has another name now, write {words} on its field"),
        [one] => format!("if `{one}` is its new name, write {words} on that field"),
        several => format!("if one of `{}` is its new name, write {words} on that field", several.join("`, `")),
    }
}
