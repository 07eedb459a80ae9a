//! Tests of what the build script leaves behind.

use super::*;
use crate::declare::{IngestPipeline, OlapTable, Resource, fixture::Event};

static EVENTS: IngestPipeline<Event> = IngestPipeline::new("events").ingest_api(true).stream(true).table(true);
static AUDIT: OlapTable<Event> = OlapTable::new("audit");
static OTHER_AUDIT: OlapTable<Event> = OlapTable::new("audit");

fn model(resources: &[&'static dyn Resource]) -> Model {
    Model::of(resources).expect("the declarations are right")
}

#[test]
fn the_ddl_of_all_tables_can_be_run_as_it_stands() {
    insta::assert_snapshot!(statements(&model(&[&EVENTS, &AUDIT])));
}

#[test]
fn cargo_is_told_where_the_schema_is_and_reads_no_directive_in_the_ddl() {
    let sql = statements(&model(&[&EVENTS]));
    let text = directives("cargo::rerun-if-changed=Cargo.toml\n", Path::new("/out/moose-schema.json"), &sql);
    let told: Vec<_> = text.lines().filter(|line| line.starts_with("cargo:")).collect();
    assert_eq!(
        told[..2],
        ["cargo::rerun-if-changed=Cargo.toml", "cargo::rustc-env=MOOSE_SCHEMA=/out/moose-schema.json"]
    );
    assert!(told[2..].iter().all(|line| line.starts_with("cargo::warning=")), "{told:?}");
    assert!(text.ends_with(&sql));
}

#[test]
fn every_mistake_is_an_error_line_of_cargo() {
    let errors = Model::of(&[&AUDIT, &OTHER_AUDIT, &EVENTS, &EVENTS]).expect_err("names occur twice");
    let count = errors.errors.len();
    let outcome = Outcome::failed(&BuildError::from(errors));
    assert!(outcome.failed);
    assert_eq!(outcome.text.lines().count(), count);
    assert!(outcome.text.lines().all(|line| line.starts_with("cargo::error=two ")), "{}", outcome.text);
}
