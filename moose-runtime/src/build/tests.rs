//! Tests of the files that the build script writes.

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

mod drafts {
    //! What is said and left about a draft.

    use std::fs;

    use tempfile::TempDir;

    use super::{super::environment::Environment, *};

    struct Scene {
        package: TempDir,
        output: TempDir,
    }

    impl Scene {
        fn new() -> Self {
            let directory = || TempDir::new().expect("a temporary directory");
            Self { package: directory(), output: directory() }
        }

        fn run(&self, mode: Mode) -> (Migrations, Report) {
            let environment = Environment {
                package: self.package.path().to_owned(),
                output: self.output.path().to_owned(),
                mode,
                features: vec!["audit".to_owned()],
            };
            migrate(&environment, &model(&[&EVENTS])).expect("no error")
        }

        fn source(&self) -> usize {
            fs::read_dir(self.package.path()).expect("the package").count()
        }

        fn draft(&self) -> Option<String> {
            fs::read_to_string(self.output.path().join("draft.sql")).ok()
        }
    }

    #[test]
    fn a_draft_is_told_and_never_written_into_the_source_unasked() {
        let scene = Scene::new();
        let (_, report) = scene.run(Mode::Draft);
        assert!(!report.failed);
        let text = report.lines.join("\n");
        for piece in [
            "lacks a change of the declarations",
            "table `events`: create table with `id`, `userId`, `at`, `note` (safe)",
            "draft.sql",
            "MOOSE_SAVE_MIGRATION=<name> cargo build",
            "migrate save <name>",
            "the features audit",
        ] {
            assert!(text.contains(piece), "no `{piece}` in:\n{text}");
        }
        assert_eq!(scene.source(), 0);
        assert!(scene.draft().expect("a draft").contains("CREATE TABLE IF NOT EXISTS `events`"));
    }

    #[test]
    fn a_forgotten_draft_fails_a_locked_build_with_the_list_of_changes() {
        let scene = Scene::new();
        let (_, report) = scene.run(Mode::Locked("CI is set"));
        assert!(report.failed);
        assert!(report.lines[0].ends_with("and CI is set:"), "{report:?}");
        assert!(report.lines[1].contains("create table"), "{report:?}");
        assert_eq!(scene.source(), 0);
    }

    #[test]
    fn what_is_saved_is_embedded_by_the_same_build_and_drafted_no_more() {
        let scene = Scene::new();
        scene.run(Mode::Draft);
        let (migrations, report) = scene.run(Mode::Save("first".to_owned()));
        assert_eq!(migrations.files().len(), 1);
        assert!(report.lines[0].contains("0001_first.sql") && !report.failed, "{report:?}");
        assert_eq!(scene.draft(), None, "nothing is left to save");
        for mode in [Mode::Draft, Mode::Locked("CI is set")] {
            assert_eq!(scene.run(mode), (migrations.clone(), Report::default()));
        }
        let (_, report) = scene.run(Mode::Save("second".to_owned()));
        assert!(report.lines[0].starts_with("nothing to save as `second`"), "{report:?}");
    }

    #[test]
    fn a_refused_change_warns_in_a_draft_and_fails_where_it_would_be_lost() {
        let scene = Scene::new();
        scene.run(Mode::Save("first".to_owned()));
        let environment = |mode| Environment {
            package: scene.package.path().to_owned(),
            output: scene.output.path().to_owned(),
            mode,
            features: Vec::new(),
        };
        let other = model(&[&AUDIT]);
        for (mode, failed) in
            [(Mode::Draft, false), (Mode::Locked("CI is set"), true), (Mode::Save("second".to_owned()), true)]
        {
            let (_, report) = migrate(&environment(mode), &other).expect("no error");
            assert_eq!(report.failed, failed);
            assert!(report.lines[1].contains("`DroppedTable::new(\"events\")`"), "{report:?}");
        }
        let (_, report) = migrate(&environment(Mode::Ignore), &other).expect("no error");
        assert_eq!(report, Report::default(), "it is somebody else's package");
    }
}
