//! Tests of the comparison of a real table with its declaration.

use super::*;
use crate::schema::{ColumnDefault, fixture};

fn table(provenance: bool) -> Table {
    let columns = vec![
        fixture::column("id", "String"),
        fixture::column("at", "DateTime64(3, 'UTC')"),
        with_default("count", "UInt32", DefaultKind::Default),
    ];
    Table { columns, provenance, ..fixture::table("events") }
}

fn with_default(name: &str, data_type: &str, kind: DefaultKind) -> Column {
    let default = Some(ColumnDefault { kind, expression: "1".to_owned() });
    Column { default, ..fixture::column(name, data_type) }
}

fn actual(name: &str, data_type: &str, default_kind: &str) -> ActualColumn {
    ActualColumn {
        name: name.to_owned(),
        data_type: data_type.to_owned(),
        default_kind: DefaultKind::read(default_kind).expect("a default kind"),
    }
}

/// The columns that `system.columns` lists for the table as created.
fn as_created() -> Vec<ActualColumn> {
    vec![
        actual("id", "String", ""),
        actual("at", "DateTime64(3, 'UTC')", ""),
        actual("count", "UInt32", "DEFAULT"),
        actual("_stream_epoch", "UInt64", "MATERIALIZED"),
        actual("_stream_partition", "UInt16", "MATERIALIZED"),
        actual("_stream_offset", "UInt64", "MATERIALIZED"),
    ]
}

fn lines(found: &[Difference]) -> Vec<String> {
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn a_table_as_created_does_not_differ() {
    assert_eq!(differences(&table(true), &as_created()), []);
    assert_eq!(differences(&table(false), &as_created()[..3]), []);
}

#[test]
fn types_are_compared_and_not_their_texts() {
    let mut columns = as_created();
    columns[1].data_type = "DateTime64(3,'UTC')".to_owned();
    assert_eq!(differences(&table(true), &columns), []);
}

#[test]
fn the_order_of_columns_does_not_matter() {
    let mut columns = as_created();
    columns.reverse();
    assert_eq!(differences(&table(true), &columns), []);
}

#[test]
fn every_difference_is_told_in_the_order_of_the_declaration() {
    let columns = [
        actual("note", "String", ""),
        actual("count", "UInt64", "ALIAS"),
        actual("id", "Nullable(String)", ""),
        actual("_stream_epoch", "UInt64", "MATERIALIZED"),
        actual("_stream_partition", "UInt16", ""),
    ];
    let found = differences(&table(true), &columns);
    assert_eq!(
        lines(&found),
        [
            "column `id` is Nullable(String): declared as String",
            "column `at` is missing: declared as DateTime64(3, 'UTC')",
            "column `count` is UInt64: declared as UInt32",
            "column `count` is ALIAS: declared as DEFAULT",
            "column `_stream_partition` is ordinary: declared as MATERIALIZED",
            "column `_stream_offset` is missing: declared as UInt64",
            "column `note` (String) is not declared",
        ]
    );
}

#[test]
fn only_what_would_be_stored_otherwise_prevents_an_insert() {
    let mut newer = as_created();
    newer.push(actual("note", "String", ""));
    newer[2].default_kind = None;
    let found = differences(&table(true), &newer);
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|difference| !difference.prevents_insert()), "{found:?}");

    for wrong in [actual("id", "Int64", ""), actual("id", "String", "ALIAS"), actual("id", "String", "EPHEMERAL")] {
        let mut columns = as_created();
        columns[0] = wrong.clone();
        let found = differences(&table(true), &columns);
        assert!(found.iter().any(Difference::prevents_insert), "{wrong:?}: {found:?}");
    }
    assert!(differences(&table(true), &as_created()[1..])[0].prevents_insert());
}

#[test]
fn what_clickhouse_computes_has_to_be_computed_and_what_is_only_read_is_no_concern() {
    let declared = |kind| Table { columns: vec![with_default("c", "UInt8", kind)], ..table(false) };
    let prevents =
        |kind, columns: &[ActualColumn]| differences(&declared(kind), columns).iter().any(Difference::prevents_insert);
    for (kind, held, taken) in [
        (DefaultKind::Materialized, &["", "EPHEMERAL", "ALIAS"][..], &["MATERIALIZED", "DEFAULT"][..]),
        (DefaultKind::Ephemeral, &["ALIAS"], &["EPHEMERAL", "", "DEFAULT", "MATERIALIZED"]),
        (DefaultKind::Alias, &[], &["ALIAS", "", "DEFAULT", "MATERIALIZED", "EPHEMERAL"]),
    ] {
        for actual_kind in held {
            assert!(prevents(kind, &[actual("c", "UInt8", actual_kind)]), "{kind} as `{actual_kind}`");
        }
        for actual_kind in taken {
            assert!(!prevents(kind, &[actual("c", "UInt8", actual_kind)]), "{kind} as `{actual_kind}`");
        }
        let is_read = kind == DefaultKind::Alias;
        assert_eq!(prevents(kind, &[]), !is_read, "{kind} is missing");
        assert_eq!(prevents(kind, &[actual("c", "Int64", &kind.to_string())]), !is_read, "{kind} of another type");
    }
}

#[test]
fn a_type_that_cannot_be_read_is_another_type() {
    let mut columns = as_created();
    columns[0].data_type = "Nonsense(".to_owned();
    assert_eq!(lines(&differences(&table(true), &columns)), ["column `id` is Nonsense(: declared as String"]);
}

#[test]
fn an_unknown_default_kind_is_an_error() {
    assert_eq!(
        DefaultKind::read("PERHAPS").expect_err("unknown").to_string(),
        "unknown default kind `PERHAPS` in system.columns"
    );
}
