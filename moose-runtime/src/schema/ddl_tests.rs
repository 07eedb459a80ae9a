//! Tests of the DDL against golden files.

use std::collections::BTreeMap;

use super::*;
use crate::schema::{
    ColumnDefault, Engine,
    fixture::{column, constraint, index, projection, table},
};

/// The table of the first example.
fn events() -> Table {
    Table {
        columns: vec![
            column("id", "String"),
            column("userId", "String"),
            column("timestamp", "DateTime64(3, 'UTC')"),
            column("eventType", "LowCardinality(String)"),
        ],
        ..table("events")
    }
}

#[test]
fn a_server_gets_the_window_and_the_hidden_columns() {
    insta::assert_snapshot!(events().create_statement("moose", &Storage::Server));
}

#[test]
fn the_embedded_engine_also_syncs_each_insert() {
    insta::assert_snapshot!(events().create_statement("moose", &Storage::Embedded));
}

#[test]
fn every_option_has_its_clause_in_the_order_that_clickhouse_wants() {
    let mut table = events();
    table.columns.push(Column {
        codec: Some("Delta, ZSTD(3)".to_owned()),
        default: Some(ColumnDefault { kind: DefaultKind::Default, expression: "42".to_owned() }),
        ttl: Some("toDateTime(timestamp) + INTERVAL 30 DAY".to_owned()),
        comment: Some("the answer's value".to_owned()),
        ..column("answer", "UInt64")
    });
    table.order_by = vec!["userId".to_owned(), "timestamp".to_owned()];
    table.primary_key = vec!["userId".to_owned()];
    table.partition_by = Some("toYYYYMM(timestamp)".to_owned());
    table.sample_by = Some("userId".to_owned());
    table.indexes = vec![index("by_kind", "lower(eventType)", "bloom_filter(0.01)", 4)];
    table.projections = vec![projection("per_kind", "SELECT eventType, count() GROUP BY eventType")];
    table.constraints = vec![
        constraint("no_future", ConstraintKind::Check, "timestamp < '2200-01-01'"),
        constraint("has_id", ConstraintKind::Assume, "notEmpty(id)"),
    ];
    table.cluster = Some("all of it's servers".to_owned());
    table.ttl = Some("toDateTime(timestamp) + INTERVAL 90 DAY".to_owned());
    table.settings = BTreeMap::from([
        ("index_granularity".to_owned(), "1024".to_owned()),
        ("storage_policy".to_owned(), "default".to_owned()),
    ]);
    table.comment = Some("what users do".to_owned());
    insta::assert_snapshot!(table.create_statement("analytics", &Storage::Server));
}

#[test]
fn a_table_without_provenance_has_its_own_columns_only() {
    let table = Table { provenance: false, order_by: Vec::new(), ..events() };
    insta::assert_snapshot!(table.create_statement("moose", &Storage::Server));
}

#[test]
fn no_name_or_comment_ends_its_quotes() {
    let mut table = events();
    table.columns = vec![Column { comment: Some("it's\n\\ two lines".to_owned()), ..column("odd ` na\\me", "String") }];
    table.order_by = vec!["odd ` na\\me".to_owned()];
    table.comment = Some("'); DROP TABLE events; --".to_owned());
    insta::assert_snapshot!(table.create_statement("my`base", &Storage::Server));
}

#[test]
fn every_kind_of_default_has_its_word() {
    let with = |name: &str, kind, expression: &str| Column {
        default: Some(ColumnDefault { kind, expression: expression.to_owned() }),
        ..column(name, "UInt8")
    };
    let definitions = [
        with("a", DefaultKind::Default, "1"),
        with("b", DefaultKind::Materialized, "a + 1"),
        with("c", DefaultKind::Alias, "a * 2"),
        with("d", DefaultKind::Ephemeral, ""),
        with("e", DefaultKind::Ephemeral, "7"),
    ]
    .map(|column| column.definition());
    assert_eq!(
        definitions,
        [
            "`a` UInt8 DEFAULT 1",
            "`b` UInt8 MATERIALIZED a + 1",
            "`c` UInt8 ALIAS a * 2",
            "`d` UInt8 EPHEMERAL",
            "`e` UInt8 EPHEMERAL 7"
        ]
    );
}

#[test]
fn a_key_has_columns_in_quotes_and_expressions_as_they_are() {
    let table = events();
    let key = ["userId", "toStartOfHour(timestamp)"].map(str::to_owned);
    assert_eq!(table.key(&key), "(`userId`, toStartOfHour(timestamp))");
    assert_eq!(table.key(&[]), "tuple()");
}

#[test]
fn a_replicated_table_remembers_tokens_by_its_own_settings() {
    let engine: Engine =
        "ReplicatedReplacingMergeTree('/tables/{shard}/events', '{replica}', timestamp)".parse().unwrap();
    insta::assert_snapshot!(Table { engine, ..events() }.create_statement("moose", &Storage::Server));
}

#[test]
fn settings_are_bare_numbers_or_strings() {
    assert_eq!(setting_value("8192"), "8192");
    assert_eq!(setting_value("-1"), "-1");
    assert_eq!(setting_value("0.5"), "0.5");
    for text in ["", "-", ".", "1.2.3", "1e5", "inf", "NaN", "default", "1 + 1", "0x10"] {
        assert_eq!(setting_value(text), format!("'{text}'"));
    }
}
