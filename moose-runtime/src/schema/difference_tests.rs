//! Tests of what differs between a declared table and a real one.

use std::collections::BTreeMap;

use super::*;
use crate::schema::{Column, Engine};

fn table(provenance: bool) -> Table {
    let column = |name: &str, data_type: &str, default: Option<&str>| Column {
        name: name.to_owned(),
        data_type: data_type.parse().expect("a type"),
        codec: None,
        default: default.map(str::to_owned),
        comment: None,
    };
    Table {
        name: "events".to_owned(),
        columns: vec![
            column("id", "String", None),
            column("at", "DateTime64(3, 'UTC')", None),
            column("count", "UInt32", Some("1")),
        ],
        engine: Engine::MergeTree,
        order_by: vec!["id".to_owned()],
        primary_key: Vec::new(),
        partition_by: None,
        ttl: None,
        settings: BTreeMap::new(),
        provenance,
        comment: None,
    }
}

fn actual(name: &str, data_type: &str, default_kind: &str) -> ActualColumn {
    ActualColumn {
        name: name.to_owned(),
        data_type: data_type.to_owned(),
        default_kind: default_kind.parse().expect("a default kind"),
    }
}

/// What `system.columns` says of the table as it was created.
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
    newer[2].default_kind = DefaultKind::None;
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
fn a_type_that_cannot_be_read_is_another_type() {
    let mut columns = as_created();
    columns[0].data_type = "Nonsense(".to_owned();
    assert_eq!(lines(&differences(&table(true), &columns)), ["column `id` is Nonsense(: declared as String"]);
}

#[test]
fn an_unknown_default_kind_is_an_error() {
    assert_eq!(
        "PERHAPS".parse::<DefaultKind>().expect_err("unknown").to_string(),
        "unknown default kind `PERHAPS` in system.columns"
    );
}
