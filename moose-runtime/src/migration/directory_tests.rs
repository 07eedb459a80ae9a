//! Tests of reading, ordering and embedding migrations.

use tempfile::TempDir;

use super::*;
use crate::migration::Saved;

fn schema(number: u32, name: &str) -> RecordedSchema {
    RecordedSchema {
        version: RecordedSchema::VERSION,
        saved_with: Saved { number, name: name.to_owned() },
        tables: Vec::new(),
        kept: Vec::new(),
    }
}

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = TempDir::new().expect("a temporary directory");
    for (name, text) in files {
        fs::write(directory.path().join(name), text).expect("a file");
    }
    directory
}

fn error(files: &[(&str, &str)]) -> String {
    Migrations::read(directory(files).path()).expect_err("something is wrong").to_string()
}

fn json(schema: &RecordedSchema) -> String {
    serde_json::to_string(schema).expect("JSON")
}

#[test]
fn files_are_read_in_the_order_of_their_numbers_and_others_are_left_alone() {
    let schema = schema(1, "first");
    let directory = directory(&[
        ("0002_by_hand.sql", "SELECT 2;"),
        ("0001_first.sql", "SELECT 1;"),
        ("README.md", "words"),
        ("schema.json", &json(&schema)),
    ]);
    let migrations = Migrations::read(directory.path()).expect("right").expect("there");
    let files: Vec<_> = migrations.files().iter().map(Migration::file).collect();
    assert_eq!(files, ["0001_first.sql", "0002_by_hand.sql"]);
    assert_eq!(migrations.schema(), Some(&schema));
    assert_eq!(migrations.next_number(), 3);
    let embedded = serde_json::json!({ "version": 1, "tables": [], "migrations": migrations }).to_string();
    assert_eq!(Migrations::embedded(&embedded).expect("the same"), migrations);
    assert_eq!(Migrations::of_program(Some(&embedded)).expect("the same"), migrations);
}

#[test]
fn a_directory_that_is_not_there_is_no_error_and_an_empty_one_is_empty() {
    let directory = directory(&[]);
    assert_eq!(Migrations::read(&directory.path().join("migrations")).expect("no error"), None);
    assert_eq!(Migrations::read(directory.path()).expect("no error"), Some(Migrations::default()));
}

#[test]
fn two_branches_that_were_merged_are_told_what_to_do() {
    let merged = error(&[("0001_a.sql", ""), ("0001_b.sql", ""), ("schema.json", &json(&schema(1, "a")))]);
    assert!(merged.contains("`0001_a.sql` and `0001_b.sql`") && merged.contains("save yours again"), "{merged}");
}

#[test]
fn what_is_missing_is_named() {
    assert_eq!(
        error(&[("0001_a.sql", ""), ("0003_c.sql", "")]),
        "migration 2 is missing before `0003_c.sql`: numbers begin at 1 and have no gaps"
    );
    assert!(error(&[("0001_a.sql", "")]).contains("schema.json is missing beside `0001_a.sql`"));
    assert!(error(&[("schema.json", &json(&schema(1, "a")))]).contains("`0001_a.sql`, and that file is missing"));
    let other = error(&[("0001_b.sql", ""), ("schema.json", &json(&schema(1, "a")))]);
    assert!(other.contains("saved with `0001_a.sql`, and the file of that number is `0001_b.sql`"), "{other}");
}

#[test]
fn a_schema_that_can_not_be_understood_is_an_error() {
    assert!(error(&[("schema.json", "<<<<<<< HEAD")]).contains("schema.json"));
    let later = error(&[("schema.json", r#"{"version": 2, "anything": []}"#)]);
    assert!(later.contains("layout 2") && later.contains("later moose-runtime"), "{later}");
    for text in ["{", r#"{"version": 1, "tables": []}"#] {
        let unreadable = Migrations::embedded(text).expect_err("nothing to read").to_string();
        assert!(unreadable.contains("build it again"), "{unreadable}");
    }
    let other = Migrations::embedded(r#"{"migrations": {"version": 9}}"#).expect_err("another layout").to_string();
    assert!(other.contains("layout 9"), "{other}");
}
