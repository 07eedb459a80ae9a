//! Tests of which flaws the facts about a table amount to, including facts that the embedded engine can't produce.

use std::collections::{BTreeMap, HashSet};

use uuid::Uuid;

use super::{
    Effect, Flaw, Promise, Report, TableReport, judge,
    seen::{Grants, Seen},
};
use crate::{
    clickhouse::{TableFacts, TableState, ViewFacts, ViewTarget},
    schema::{ActualColumn, DefaultKind, Storage, Table, fixture},
};

fn declared() -> Table {
    Table { columns: vec![fixture::column("id", "UInt64")], ..fixture::table("t") }
}

fn settings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn column(name: &str, data_type: &str, default_kind: Option<DefaultKind>) -> ActualColumn {
    ActualColumn { name: name.to_owned(), data_type: data_type.to_owned(), default_kind }
}

/// A table without flaws.
fn faultless() -> TableFacts {
    let hidden = Some(DefaultKind::Materialized);
    TableFacts {
        state: TableState {
            uuid: Uuid::from_u128(1),
            engine: "MergeTree".to_owned(),
            columns: vec![
                column("id", "UInt64", None),
                column("_stream_epoch", "UInt64", hidden),
                column("_stream_partition", "UInt16", hidden),
                column("_stream_offset", "UInt64", hidden),
            ],
            has_views: false,
        },
        settings: settings(&[
            ("non_replicated_deduplication_window", "100000"),
            ("replicated_deduplication_window", "100000"),
            ("replicated_deduplication_window_seconds", "604800"),
            ("fsync_after_insert", "1"),
            ("async_insert", "0"),
        ]),
        partition_key: String::new(),
        partition_defaults: Vec::new(),
        has_ttl: false,
        views: Vec::new(),
        row_policies: Some(Vec::new()),
    }
}

fn judged(declared: &Table, facts: TableFacts, grants: Grants, lacks: &[&str]) -> TableReport {
    judged_on(Storage::Server, declared, facts, grants, lacks)
}

fn judged_on(storage: Storage, declared: &Table, facts: TableFacts, grants: Grants, lacks: &[&str]) -> TableReport {
    let mut server: HashSet<String> = [
        "insert_deduplication_token",
        "insert_deduplicate",
        "deduplicate_blocks_in_dependent_materialized_views",
        "insert_allow_materialized_columns",
    ]
    .map(str::to_owned)
    .into();
    for setting in lacks {
        server.remove(*setting);
    }
    let seen = Seen { storage, declared, server: &server, facts: Some(facts), grants };
    TableReport { table: declared.name.clone(), flaws: judge::flaws(&seen) }
}

fn with(change: impl FnOnce(&mut TableFacts)) -> TableReport {
    let mut facts = faultless();
    change(&mut facts);
    judged(&declared(), facts, Grants::default(), &[])
}

fn view(engine: &str, window: &str) -> ViewFacts {
    let settings = settings(&[("non_replicated_deduplication_window", window)]);
    let target = ViewTarget { table: "m.c".to_owned(), engine: engine.to_owned(), settings };
    ViewFacts { view: "m.v".to_owned(), target: Some(target) }
}

#[test]
fn a_table_with_both_nets_is_written_exactly_once() {
    let report = with(|_| {});
    assert_eq!((report.promise(), report.flaws), (Promise::ExactlyOnce, Vec::new()));
}

#[test]
fn every_flaw_that_weakens_the_promise_does() {
    let weak: [(&str, TableReport); 8] = [
        ("no window", with(|facts| drop(facts.settings.remove("non_replicated_deduplication_window")))),
        (
            "small",
            with(|facts| {
                facts.settings.insert("non_replicated_deduplication_window".to_owned(), "9999".to_owned());
            }),
        ),
        ("async", with(|facts| drop(facts.settings.insert("async_insert".to_owned(), "true".to_owned())))),
        ("policy", with(|facts| facts.row_policies = Some(vec!["p ON m.t".to_owned()]))),
        (
            "key",
            with(|facts| {
                facts.partition_key = "toDate(at)".to_owned();
                facts.partition_defaults = vec![("at".to_owned(), "NOW()".to_owned())];
            }),
        ),
        ("view", with(|facts| facts.views = vec![view("MergeTree", "0")])),
        ("view engine", with(|facts| facts.views = vec![view("Memory", "0")])),
        ("engine", with(|facts| facts.state.engine = "Buffer".to_owned())),
    ];
    for (name, report) in weak {
        assert!(matches!(report.promise(), Promise::AtLeastOnce(reasons) if reasons.len() == 1), "{name}: {report:?}");
        assert!(!report.is_blocked(), "{name}");
    }
}

#[test]
fn a_partition_key_over_what_is_sent_or_follows_from_it_is_none_of_them() {
    let report = with(|facts| {
        facts.partition_key = "(id % 8, day)".to_owned();
        facts.partition_defaults =
            vec![("id".to_owned(), "now()".to_owned()), ("day".to_owned(), "toDate(id)".to_owned())];
    });
    assert_eq!(report.flaws, []);
}

#[test]
fn the_token_alone_can_lose_a_range_unless_it_is_committed_with_the_rows() {
    let collapsing = |engine: &str| with(|facts| facts.state.engine = engine.to_owned());
    assert!(matches!(collapsing("ReplacingMergeTree").promise(), Promise::MayLose(_)));
    assert_eq!(collapsing("ReplicatedReplacingMergeTree").promise(), Promise::ExactlyOnce);
    let bare = Table { provenance: false, ..declared() };
    let mut facts = faultless();
    facts.state.columns.truncate(1);
    let report = judged(&bare, facts, Grants::default(), &[]);
    assert!(matches!(report.promise(), Promise::MayLose(_)), "{report:?}");
}

#[test]
fn on_the_embedded_engine_the_token_alone_loses_nothing() {
    let mut facts = faultless();
    facts.state.engine = "ReplacingMergeTree".to_owned();
    let report = judged_on(Storage::Embedded, &declared(), facts, Grants::default(), &[]);
    assert!(matches!(report.promise(), Promise::AtLeastOnce(_)), "{report:?}");
    let bare = Table { provenance: false, ..declared() };
    let mut facts = faultless();
    facts.state.columns.truncate(1);
    let report = judged_on(Storage::Embedded, &bare, facts, Grants::default(), &[]);
    let Promise::AtLeastOnce(reasons) = report.promise() else { panic!("{report:?}") };
    assert!(reasons[0].contains("power failure"), "{reasons:?}");
}

#[test]
fn on_replicas_the_age_of_tokens_counts_where_the_table_can_not_be_asked() {
    let short = |views: Vec<ViewFacts>| {
        with(|facts| {
            facts.state.engine = "ReplicatedMergeTree".to_owned();
            facts.settings.insert("replicated_deduplication_window_seconds".to_owned(), "3600".to_owned());
            facts.views = views;
        })
    };
    assert_eq!(short(Vec::new()).promise(), Promise::ExactlyOnce);
    assert!(matches!(short(vec![view("MergeTree", "100000")]).promise(), Promise::AtLeastOnce(_)));
}

#[test]
fn a_setting_that_the_server_lacks_counts_where_it_is_needed() {
    let lacking = |setting| judged(&declared(), faultless(), Grants::default(), &[setting]);
    assert!(matches!(lacking("insert_deduplication_token").promise(), Promise::AtLeastOnce(_)));
    assert_eq!(lacking("deduplicate_blocks_in_dependent_materialized_views").flaws, []);
    assert!(lacking("insert_allow_materialized_columns").is_blocked());
}

#[test]
fn a_privilege_that_is_missing_blocks_and_one_that_can_not_be_asked_for_does_not() {
    let asked = |grants| judged(&declared(), faultless(), grants, &[]);
    assert!(asked(Grants { insert: Some(false), ..Grants::default() }).is_blocked());
    assert!(asked(Grants { probe: Some(false), ..Grants::default() }).is_blocked());
    assert_eq!(asked(Grants { insert: Some(true), probe: Some(true), mend: Some(false) }).flaws, []);
    assert_eq!(asked(Grants::default()).flaws, []);
}

#[test]
fn columns_block_only_where_they_prevent_an_insert() {
    let more = with(|facts| facts.state.columns.push(column("new", "String", None)));
    assert!(matches!(more.flaws.as_slice(), [Flaw::ColumnsVary { .. }]) && !more.is_blocked());
    let other = with(|facts| facts.state.columns[0].data_type = "UInt8".to_owned());
    assert!(matches!(other.flaws.as_slice(), [Flaw::ColumnsDiffer { .. }]) && other.is_blocked());
}

#[test]
fn what_the_promise_leaves_out_is_said_and_does_not_weaken_it() {
    let report = with(|facts| {
        facts.has_ttl = true;
        facts.row_policies = None;
        facts.settings.remove("fsync_after_insert");
        facts.views = vec![view("MergeTree", "100000"), ViewFacts { view: "m.w".to_owned(), target: None }];
    });
    assert_eq!(report.promise(), Promise::ExactlyOnce);
    assert!(report.flaws.iter().all(|flaw| flaw.effect() == Effect::Note));
    assert_eq!(report.flaws.len(), 5, "{:?}", report.flaws);
}

#[test]
fn one_message_has_every_table_with_its_promise_and_the_reasons() {
    let tables = vec![with(|_| {}), with(|facts| drop(facts.settings.remove("non_replicated_deduplication_window")))];
    insta::assert_snapshot!(Report { tables }, @r"
    what is promised for each table:
      t: exactly once
      t: at least once, not exactly once
        may repeat: `non_replicated_deduplication_window` is 0: the table remembers no tokens, so an INSERT that is sent again while the first still runs is stored twice; set it with ALTER TABLE t MODIFY SETTING non_replicated_deduplication_window = 100000
    ");
}
