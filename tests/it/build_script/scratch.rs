//! A workspace of its own for packages that have a build script, as a user has them.
//!
//! It compiles the light set only, once for all tests: they share a target directory.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

use tempfile::TempDir;

/// Cargo lets one build at a time into a target directory, and a copy needs it at rest.
static TARGET: Mutex<()> = Mutex::new(());

/// The record that the packages begin with.
pub(super) const RECORD: &str = "
use moose_runtime::prelude::*;

#[derive(OlapRecord)]
pub struct Event {
    #[key]
    pub id: String,
    pub at: DateTime<Utc>,
}

#[pipeline]
pub static EVENTS: IngestPipeline<Event> = IngestPipeline::new(\"events\").ingest_api(true).stream(true).table(true);
";

/// The program that shows what its build script has left for it: all that the light set can do with it.
const MAIN: &str = "fn main() { println!(\"{}\", include_str!(env!(\"MOOSE_SCHEMA\"))); }";

/// A workspace in a temporary directory.
pub(super) struct Scratch {
    pub(super) directory: TempDir,
    target: PathBuf,
}

/// What cargo said, and whether it succeeded.
pub(super) struct Said {
    pub(super) text: String,
    pub(super) success: bool,
}

impl Said {
    #[track_caller]
    pub(super) fn succeeded(self) -> String {
        assert!(self.success, "{}", self.text);
        self.text
    }

    #[track_caller]
    pub(super) fn failed(self) -> String {
        assert!(!self.success, "{}", self.text);
        self.text
    }
}

impl Scratch {
    /// One package with its declarations in a module: layout 2. No two tests have one of the same name, which cargo would
    /// keep in the same place.
    pub(super) fn single(name: &str) -> Self {
        let scratch = Self::new(&[name]);
        scratch.package(name, "", "mod pipelines;\n");
        scratch.write(&format!("{name}/src/pipelines/mod.rs"), RECORD);
        scratch.write(
            &format!("{name}/build.rs"),
            "#[path = \"src/pipelines/mod.rs\"]\n#[allow(dead_code)]\nmod pipelines;\n\nfn main() {\n    \
             moose_runtime::build::migrations();\n}\n",
        );
        scratch
    }

    /// A package and a crate of declarations: layout 1.
    pub(super) fn with_schema_crate() -> Self {
        let scratch = Self::new(&["shop", "schema"]);
        let schema = "schema = { path = \"../schema\" }\n";
        scratch.package("shop", schema, "use schema as _;\n");
        scratch.write("shop/build.rs", "use schema as _;\n\nfn main() {\n    moose_runtime::build::migrations();\n}\n");
        scratch.write(
            "schema/Cargo.toml",
            "[package]\nname = \"schema\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n\
             moose-runtime = { version = \"0.1.0\", default-features = false }\n",
        );
        scratch.write("schema/src/lib.rs", RECORD);
        scratch
    }

    fn new(members: &[&str]) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("build-scripts");
        let scratch = Self { directory, target };
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository");
        let members: Vec<String> = members.iter().map(|member| format!("{member:?}")).collect();
        scratch.write(
            "Cargo.toml",
            &format!(
                "[workspace]\nresolver = \"3\"\nmembers = [{}]\n\n[profile.dev]\ndebug = false\n",
                members.join(", ")
            ),
        );
        // As from a registry, since a package that is published has no paths.
        let patch = |name: &str| format!("{name}.path = \"{}\"\n", repository.join(name).display());
        scratch.write(
            ".cargo/config.toml",
            &format!("[patch.crates-io]\n{}{}", patch("moose-runtime"), patch("moose-macros")),
        );
        fs::copy(repository.join("Cargo.lock"), scratch.path("Cargo.lock")).expect("the versions of this repository");
        scratch
    }

    fn package(&self, name: &str, dependencies: &str, modules: &str) {
        self.write(
            &format!("{name}/Cargo.toml"),
            &format!(
                "[package]\nname = {name:?}\nversion = \"0.1.0\"\nedition = \"2024\"\nlicense = \"MIT\"\n\
                 description = \"A test\"\n\n[features]\naudit = []\n\n[dependencies]\n{dependencies}\
                 moose-runtime = {{ version = \"0.1.0\", default-features = false }}\n\n[build-dependencies]\n\
                 {dependencies}moose-runtime = {{ version = \"0.1.0\", default-features = false, features = [\"build\"] }}\n"
            ),
        );
        self.write(&format!("{name}/src/main.rs"), &format!("#![allow(dead_code)]\n{modules}\n{MAIN}\n"));
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    pub(super) fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().expect("a file has a directory")).expect("a directory");
        fs::write(path, text).expect("a file");
    }

    pub(super) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    /// Replaces a piece of a file.
    pub(super) fn edit(&self, file: &str, from: &str, to: &str) {
        let text = self.read(file);
        assert!(text.contains(from), "{text}");
        self.write(file, &text.replace(from, to));
    }

    pub(super) fn cargo(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Said {
        self.cargo_into(&self.target, arguments, environment)
    }

    /// With a target directory of its own.
    pub(super) fn cargo_into(&self, target: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Said {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(self.directory.path()).args(arguments).arg("--offline");
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            let is_ours = ["CI", "DOCS_RS"].contains(&&*text) || text.starts_with("MOOSE_");
            // What this test's own cargo has set is not for that one.
            if is_ours || text.starts_with("CARGO_PKG") || text == "CARGO_MANIFEST_DIR" || text == "RUSTFLAGS" {
                command.env_remove(&name);
            }
        }
        command.env("CARGO_TARGET_DIR", target).env("CARGO_TERM_COLOR", "never").envs(environment.iter().copied());
        let _alone = TARGET.lock().unwrap_or_else(PoisonError::into_inner);
        let output = command.output().expect("cargo can be run");
        let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        Said { text, success: output.status.success() }
    }

    /// A copy of the target directory, with its times.
    pub(super) fn copied_target(&self) -> PathBuf {
        let _alone = TARGET.lock().unwrap_or_else(PoisonError::into_inner);
        let copy = self.path("other-target");
        let status = Command::new("cp").arg("-a").arg(&self.target).arg(&copy).status().expect("cp can be run");
        assert!(status.success());
        copy
    }

    /// Every file of a package with its text.
    pub(super) fn source(&self, package: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut directories = vec![self.path(package)];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).expect("a directory") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    directories.push(path);
                } else {
                    files.push((path.clone(), fs::read(&path).expect("a file")));
                }
            }
        }
        files.sort();
        files
    }
}
