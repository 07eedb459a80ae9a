//! Tests of errors that involve several declarations.

use super::*;
use crate::{
    declare::{DroppedTable, IngestApi, IngestPipeline, OlapTable, Stream, fixture::Event},
    pipeline,
};

#[pipeline(crate = "crate")]
static EVENTS: IngestPipeline<Event> = IngestPipeline::new("events")
    .ingest_api(true)
    .stream_with(Stream::new("raw_events").partitions(4).retention_bytes(1 << 30))
    .table_with(OlapTable::new("all_events").order_by(&["userId", "id"]).partition_by("toYYYYMM(at)"));

#[pipeline(crate = "crate")]
static AUDIT_TABLE: OlapTable<Event> =
    OlapTable::new("audit").provenance(false).settings(&[("index_granularity", "1")]);

#[pipeline(crate = "crate")]
static AUDIT_STREAM: Stream<Event> =
    Stream::new("audit").retention(Duration::from_hours(1)).destination(&AUDIT_TABLE).destination(&EVENTS.table);

#[pipeline(crate = "crate")]
static AUDIT_API: IngestApi<Event> = IngestApi::new("audit").destination(&AUDIT_STREAM);

static OTHER_AUDIT: IngestPipeline<Event> = IngestPipeline::new("audit").ingest_api(true).stream(true).table(true);
static OLD: DroppedTable = DroppedTable::new("old");
static NO_AUDIT: DroppedTable = DroppedTable::new("audit");
static UNFINISHED: IngestApi<Event> = IngestApi::new("unfinished");

/// `file:line` of the static, as messages have it.
fn at(resource: &'static dyn Resource) -> String {
    format!("<tests>:{}", place_of(resource).expect("it is registered").line)
}

fn messages(resources: &[&'static dyn Resource]) -> Vec<String> {
    let errors = Model::of(resources).expect_err("the declarations are wrong").errors;
    // The path of this file depends on where the tests are compiled.
    errors.iter().map(|error| error.to_string().replace(file!(), "<tests>")).collect()
}

#[test]
fn a_table_that_may_go_is_no_table_and_may_not_be_declared() {
    let model = Model::of(&[&OLD, &EVENTS]).expect("the declarations are right");
    assert_eq!(model.dropped_tables, ["old"]);
    assert_eq!(model.tables.len(), 1);
    assert!(Model::of(&[&OLD]).is_ok(), "all may go");
    let told = messages(&[&NO_AUDIT, &AUDIT_TABLE]);
    assert!(told.len() == 1 && told[0].starts_with("table `audit` is declared and to be dropped: "), "{told:?}");
}

#[test]
fn the_three_forms_become_one_model_sorted_by_name() {
    let forwards: [&'static dyn Resource; 4] = [&EVENTS, &AUDIT_TABLE, &AUDIT_STREAM, &AUDIT_API];
    let mut backwards = forwards;
    backwards.reverse();
    for resources in [forwards, backwards] {
        let model = Model::of(&resources).expect("the declarations are right");
        let tables: Vec<_> = model.tables.iter().map(|table| table.table.name.as_str()).collect();
        let streams: Vec<_> = model.streams.iter().map(|stream| stream.name.as_str()).collect();
        let apis: Vec<_> = model.apis.iter().map(|api| (api.name.as_str(), api.stream.as_str())).collect();
        assert_eq!(tables, ["all_events", "audit"]);
        assert_eq!(streams, ["audit", "raw_events"]);
        assert_eq!(apis, [("audit", "audit"), ("events", "raw_events")]);
        assert_eq!(model.streams[0].destinations, ["audit", "all_events"]);
        assert_eq!(model.streams[0].retention, Some(Duration::from_hours(1)));
        assert_eq!(model.streams[1].destinations, ["all_events"]);
        assert_eq!((model.streams[1].partitions, model.streams[1].retention_bytes), (4, Some(1 << 30)));
    }
}

#[test]
fn options_of_a_table_are_in_its_schema_and_the_key_is_the_default_order() {
    let model = Model::of(&[&EVENTS, &AUDIT_TABLE]).expect("the declarations are right");
    let (events, audit) = (&model.tables[0].table, &model.tables[1].table);
    assert_eq!(events.order_by, ["userId", "id"]);
    assert_eq!(events.partition_by.as_deref(), Some("toYYYYMM(at)"));
    assert!(events.provenance);
    assert_eq!(audit.order_by, ["id"]);
    assert!(!audit.provenance);
    assert_eq!(audit.settings["index_granularity"], "1");
    let columns: Vec<_> = audit.columns.iter().map(|column| format!("{} {}", column.name, column.data_type)).collect();
    assert_eq!(
        columns,
        ["id String", "userId LowCardinality(String)", "at DateTime64(3, 'UTC')", "note Nullable(String)"]
    );
}

#[test]
fn a_part_that_is_not_asked_for_is_not_there() {
    static QUIET: IngestPipeline<Event> = IngestPipeline::new("quiet").stream(true);
    let model = Model::of(&[&QUIET]).expect("the declaration is right");
    assert_eq!((model.tables.len(), model.streams.len(), model.apis.len()), (0, 1, 0));
    assert!(model.streams[0].destinations.is_empty());
}

#[test]
fn resources_of_one_name_are_told_with_their_places() {
    let unregistered = "a static without `#[pipeline]`";
    assert_eq!(
        messages(&[&OTHER_AUDIT, &AUDIT_TABLE, &AUDIT_STREAM, &EVENTS, &AUDIT_API]),
        [
            format!("two tables are named `audit`: {unregistered} and AUDIT_TABLE ({}); rename one", at(&AUDIT_TABLE)),
            format!(
                "two streams are named `audit`: {unregistered} and AUDIT_STREAM ({}); rename one",
                at(&AUDIT_STREAM)
            ),
            format!(
                "two APIs are at `POST /ingest/audit`: {unregistered} and AUDIT_API ({}); rename one",
                at(&AUDIT_API)
            ),
        ]
    );
}

#[test]
fn destinations_that_are_not_declared_are_told_all_at_once() {
    let (stream, api) = (at(&AUDIT_STREAM), at(&AUDIT_API));
    assert_eq!(
        messages(&[&AUDIT_STREAM, &UNFINISHED]),
        [
            format!(
                "the destination of stream `audit` at {stream}, table `audit`, is not declared: put `#[pipeline]` on its \
                 static"
            ),
            format!(
                "the destination of stream `audit` at {stream}, table `all_events`, is not declared: put `#[pipeline]` \
                 on its static"
            ),
            "API `unfinished` has no stream: add `.destination(&…)`".to_owned(),
        ]
    );
    assert_eq!(
        messages(&[&AUDIT_API]),
        [format!(
            "the destination of API `audit` at {api}, stream `audit`, is not declared: put `#[pipeline]` on its static"
        )]
    );
}

#[test]
fn contradictions_about_former_tables_are_told() {
    static GONE: DroppedTable = DroppedTable::new("gone");
    static ALSO_GONE: DroppedTable = DroppedTable::new("audit");
    static RENAMED: OlapTable<Event> = OlapTable::new("renamed").renamed_from("audit");
    static AGAIN: OlapTable<Event> = OlapTable::new("again").renamed_from("gone");
    assert_eq!(
        messages(&[&AUDIT_TABLE, &GONE, &ALSO_GONE, &RENAMED, &AGAIN]),
        [
            format!(
                "table `audit` is declared and to be dropped: AUDIT_TABLE ({}) and a static without `#[pipeline]`; take \
                 one of them away",
                at(&AUDIT_TABLE)
            ),
            "table `renamed` was renamed from `audit`, and there is a table `audit`: take `.renamed_from` off, or rename \
             the other"
                .to_owned(),
            "table `audit` can't become a dropped one and table `renamed`: it became one table, or it was dropped"
                .to_owned(),
            "table `gone` can't become a dropped one and table `again`: it became one table, or it was dropped".to_owned(),
        ]
    );
}

#[test]
fn the_registered_line_is_that_of_the_static() {
    let line = include_str!("model_tests.rs").lines().position(|line| line.starts_with("static AUDIT_TABLE"));
    let place = place_of(&AUDIT_TABLE).expect("it is registered");
    assert_eq!(Some(place.line as usize), line.map(|index| index + 1));
    assert_eq!((place.name, place.module), ("AUDIT_TABLE", module_path!()));
}

#[test]
fn nothing_declared_is_an_error() {
    assert_eq!(Model::of(&[]).expect_err("nothing").errors, [DeclarationError::Nothing]);
}

#[test]
fn the_registry_holds_what_is_under_the_attribute_and_nothing_else() {
    let names: Vec<_> = registry::all().iter().map(|found| found.place.name).collect();
    for name in ["EVENTS", "AUDIT_TABLE", "AUDIT_STREAM", "AUDIT_API"] {
        assert_eq!(names.iter().filter(|found| **found == name).count(), 1, "{name} in {names:?}");
    }
    assert!(!names.contains(&"UNFINISHED"));
}

#[test]
fn the_hidden_columns_of_the_ddl_are_those_of_the_block() {
    let model = Model::of(&[&EVENTS]).expect("the declaration is right");
    let table = &model.tables[0].table;
    let declared = table.columns.iter().map(|column| schema::ActualColumn {
        name: column.name.clone(),
        data_type: column.data_type.to_string(),
        default_kind: None,
    });
    let sent = crate::record::PROVENANCE_COLUMNS.map(|(name, data_type)| schema::ActualColumn {
        name: name.to_owned(),
        data_type: data_type.to_string(),
        default_kind: Some(schema::DefaultKind::Materialized),
    });
    let actual: Vec<_> = declared.chain(sent).collect();
    assert_eq!(schema::differences(table, &actual), []);
}

#[cfg(feature = "runtime")]
#[test]
fn every_declaration_makes_batches_of_its_record() {
    let resources: [&'static dyn Resource; 4] = [&EVENTS, &AUDIT_TABLE, &AUDIT_STREAM, &AUDIT_API];
    for resource in resources {
        let mut batch = resource.new_batch();
        let mut rejected = Vec::new();
        let record: &[u8] = br#"{"id":"1","userId":"u","at":"2024-01-15T10:30:00Z","note":null}"#;
        batch.decode(&[record], usize::MAX, &mut rejected);
        assert_eq!((batch.rows(), rejected), (1, Vec::new()), "{resource:?}");
    }
}
