//! Tests of the comparison between build script and binary.

use super::*;
use crate::declare::{IngestApi, IngestPipeline, OlapTable, Resource, Stream, fixture::Event};

static EVENTS: IngestPipeline<Event> =
    IngestPipeline::new("events").ingest_api(true).stream_with(Stream::new("events").partitions(2)).table(true);
static EVENTS_IN_ORDER: IngestPipeline<Event> = IngestPipeline::new("events")
    .ingest_api(true)
    .stream_with(Stream::new("events").partitions(2))
    .table_with(OlapTable::new("events").order_by(&["userId"]));
static AUDIT: OlapTable<Event> = OlapTable::new("audit");
static API: IngestApi<Event> = IngestApi::new("more_events").destination(&EVENTS.stream);

fn schema(resources: &[&'static dyn Resource], module: &str) -> LinkedSchema {
    let mut schema = LinkedSchema::of(&Model::of(resources).expect("the declarations are right"));
    schema.tables.iter_mut().for_each(|it| it.module = Some(module.to_owned()));
    schema.streams.iter_mut().for_each(|it| it.module = Some(module.to_owned()));
    schema.apis.iter_mut().for_each(|it| it.module = Some(module.to_owned()));
    schema
}

fn compared(built: &LinkedSchema, linked: &LinkedSchema) -> Vec<String> {
    let json = serde_json::to_string(built).expect("a schema is JSON");
    match compare(&json, linked) {
        Ok(()) => Vec::new(),
        Err(error) => error.to_string().lines().map(str::to_owned).collect(),
    }
}

#[test]
fn the_layout_of_the_file() {
    let json = serde_json::to_string_pretty(&schema(&[&EVENTS, &API], "app::pipelines")).expect("a schema is JSON");
    insta::assert_snapshot!(json);
}

#[test]
fn the_same_declarations_agree_wherever_their_module_is_compiled() {
    let built = schema(&[&EVENTS, &API], "build_script_build::pipelines");
    assert_eq!(compared(&built, &schema(&[&EVENTS, &API], "app::pipelines")), [""; 0]);
}

#[test]
fn what_is_not_linked_is_told_with_the_line_that_links_it() {
    assert_eq!(
        compared(&schema(&[&EVENTS, &AUDIT], "schema::tables"), &schema(&[&EVENTS], "app")),
        ["table `audit` is not linked into this binary: add `use schema as _;` to main.rs"]
    );
    assert_eq!(
        compared(&schema(&[&EVENTS, &AUDIT], "build_script_build::pipelines::audit"), &schema(&[&EVENTS], "app")),
        ["table `audit` is not linked into this binary: add `mod pipelines;` to main.rs"]
    );
    assert_eq!(
        compared(&schema(&[&EVENTS, &AUDIT], "build_script_build"), &schema(&[&EVENTS], "app")),
        ["table `audit` is not linked into this binary: add the module that declares it to main.rs"]
    );
}

#[test]
fn what_the_build_script_did_not_see_is_told() {
    assert_eq!(
        compared(&schema(&[&EVENTS], "build_script_build::pipelines"), &schema(&[&EVENTS, &API], "app::late")),
        ["API `more_events` of `app::late` is in this binary, and the build script did not see it: name its module \
             or crate in build.rs as main.rs does"]
    );
}

#[test]
fn what_both_have_and_declare_otherwise_is_told() {
    assert_eq!(
        compared(&schema(&[&EVENTS], "a"), &schema(&[&EVENTS_IN_ORDER], "a")),
        ["table `events` has another `order_by` in this binary than the build script saw: nothing but \
             `cfg(feature = …)` may guard a declaration"]
    );
}

#[test]
fn everything_is_told_at_once() {
    assert_eq!(compared(&schema(&[&EVENTS], "schema"), &schema(&[&AUDIT], "app")).len(), 4);
}

#[test]
fn the_output_of_another_version_is_refused() {
    let error = compare(r#"{"version": 2, "tables": "elsewhere"}"#, &schema(&[&EVENTS], "app")).expect_err("layout 2");
    assert!(matches!(error, BuildMismatch::Version { found: 2, expected: 1 }), "{error}");
    for json in ["", "{}", r#"{"version": 1}"#] {
        let error = compare(json, &schema(&[&EVENTS], "app")).expect_err("no schema");
        assert!(matches!(error, BuildMismatch::Unreadable { .. }), "{error}");
    }
}
