//! Each kind of change as a golden file: before, after, what changes with its risk, and the SQL.

use std::fmt::Write as _;

use super::*;
use crate::schema::{
    Column, ColumnDefault, Constraint, ConstraintKind, DefaultKind, Engine, EngineKind, Index, Projection, Replication,
    Table, fixture,
};

/// The table before the change, in most cases.
fn events() -> Table {
    let column = fixture::column;
    Table {
        columns: vec![
            column("id", "String"),
            column("userId", "LowCardinality(String)"),
            column("at", "DateTime64(3, 'UTC')"),
            column("amount", "UInt32"),
            column("note", "Nullable(String)"),
        ],
        ..fixture::table("events")
    }
}

/// The same, changed.
fn changed(change: impl FnOnce(&mut Table)) -> Table {
    let mut table = events();
    change(&mut table);
    table
}

fn default(kind: DefaultKind, expression: &str) -> ColumnDefault {
    ColumnDefault { kind, expression: expression.to_owned() }
}

fn column<'a>(table: &'a mut Table, name: &str) -> &'a mut Column {
    table.columns.iter_mut().find(|column| column.name == name).expect("the column")
}

fn index() -> Index {
    Index {
        name: "amounts".to_owned(),
        expression: "amount".to_owned(),
        index_type: "minmax".to_owned(),
        granularity: 4,
    }
}

fn projection() -> Projection {
    Projection { name: "by_user".to_owned(), query: "SELECT userId, sum(amount) GROUP BY userId".to_owned() }
}

fn constraint() -> Constraint {
    Constraint { name: "sane".to_owned(), kind: ConstraintKind::Check, expression: "amount < 1000000".to_owned() }
}

/// The refusals, or the whole plan, as text.
fn told(before: &[Table], kept: &[String], after: &[Table], dropped: &[String]) -> String {
    let mut text = String::new();
    for (title, tables) in [("before", before), ("after", after)] {
        for table in tables {
            let _ = writeln!(text, "--- {title}\n{}", table.create_statement_as(&table.name));
        }
    }
    let recorded = Recorded { tables: before, kept };
    match diff(recorded, Declared { tables: after, dropped }) {
        Ok(changes) => {
            let plan = plan(&changes, 7);
            let _ = write!(text, "--- changes\n{}\n--- sql\n{plan}", plan.lines().join("\n"));
        }
        Err(refusals) => {
            let lines: Vec<String> = refusals.iter().map(ToString::to_string).collect();
            let _ = write!(text, "--- refused\n{}\n", lines.join("\n"));
        }
    }
    text
}

/// One golden file for the change of one table.
macro_rules! golden {
    ($name:ident, $before:expr, $after:expr) => {
        #[test]
        fn $name() {
            let told = told(&[$before], &[], &[$after], &[]);
            insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(told) });
        }
    };
}

golden!(
    a_column_is_added,
    events(),
    changed(|table| {
        let mut country = fixture::column("country", "LowCardinality(String)");
        country.default = Some(default(DefaultKind::Default, "'unknown'"));
        country.comment = Some("Where the event's user is".to_owned());
        table.columns.insert(2, country);
        table.columns.insert(0, fixture::column("tenant", "UInt16"));
    })
);
golden!(
    a_nested_column_is_added_whole,
    events(),
    changed(|table| table.columns.insert(3, fixture::column("lines", "Nested(product String, count UInt32)")))
);
golden!(
    a_column_is_dropped_where_the_code_says_so,
    events(),
    changed(|table| {
        table.columns.remove(4);
        table.dropped = vec!["note".to_owned()];
    })
);
golden!(a_column_that_is_gone_is_refused, events(), changed(|table| drop(table.columns.remove(4))));
golden!(
    a_column_that_may_be_renamed_is_refused_with_its_new_name,
    events(),
    changed(|table| column(table, "note").name = "remark".to_owned())
);
golden!(
    a_column_is_renamed_where_the_code_says_so,
    events(),
    changed(|table| {
        column(table, "note").name = "remark".to_owned();
        column(table, "remark").renamed_from = Some("note".to_owned());
    })
);
golden!(
    a_column_of_the_sorting_key_is_renamed_by_a_new_table,
    events(),
    changed(|table| {
        column(table, "id").name = "eventId".to_owned();
        column(table, "eventId").renamed_from = Some("id".to_owned());
        table.order_by = vec!["eventId".to_owned()];
    })
);
golden!(
    a_type_is_widened,
    events(),
    changed(|table| column(table, "amount").data_type = "Nullable(UInt64)".parse().expect("a type"))
);
golden!(
    a_type_that_is_narrowed_is_refused,
    events(),
    changed(|table| column(table, "amount").data_type = "UInt8".parse().expect("a type"))
);
golden!(
    a_type_is_narrowed_where_the_code_says_so,
    events(),
    changed(|table| {
        for (name, data_type) in
            [("amount", "UInt8"), ("note", "String"), ("at", "DateTime"), ("userId", "Enum8('a' = 1, 'it\\'s' = 2)")]
        {
            column(table, name).data_type = data_type.parse().expect("a type");
            column(table, name).narrowed = true;
        }
    })
);
golden!(
    a_type_that_nobody_can_compare_is_refused,
    events(),
    changed(|table| column(table, "note").data_type = "Array(String)".parse().expect("a type"))
);
golden!(
    a_type_of_the_sorting_key_is_widened_by_a_new_table,
    events(),
    changed(|table| column(table, "id").data_type = "LowCardinality(String)".parse().expect("a type"))
);
golden!(
    a_type_is_widened_under_an_index_and_projections,
    changed(|table| {
        table.indexes = vec![index()];
        let all = Projection { name: "all".to_owned(), query: "SELECT * ORDER BY at".to_owned() };
        table.projections = vec![projection(), all];
    }),
    changed(|table| {
        table.indexes = vec![index()];
        let all = Projection { name: "all".to_owned(), query: "SELECT * ORDER BY at".to_owned() };
        table.projections = vec![projection(), all];
        column(table, "amount").data_type = "UInt64".parse().expect("a type");
    })
);
golden!(
    defaults_change,
    changed(|table| {
        column(table, "amount").default = Some(default(DefaultKind::Materialized, "length(id)"));
        column(table, "note").default = Some(default(DefaultKind::Default, "'none'"));
    }),
    changed(|table| {
        column(table, "amount").default = Some(default(DefaultKind::Default, "1"));
        column(table, "userId").default = Some(default(DefaultKind::Default, "'nobody'"));
    })
);
golden!(
    computed_columns_change,
    changed(|table| {
        column(table, "note").default = Some(default(DefaultKind::Alias, "id"));
        column(table, "amount").default = Some(default(DefaultKind::Alias, "1"));
    }),
    changed(|table| {
        column(table, "note").default = Some(default(DefaultKind::Alias, "upper(id)"));
    })
);
golden!(
    a_stored_column_that_becomes_computed_is_refused,
    events(),
    changed(|table| column(table, "note").default = Some(default(DefaultKind::Alias, "id")))
);
golden!(
    a_stored_column_becomes_computed_where_the_code_says_so,
    events(),
    changed(|table| {
        column(table, "note").default = Some(default(DefaultKind::Ephemeral, ""));
        column(table, "note").narrowed = true;
    })
);
golden!(
    codec_ttl_and_comment_of_a_column_come,
    events(),
    changed(|table| {
        let amount = column(table, "amount");
        amount.codec = Some("T64, ZSTD".to_owned());
        amount.ttl = Some("toDateTime(at) + INTERVAL 1 YEAR".to_owned());
        amount.comment = Some("In cents; it's never\nnegative".to_owned());
    })
);
golden!(
    codec_ttl_and_comment_of_a_column_go,
    changed(|table| {
        let amount = column(table, "amount");
        amount.codec = Some("T64, ZSTD".to_owned());
        amount.ttl = Some("toDateTime(at) + INTERVAL 1 YEAR".to_owned());
        amount.comment = Some("In cents".to_owned());
    }),
    events()
);
golden!(columns_are_moved, events(), changed(|table| table.columns.swap(1, 4)));
golden!(
    ttl_settings_and_comment_of_a_table_come,
    events(),
    changed(|table| {
        table.ttl = Some("toDateTime(at) + INTERVAL 90 DAY".to_owned());
        table.settings.insert("ttl_only_drop_parts".to_owned(), "1".to_owned());
        table.comment = Some("What happened".to_owned());
    })
);
golden!(
    ttl_settings_and_comment_of_a_table_go,
    changed(|table| {
        table.ttl = Some("toDateTime(at) + INTERVAL 90 DAY".to_owned());
        table.settings.insert("ttl_only_drop_parts".to_owned(), "1".to_owned());
        table.comment = Some("What happened".to_owned());
    }),
    events()
);
golden!(
    a_setting_that_a_table_has_for_life_takes_a_new_table,
    events(),
    changed(|table| drop(table.settings.insert("index_granularity".to_owned(), "1024".to_owned())))
);
golden!(
    indexes_projections_and_constraints_come,
    events(),
    changed(|table| {
        table.indexes = vec![index()];
        table.projections = vec![projection()];
        table.constraints = vec![constraint()];
    })
);
golden!(
    indexes_projections_and_constraints_change_and_go,
    changed(|table| {
        table.indexes = vec![index()];
        table.projections = vec![projection()];
        table.constraints = vec![constraint()];
    }),
    changed(|table| table.indexes = vec![Index { granularity: 1, ..index() }])
);
golden!(
    another_sorting_key_takes_a_new_table,
    events(),
    changed(|table| {
        table.order_by = vec!["userId".to_owned(), "id".to_owned()];
        table.primary_key = vec!["userId".to_owned()];
        column(table, "note").default = Some(default(DefaultKind::Materialized, "upper(id)"));
    })
);
golden!(
    another_partition_and_sample_key_take_a_new_table,
    events(),
    changed(|table| {
        table.partition_by = Some("toYYYYMM(at)".to_owned());
        table.order_by = vec!["amount".to_owned()];
        table.sample_by = Some("amount".to_owned());
    })
);
golden!(
    another_engine_takes_a_new_table,
    events(),
    changed(|table| {
        table.engine = EngineKind::ReplacingMergeTree { version: Some("amount".to_owned()), is_deleted: None }.into();
    })
);
golden!(the_hidden_columns_come, changed(|table| table.provenance = false), events());
golden!(the_hidden_columns_go, events(), changed(|table| table.provenance = false));
golden!(
    a_table_is_renamed_where_the_code_says_so,
    events(),
    changed(|table| {
        table.name = "actions".to_owned();
        table.renamed_from = Some("events".to_owned());
        table.columns.push(fixture::column("more", "String"));
    })
);
golden!(a_table_that_is_gone_is_refused, events(), fixture::table("other"));
golden!(
    a_table_on_a_cluster_takes_a_new_table_on_all_its_servers,
    changed(|table| {
        table.cluster = Some("main".to_owned());
        table.engine = Engine { kind: EngineKind::MergeTree, replication: Replication::Default };
    }),
    changed(|table| {
        table.cluster = Some("main".to_owned());
        table.engine = Engine { kind: EngineKind::MergeTree, replication: Replication::Default };
        table.order_by = vec!["userId".to_owned()];
    })
);
golden!(
    a_table_comes_onto_a_cluster,
    events(),
    changed(|table| {
        table.cluster = Some("main".to_owned());
        table.columns.push(fixture::column("more", "String"));
    })
);
golden!(
    a_new_table_at_the_same_path_in_keeper_is_refused,
    changed(|table| table.engine.replication = replicas()),
    changed(|table| {
        table.engine.replication = replicas();
        table.order_by = vec!["userId".to_owned()];
    })
);

fn replicas() -> Replication {
    Replication::At { path: "/tables/{shard}/events".to_owned(), replica: "{replica}".to_owned() }
}

#[test]
fn tables_come_and_go() {
    let kept = ["events__old_3".to_owned()];
    let dropped = ["audit".to_owned(), "events__old_3".to_owned(), "long_gone".to_owned()];
    insta::assert_snapshot!(told(
        &[events(), fixture::table("audit")],
        &kept,
        &[events(), fixture::table("more")],
        &dropped
    ));
}

#[test]
fn what_does_not_change_has_no_changes_and_old_words_mean_nothing() {
    let mut said = events();
    said.renamed_from = Some("actions".to_owned());
    said.dropped = vec!["gone".to_owned()];
    column(&mut said, "note").renamed_from = Some("remark".to_owned());
    column(&mut said, "amount").narrowed = true;
    let before = [events()];
    let changes = diff(Recorded { tables: &before, kept: &[] }, Declared { tables: &[said], dropped: &[] });
    assert_eq!(changes, Ok(Vec::new()));
    assert!(plan(&[], 1).is_empty());
}

#[test]
fn a_field_keeps_the_name_that_records_on_their_way_have() {
    let named = |names: &[&str]| {
        let mut table = events();
        column(&mut table, "note").json = names.iter().map(|&name| name.to_owned()).collect();
        table
    };
    let diff = |before: &Table, after: Table| {
        let before = [before.recordable()];
        diff(Recorded { tables: &before, kept: &[] }, Declared { tables: &[after], dropped: &[] })
    };
    let told = |refused: Result<Vec<TableChange>, Vec<Refusal>>| refused.expect_err("refused")[0].to_string();
    let before = named(&["note", "words"]);
    let text = told(diff(&before, named(&["remark"])));
    assert!(text.ends_with("would be lost: write `#[serde(alias = \"note\")]` on the field"), "{text}");
    // An alias is not the field's own name: it may be removed when no client uses it any more.
    assert_eq!(diff(&before, named(&["remark", "note"])), Ok(Vec::new()));
    assert_eq!(diff(&named(&["note"]), named(&["note"])), Ok(Vec::new()));
    // In a schema recorded before names were kept they are unknown.
    assert_eq!(diff(&events(), named(&["remark"])), Ok(Vec::new()));
    let mut renamed = named(&["remark"]);
    column(&mut renamed, "note").name = "remark".to_owned();
    let text = told(diff(&before, renamed.clone()));
    assert!(
        text.ends_with("write `#[olap(renamed_from = \"note\")]` and `#[serde(alias = \"note\")]` on that field"),
        "{text}"
    );
    column(&mut renamed, "remark").renamed_from = Some("note".to_owned());
    assert!(told(diff(&before, renamed)).contains("call the field of column `remark` `note`"));
}

#[test]
fn renames_that_meet_something_are_refused() {
    let both = changed(|table| {
        let mut other = fixture::column("remark", "Nullable(String)");
        other.renamed_from = Some("note".to_owned());
        table.columns.push(other);
    });
    let twice = changed(|table| {
        table.columns.remove(4);
        for name in ["remark", "words"] {
            let mut other = fixture::column(name, "Nullable(String)");
            other.renamed_from = Some("note".to_owned());
            table.columns.push(other);
        }
    });
    let table = Table { renamed_from: Some("events".to_owned()), ..fixture::table("actions") };
    let refused = |after: &[Table]| {
        let before = [events()];
        let refusals = diff(Recorded { tables: &before, kept: &[] }, Declared { tables: after, dropped: &[] });
        refusals.expect_err("refused").first().map(ToString::to_string).unwrap_or_default()
    };
    assert!(refused(&[both]).contains("`note` can't be renamed to `remark`: a column `note` is declared too"));
    assert!(refused(&[twice]).contains("another column says that it was `note`"));
    assert!(
        refused(&[events(), table])
            .contains("`events` can't be renamed to `actions`: a table `events` is declared too")
    );
}
