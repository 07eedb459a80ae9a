//! What becomes of records that were accepted before a change and are stored after it: the rows of the table in
//! `docs/migrations.md` that are decided by how the new record decodes them.
//!
//! Each time an old pipeline accepts two records while ClickHouse is away and stops; the plan is carried out; and a new
//! pipeline finds the records in the stream, decodes them by its own type, and stores them or says why not.

use moose_runtime::{
    declare::Resource,
    internal::{
        declare::Model,
        migration::{Action, Draft, Migration, Migrations, RecordedSchema, Saved},
        schema::{Constraint, ConstraintKind, Table},
    },
    prelude::*,
};
use moose_tests::{http, wait::eventually};

use crate::stage::{LATE, SOON, Stage, ingest};

#[derive(OlapRecord)]
struct Order {
    #[key]
    id: u64,
    amount: u32,
    note: String,
}

static OLD: IngestPipeline<Order> = IngestPipeline::new("orders").ingest_api(true).stream(true).table(true);

/// A new pipeline of the same name over another record.
macro_rules! orders {
    ($name:ident: $record:ident) => {
        static $name: IngestPipeline<$record> = IngestPipeline::new("orders").ingest_api(true).stream(true).table(true);
    };
}

/// Carries two records, with the amounts 7 and 300, over the change from [`OLD`] to `new`, and compares what `query` gives
/// and whose records are dead letters, each with a piece of the reason.
async fn carry(
    new: &'static dyn Resource,
    words: impl FnOnce(&mut Table),
    query: &str,
    rows: &str,
    letters: &[(u64, &str)],
) {
    carry_from(&OLD, new, words, query, rows, letters).await;
}

/// The same from another old one.
async fn carry_from(
    old: &'static dyn Resource,
    new: &'static dyn Resource,
    words: impl FnOnce(&mut Table),
    query: &str,
    rows: &str,
    letters: &[(u64, &str)],
) {
    let stage = Stage::new().await;
    let app = stage.start(&[old]).await;
    let url = ingest(&app, "orders");
    let answer = http::post_json(&url, r#"{"id":0,"amount":1,"note":"before"}"#).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    stage.shows("SELECT count() FROM orders", "1", SOON).await;
    stage.proxy.close_door();
    let records = "{\"id\":1,\"amount\":7,\"note\":\"a\"}\n{\"id\":2,\"amount\":300,\"note\":\"b\"}\n";
    let answer = http::post(&url, "application/x-ndjson", records).await;
    assert_eq!(answer.text(), r#"{"accepted":2}"#);
    app.stop().await.expect("an orderly stop");

    stage.bring_along(old, new, words).await;
    stage.proxy.open_door();
    eventually(SOON, || async { tokio::net::TcpStream::connect(stage.proxy.address()).await.map(drop) }).await;
    let app = stage.start(&[new]).await;
    let metrics = format!("http://{}/metrics", app.management_address());
    eventually(LATE, || async {
        let text = http::get(&metrics).await.text();
        let is_through = text.contains("moose_lag_records{stream=\"orders\",table=\"orders\",partition=\"0\"} 0\n");
        if is_through { Ok(()) } else { Err(format!("{:?}", app.health().failures())) }
    })
    .await;
    stage.shows(query, rows, SOON).await;
    app.stop().await.expect("an orderly stop");
    let found = stage.dead_letters().await;
    let told: Vec<_> = found.iter().map(|letter| (&letter.payload, &letter.details.reason)).collect();
    assert_eq!(found.len(), letters.len(), "{told:?}");
    for (letter, (id, reason)) in found.iter().zip(letters) {
        let record: serde_json::Value = serde_json::from_slice(&letter.payload).expect("the record as it came");
        assert_eq!(record["id"], *id, "{told:?}");
        let why = format!("{} {:?}", letter.details.reason, letter.details.errors);
        assert!(why.contains(reason), "no `{reason}` in {why}");
    }
}

impl Stage {
    /// Carries out what a build would have planned between the two declarations.
    async fn bring_along(
        &self,
        old: &'static dyn Resource,
        new: &'static dyn Resource,
        words: impl FnOnce(&mut Table),
    ) {
        let mut after = table(new);
        words(&mut after);
        let draft = Draft::of(&recorded(old), &[after], &[]).expect("nothing is refused").expect("something changes");
        let migration = Migration::parse("0002_change.sql", &draft.sql()).expect("a migration");
        for step in migration.steps() {
            if let Action::Statement(statement) = &step.action {
                http::sql(&format!("{}&mutations_sync=2", self.url()), statement).await;
            }
        }
    }
}

fn table(resource: &'static dyn Resource) -> Table {
    let model = Model::of(&[resource]).expect("the declaration is right");
    model.tables.first().expect("a table").table.clone()
}

/// Migrations that lead to a declaration.
fn recorded(declared: &'static dyn Resource) -> Migrations {
    let saved_with = Saved { number: 1, name: "first".to_owned() };
    let version = RecordedSchema::VERSION;
    let schema = RecordedSchema { version, saved_with, tables: vec![table(declared).recordable()], kept: Vec::new() };
    let first = Migration::parse("0001_first.sql", "").expect("a migration");
    Migrations::of(vec![first], Some(schema)).expect("right")
}

fn column<'a>(table: &'a mut Table, name: &str) -> &'a mut moose_runtime::internal::schema::Column {
    table.columns.iter_mut().find(|column| column.name == name).expect("the column")
}

fn unsaid(_: &mut Table) {}

const ALL: &str = "SELECT groupArray(id) FROM (SELECT id FROM orders ORDER BY id)";

#[tokio::test]
async fn a_new_column_that_may_be_missing_is_null() {
    #[derive(OlapRecord)]
    struct New {
        #[key]
        id: u64,
        amount: u32,
        note: String,
        country: Option<String>,
    }
    orders!(NEW: New);
    let query = "SELECT count(), countIf(isNull(country)) FROM orders";
    carry(&NEW, unsaid, query, "3\t3", &[]).await;
}

#[tokio::test]
async fn a_new_column_with_a_default_has_it() {
    #[derive(OlapRecord)]
    struct New {
        #[key]
        id: u64,
        amount: u32,
        note: String,
        #[serde(default)]
        country: String,
    }
    orders!(NEW: New);
    carry(&NEW, unsaid, "SELECT count(), countIf(country = '') FROM orders", "3\t3", &[]).await;
}

#[tokio::test]
async fn a_new_column_that_must_be_given_makes_dead_letters() {
    #[derive(OlapRecord)]
    struct New {
        #[key]
        id: u64,
        amount: u32,
        note: String,
        country: String,
    }
    orders!(NEW: New);
    carry(&NEW, unsaid, ALL, "[0]", &[(1, "country"), (2, "country")]).await;
}

#[tokio::test]
async fn a_wider_type_takes_all() {
    #[derive(OlapRecord)]
    struct New {
        #[key]
        id: u64,
        amount: u64,
        note: String,
    }
    orders!(NEW: New);
    carry(&NEW, unsaid, "SELECT sum(amount), any(toTypeName(amount)) FROM orders", "308\tUInt64", &[]).await;
}

#[tokio::test]
async fn a_narrower_type_takes_what_fits_and_makes_a_dead_letter_of_the_rest() {
    #[derive(OlapRecord)]
    struct New {
        #[key]
        id: u64,
        amount: u8,
        note: String,
    }
    orders!(NEW: New);
    let narrowed = |table: &mut Table| column(table, "amount").narrowed = true;
    carry(&NEW, narrowed, ALL, "[0,1]", &[(2, "amount")]).await;
}

#[tokio::test]
async fn a_renamed_field_is_known_by_its_alias() {
    #[derive(OlapRecord)]
    struct New {
        #[key]
        id: u64,
        amount: u32,
        #[serde(alias = "note")]
        remark: String,
    }
    orders!(NEW: New);
    let renamed = |table: &mut Table| column(table, "remark").renamed_from = Some("note".to_owned());
    let query = "SELECT groupArray(remark) FROM (SELECT remark FROM orders ORDER BY id)";
    carry(&NEW, renamed, query, "['before','a','b']", &[]).await;
}

#[tokio::test]
async fn a_renamed_field_that_may_be_missing_keeps_what_is_on_its_way() {
    #[derive(OlapRecord)]
    struct Before {
        #[key]
        id: u64,
        amount: u32,
        note: Option<String>,
    }
    #[derive(OlapRecord)]
    struct New {
        #[key]
        id: u64,
        amount: u32,
        #[serde(alias = "note")]
        #[olap(renamed_from = "note")]
        remark: Option<String>,
    }
    orders!(BEFORE: Before);
    orders!(NEW: New);
    let query = "SELECT groupArray(remark) FROM (SELECT remark FROM orders ORDER BY id)";
    carry_from(&BEFORE, &NEW, unsaid, query, "['before','a','b']", &[]).await;
}

/// What a build says to the change from [`OLD`] to `new`.
fn refused(new: &'static dyn Resource, words: impl FnOnce(&mut Table)) -> String {
    let mut after = table(new);
    words(&mut after);
    Draft::of(&recorded(&OLD), &[after], &[]).expect_err("it is refused").to_string()
}

#[test]
fn a_field_that_json_calls_otherwise_is_refused_without_its_old_name() {
    #[derive(OlapRecord)]
    struct Renamed {
        #[key]
        id: u64,
        amount: u32,
        #[olap(rename = "remark", renamed_from = "note")]
        remark: Option<String>,
    }
    #[derive(OlapRecord)]
    struct OnlyInJson {
        #[key]
        id: u64,
        amount: u32,
        #[serde(rename = "remark")]
        #[olap(rename = "note")]
        note: String,
    }
    #[derive(OlapRecord)]
    struct OnlyTheColumn {
        #[key]
        id: u64,
        amount: u32,
        #[olap(rename = "remark", renamed_from = "note")]
        note: String,
    }
    #[derive(OlapRecord)]
    struct Unsaid {
        #[key]
        id: u64,
        amount: u32,
        remark: String,
    }
    orders!(RENAMED: Renamed);
    orders!(ONLY_IN_JSON: OnlyInJson);
    orders!(ONLY_THE_COLUMN: OnlyTheColumn);
    orders!(UNSAID: Unsaid);
    let line =
        "call the field of column `remark` `note`, and their value would be lost: write `#[serde(alias = \"note\")]`";
    let widened = |table: &mut Table| column(table, "remark").data_type = "Nullable(String)".parse().expect("a type");
    for text in [refused(&RENAMED, unsaid), refused(&RENAMED, widened)] {
        assert!(text.contains(line), "{text}");
    }
    let text = refused(&ONLY_IN_JSON, unsaid);
    assert!(text.contains("`note` `note`") && text.contains("`#[serde(alias = \"note\")]`"), "{text}");
    let text = refused(&UNSAID, unsaid);
    assert!(text.contains("`#[olap(renamed_from = \"note\")]` and `#[serde(alias = \"note\")]`"), "{text}");
    assert!(Draft::of(&recorded(&OLD), &[table(&ONLY_THE_COLUMN)], &[]).expect("JSON is as it was").is_some());
}

#[tokio::test]
async fn a_field_that_is_gone_is_passed_over() {
    #[derive(OlapRecord)]
    struct New {
        #[key]
        id: u64,
        amount: u32,
    }
    orders!(NEW: New);
    carry(&NEW, |table| table.dropped = vec!["note".to_owned()], ALL, "[0,1,2]", &[]).await;
}

#[tokio::test]
async fn a_field_that_is_gone_makes_dead_letters_where_unknown_ones_are_refused() {
    #[derive(OlapRecord)]
    #[serde(deny_unknown_fields)]
    struct New {
        #[key]
        id: u64,
        amount: u32,
    }
    orders!(NEW: New);
    let dropped = |table: &mut Table| table.dropped = vec!["note".to_owned()];
    carry(&NEW, dropped, ALL, "[0]", &[(1, "note"), (2, "note")]).await;
}

#[tokio::test]
async fn a_new_constraint_makes_a_dead_letter_of_what_it_refuses() {
    orders!(NEW: Order);
    let limited = |table: &mut Table| {
        let expression = "amount < 100".to_owned();
        table.constraints.push(Constraint { name: "sane".to_owned(), kind: ConstraintKind::Check, expression });
    };
    carry(&NEW, limited, ALL, "[0,1]", &[(2, "Constraint")]).await;
}
