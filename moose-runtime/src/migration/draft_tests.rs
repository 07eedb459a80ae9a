//! Tests of drafting and saving.

use tempfile::TempDir;

use super::*;
use crate::schema::fixture;

fn events() -> Table {
    Table {
        columns: vec![fixture::column("id", "String"), fixture::column("at", "DateTime")],
        ..fixture::table("events")
    }
}

fn draft(directory: &Path, tables: &[Table]) -> Option<Draft> {
    let migrations = Migrations::read(directory).expect("right").unwrap_or_default();
    Draft::of(&migrations, tables, &[]).expect("nothing is refused")
}

fn save(directory: &Path, tables: &[Table], name: &str) -> PathBuf {
    draft(directory, tables).expect("something changes").save(directory, name).expect("saved")
}

#[test]
fn what_is_saved_is_drafted_no_more_and_the_next_draft_goes_on_from_there() {
    let directory = TempDir::new().expect("a temporary directory");
    let directory = directory.path().join("migrations");
    let first = save(&directory, &[events()], "first");
    assert!(first.ends_with("migrations/0001_first.sql"));
    assert_eq!(draft(&directory, &[events()]), None);

    let mut sorted = events();
    sorted.order_by = vec!["at".to_owned()];
    let second = save(&directory, &[sorted.clone()], "by_time");
    assert!(second.ends_with("0002_by_time.sql"));
    let migrations = Migrations::read(&directory).expect("right").expect("there");
    let schema = migrations.schema().expect("a schema");
    assert_eq!(schema.saved_with, Saved { number: 2, name: "by_time".to_owned() });
    assert_eq!(schema.kept, ["events__old_2"]);
    let actions: Vec<_> = migrations.files()[1].steps().iter().map(|step| &step.action).collect();
    assert_eq!(actions.first(), Some(&&Action::Drain("events".to_owned())));
    assert_eq!(actions.last(), Some(&&Action::Resume("events".to_owned())));

    let gone = Draft::of(&migrations, &[sorted], &["events__old_2".to_owned()]).expect("nothing refused");
    let gone = gone.expect("the old table goes");
    assert_eq!(gone.lines(), ["table `events__old_2`: drop table (destructive)"]);
    gone.save(&directory, "confirm").expect("saved");
    let migrations = Migrations::read(&directory).expect("right").expect("there");
    assert_eq!(migrations.schema().expect("a schema").kept, [""; 0]);
    let mut left: Vec<_> = fs::read_dir(&directory)
        .expect("the directory")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    left.sort();
    assert_eq!(left, ["0001_first.sql", "0002_by_time.sql", "0003_confirm.sql", "schema.json"], "nothing else stays");
}

#[test]
fn the_files_as_they_are_written() {
    let directory = TempDir::new().expect("a temporary directory");
    let migration = save(directory.path(), &[events()], "first");
    let schema = fs::read_to_string(directory.path().join(SCHEMA_FILE)).expect("the schema");
    insta::assert_snapshot!(format!(
        "{}--- schema.json\n{schema}",
        fs::read_to_string(migration).expect("the migration")
    ));
}

#[test]
fn a_name_is_checked_and_used_once() {
    let directory = TempDir::new().expect("a temporary directory");
    let draft = draft(directory.path(), &[events()]).expect("something changes");
    let error = draft.save(directory.path(), "add country").expect_err("a space").to_string();
    assert!(error.contains("`add country`") && error.contains("ASCII letters"), "{error}");
    draft.save(directory.path(), "first").expect("saved");
    let error = draft.save(directory.path(), "first").expect_err("taken").to_string();
    assert!(error.contains("`0001_first.sql` already"), "{error}");
    let error = draft.save(directory.path(), "second").expect_err("the directory has moved on").to_string();
    assert!(error.contains("again"), "{error}");
}

#[test]
fn an_expression_that_would_end_its_statement_is_refused() {
    let directory = TempDir::new().expect("a temporary directory");
    for expression in ["at + INTERVAL 1 DAY; DROP TABLE events", "at /* why", "at + '1"] {
        let table = Table { ttl: Some(expression.to_owned()), ..events() };
        let draft = draft(directory.path(), &[table]).expect("something changes");
        assert!(draft.save(directory.path(), "first").is_err(), "{expression}");
    }
    assert_eq!(fs::read_dir(directory.path()).expect("the directory").count(), 0, "nothing is written");
}

#[test]
fn a_directory_that_can_not_be_written_is_named() {
    let directory = TempDir::new().expect("a temporary directory");
    let file = directory.path().join("file");
    fs::write(&file, "no directory").expect("a file");
    let draft = draft(directory.path(), &[events()]).expect("something changes");
    let error = draft.save(&file.join("migrations"), "first").expect_err("no place").to_string();
    assert!(error.contains("migrations"), "{error}");
}
