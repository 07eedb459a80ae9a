//! Golden files of the DDL.

use std::collections::BTreeMap;

use super::*;

fn column(name: &str, data_type: &str) -> Column {
    Column {
        name: name.to_owned(),
        data_type: data_type.parse().expect("a type"),
        codec: None,
        default: None,
        comment: None,
    }
}

/// The table of the first example.
fn events() -> Table {
    Table {
        name: "events".to_owned(),
        columns: vec![
            column("id", "String"),
            column("userId", "String"),
            column("timestamp", "DateTime64(3, 'UTC')"),
            column("eventType", "LowCardinality(String)"),
        ],
        engine: Engine::MergeTree,
        order_by: vec!["id".to_owned()],
        primary_key: Vec::new(),
        partition_by: None,
        ttl: None,
        settings: BTreeMap::new(),
        provenance: true,
        comment: None,
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
        default: Some("42".to_owned()),
        comment: Some("the answer's value".to_owned()),
        ..column("answer", "UInt64")
    });
    table.order_by = vec!["userId".to_owned(), "timestamp".to_owned()];
    table.primary_key = vec!["userId".to_owned()];
    table.partition_by = Some("toYYYYMM(timestamp)".to_owned());
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
fn settings_are_bare_numbers_or_strings() {
    assert_eq!(setting_value("8192"), "8192");
    assert_eq!(setting_value("-1"), "-1");
    assert_eq!(setting_value("0.5"), "0.5");
    for text in ["", "-", ".", "1.2.3", "1e5", "inf", "NaN", "default", "1 + 1", "0x10"] {
        assert_eq!(setting_value(text), format!("'{text}'"));
    }
}
