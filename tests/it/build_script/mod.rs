//! The build script in a user's hands, under the real cargo: when it runs, what it writes, what it says.

mod scratch;

use std::{fs, path::Path};

use scratch::Scratch;

/// What a new column looks like in the record.
const COUNTRY: (&str, &str) =
    ("    pub at: DateTime<Utc>,\n", "    pub at: DateTime<Utc>,\n    pub country: Option<String>,\n");

fn is_fresh(said: &str, package: &str) -> bool {
    said.lines().any(|line| line.trim_start().starts_with(&format!("Fresh {package} ")))
}

#[test]
fn one_package_goes_from_a_draft_to_a_saved_migration() {
    let scratch = Scratch::single("drafted");
    let build = ["build", "-v", "-p", "drafted"];
    let before = scratch.source("drafted");
    let said = scratch.cargo(&build, &[]).succeeded();
    assert!(said.contains("table `events`: create table with `id`, `at` (safe)"), "{said}");
    assert!(said.contains("MOOSE_SAVE_MIGRATION=<name> cargo build"), "{said}");
    assert_eq!(scratch.source("drafted"), before, "nothing is written into the source unasked");
    let said = scratch.cargo(&build, &[]).succeeded();
    assert!(is_fresh(&said, "drafted"), "a directory that is not there does not build for ever:\n{said}");
    let said = scratch.cargo(&build, &[("CI", "true")]).succeeded();
    assert!(said.contains("create table"), "where nothing was ever saved CI is told and does not fail:\n{said}");

    // Saved: files, embedded in the same build, and then nothing to do.
    let said = scratch.cargo(&build, &[("MOOSE_SAVE_MIGRATION", "first")]).succeeded();
    assert!(said.contains("0001_first.sql"), "{said}");
    assert!(scratch.read("drafted/migrations/0001_first.sql").contains("CREATE TABLE IF NOT EXISTS `events`"));
    assert!(scratch.read("drafted/migrations/schema.json").contains("\"events\""));
    let run = ["run", "-q", "-p", "drafted"];
    let embedded = scratch.cargo(&run, &[]).succeeded();
    assert!(embedded.contains("0001_first.sql") && embedded.contains("CREATE TABLE IF NOT EXISTS"), "{embedded}");
    let said = scratch.cargo(&build, &[]).succeeded();
    assert!(is_fresh(&said, "drafted") && !said.contains("warning: drafted"), "{said}");

    // A change: told, an error in CI and where it is locked, saved, and no error any more.
    scratch.edit("drafted/src/pipelines/mod.rs", COUNTRY.0, COUNTRY.1);
    let change = "table `events`: add column `country` Nullable(String) after `at` (safe)";
    let said = scratch.cargo(&build, &[]).succeeded();
    assert!(said.contains(change), "{said}");
    for variable in [("CI", "true"), ("MOOSE_MIGRATIONS", "locked")] {
        let said = scratch.cargo(&build, &[variable]).failed();
        assert!(said.contains(change) && said.contains("error: drafted"), "{said}");
    }
    scratch.cargo(&build, &[("MOOSE_SAVE_MIGRATION", "add_country")]).succeeded();
    assert!(scratch.read("drafted/migrations/0002_add_country.sql").contains("ADD COLUMN IF NOT EXISTS `country`"));
    scratch.cargo(&build, &[("CI", "true")]).succeeded();

    // A field that JSON calls otherwise keeps its old name beside the new one: in its column's name nothing changes.
    let (at, moment) = ("    pub at: DateTime<Utc>,", "    #[olap(rename = \"at\")]\n    pub moment: DateTime<Utc>,");
    scratch.edit("drafted/src/pipelines/mod.rs", at, moment);
    let line = "call the field of column `at` `at`, and their value would be lost: write `#[serde(alias = \"at\")]`";
    for variables in [&[("CI", "true")][..], &[("MOOSE_SAVE_MIGRATION", "lost")]] {
        let said = scratch.cargo(&build, variables).failed();
        assert!(said.contains(line), "{said}");
    }
    scratch.edit("drafted/src/pipelines/mod.rs", moment, &format!("    #[serde(alias = \"at\")]\n{moment}"));
    scratch.cargo(&build, &[("CI", "true")]).succeeded();
    scratch.edit("drafted/src/pipelines/mod.rs", &format!("    #[serde(alias = \"at\")]\n{moment}"), at);

    // A change of a file is seen.
    scratch.cargo(&build, &[]).succeeded();
    let file = "drafted/migrations/0001_first.sql";
    scratch.write(file, &(scratch.read(file) + "-- a word more\n"));
    assert!(scratch.cargo(&run, &[]).succeeded().contains("a word more"));
    fs::remove_file(scratch.path(file)).expect("removed");
    let said = scratch.cargo(&build, &[]).failed();
    assert!(said.contains("migration 1 is missing before `0002_add_country.sql`"), "{said}");
}

#[test]
fn a_directory_that_appears_is_seen() {
    let scratch = Scratch::single("appearing");
    let build = ["build", "-v", "-p", "appearing"];
    scratch.cargo(&build, &[]).succeeded();
    let said = scratch.cargo(&build, &[]).succeeded();
    assert!(is_fresh(&said, "appearing"), "{said}");
    // As a checkout or the binary's `migrate save` makes it: behind cargo's back.
    let other = Scratch::single("saving");
    other.cargo(&["build", "-p", "saving"], &[("MOOSE_SAVE_MIGRATION", "first")]).succeeded();
    fs::create_dir(scratch.path("appearing/migrations")).expect("a directory");
    for file in ["appearing/migrations/0001_first.sql", "appearing/migrations/schema.json"] {
        scratch.write(file, &other.read(&file.replace("appearing", "saving")));
    }
    let said = scratch.cargo(&build, &[]).succeeded();
    assert!(!is_fresh(&said, "appearing") && !said.contains("create table with"), "{said}");
    assert!(is_fresh(&scratch.cargo(&build, &[]).succeeded(), "appearing"));
}

#[test]
fn two_target_directories_do_not_disturb_each_other() {
    let scratch = Scratch::single("targets");
    let build = ["build", "-v", "-p", "targets"];
    scratch.cargo(&build, &[("MOOSE_SAVE_MIGRATION", "first")]).succeeded();
    scratch.edit("targets/src/pipelines/mod.rs", COUNTRY.0, COUNTRY.1);
    scratch.cargo(&build, &[]).succeeded();
    let other = scratch.copied_target();
    scratch.edit("targets/src/pipelines/mod.rs", "country", "land");
    for target in [None, Some(&other), None, Some(&other)].into_iter().enumerate() {
        let (round, target) = target;
        let said = match target {
            Some(target) => scratch.cargo_into(target, &build, &[]),
            None => scratch.cargo(&build, &[]),
        };
        assert_eq!(is_fresh(&said.succeeded(), "targets"), round > 1, "each builds once");
    }
}

#[test]
fn a_schema_crate_is_seen_by_the_build_script_and_its_words_are_refused_or_obeyed() {
    let scratch = Scratch::with_schema_crate();
    let build = ["build", "-v", "-p", "shop"];
    scratch.cargo(&build, &[("MOOSE_SAVE_MIGRATION", "first")]).succeeded();
    assert!(scratch.read("shop/migrations/0001_first.sql").contains("CREATE TABLE IF NOT EXISTS `events`"));
    scratch.cargo(&build, &[]).succeeded();
    assert!(is_fresh(&scratch.cargo(&build, &[]).succeeded(), "shop"));
    // What is gone needs a word, and a draft that can't be made is not saved.
    scratch.write("schema/src/lib.rs", &scratch::RECORD.replace("\"events\"", "\"actions\""));
    let said = scratch.cargo(&build, &[]).succeeded();
    assert!(said.contains("declare `DroppedTable::new(\"events\")`"), "{said}");
    scratch.cargo(&build, &[("MOOSE_SAVE_MIGRATION", "second")]).failed();
    let dropped = "\n#[pipeline]\npub static OLD: DroppedTable = DroppedTable::new(\"events\");\n";
    scratch.write("schema/src/lib.rs", &(scratch::RECORD.replace("\"events\"", "\"actions\"") + dropped));
    scratch.cargo(&build, &[("MOOSE_SAVE_MIGRATION", "second")]).succeeded();
    let second = scratch.read("shop/migrations/0002_second.sql");
    assert!(second.contains("DROP TABLE IF EXISTS `events`") && second.contains("(destructive)"), "{second}");
}

#[test]
fn a_package_verifies_with_its_migrations_and_with_a_forgotten_draft() {
    let scratch = Scratch::single("packaged");
    scratch.cargo(&["build", "-p", "packaged"], &[("MOOSE_SAVE_MIGRATION", "first")]).succeeded();
    scratch.edit("packaged/src/pipelines/mod.rs", COUNTRY.0, COUNTRY.1);
    let before = scratch.source("packaged");
    let environment = [("CI", "true"), ("MOOSE_SAVE_MIGRATION", "second")];
    let said = scratch.cargo(&["package", "-p", "packaged", "--allow-dirty"], &environment).succeeded();
    assert!(said.contains("Verifying packaged"), "{said}");
    assert_eq!(scratch.source("packaged"), before);
    let said = scratch.cargo(&["package", "-p", "packaged", "--allow-dirty", "--list"], &[]).succeeded();
    assert!(said.contains("migrations/0001_first.sql") && said.contains("migrations/schema.json"), "{said}");
}

#[test]
fn the_migrations_of_the_example_are_what_its_versions_give() {
    let scratch = Scratch::single("versions");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/migrations");
    let read = |file: &str| fs::read_to_string(example.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let steps = [
        ("versions/1.rs", "orders"),
        ("versions/2.rs", "country"),
        ("versions/3.rs", "customer"),
        ("src/pipelines/mod.rs", "by_customer"),
    ];
    for (number, (version, name)) in (1..).zip(steps) {
        scratch.write("versions/src/pipelines/mod.rs", &read(version));
        scratch.cargo(&["build", "-p", "versions"], &[("MOOSE_SAVE_MIGRATION", name)]).succeeded();
        let file = format!("migrations/{number:04}_{name}.sql");
        assert_eq!(scratch.read(&format!("versions/{file}")), read(&file), "{file}");
    }
    assert_eq!(scratch.read("versions/migrations/schema.json"), read("migrations/schema.json"));
}
